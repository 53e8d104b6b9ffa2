use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use dragoman_core::audit::{Hash, ZERO, root_from};
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::{HEADS, Log, Report, Settings, prove, recover, scan, segments, take_out, verify};

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn settings(directory: &Path, writer: &str, segment_records: u64) -> Settings {
    Settings {
        directory: directory.to_owned(),
        writer: writer.to_owned(),
        segment_records,
        segment_time: Duration::from_secs(3600),
        queue_bytes: 1 << 20,
        copy_to: None,
    }
}

fn record(number: u64) -> Vec<u8> {
    format!("{{\"kind\":\"request\",\"n\":{number}}}").into_bytes()
}

/// Appends, and waits until it is durable.
fn append(log: &Log, number: u64) -> bool {
    let (tell, told) = mpsc::channel();
    log.append(record(number), Some(Box::new(move |well| tell.send(well).unwrap())));
    told.recv().unwrap()
}

fn checked(directory: &Path) -> Report {
    let public = key().public_key().as_ref().to_vec();
    verify(directory, Some(&public), None, b"{\"kind\":\"audit.").unwrap()
}

fn faults(report: &Report) -> Vec<String> {
    let all = report.chains.iter().flat_map(|(_, verified)| &verified.faults);
    all.map(|fault| format!("{}: {}", fault.place, fault.what)).collect()
}

fn records(report: &Report) -> u64 {
    report.chains.iter().map(|(_, verified)| verified.records).sum()
}

#[test]
fn what_is_written_is_verified() {
    let place = tempfile::tempdir().unwrap();
    let log = Log::open(settings(place.path(), "w", 4), key()).unwrap();
    for number in 1..=10 {
        assert!(append(&log, number));
    }
    assert_eq!((log.written(), log.queued(), log.failure()), (10, 0, None));
    log.close();
    assert!(!log.append(record(11), None));
    let report = checked(place.path());
    assert_eq!((faults(&report), records(&report)), (vec![], 10));
    let found = segments(&place.path().join("w")).unwrap();
    assert_eq!(found.iter().filter(|segment| segment.head.is_some()).count(), 3);
    assert!(Log::open(settings(place.path(), "w", 4), key()).is_err());
}

#[test]
fn records_handed_over_together_are_written_as_far_as_there_is_room() {
    let place = tempfile::tempdir().unwrap();
    let log = Log::open(Settings { queue_bytes: 1000, ..settings(place.path(), "w", 4) }, key()).unwrap();
    assert_eq!(log.extend(vec![record(1), vec![b'x'; 1000], record(2)]), 1);
    log.close();
    assert_eq!(log.extend(vec![record(3), record(4)]), 2);
    assert_eq!((log.written(), log.dropped()), (2, 3));
    let report = checked(place.path());
    assert_eq!((faults(&report), records(&report)), (vec![], 2));
}

#[test]
fn a_segment_is_closed_when_its_time_is_over() {
    let place = tempfile::tempdir().unwrap();
    let short = Settings { segment_time: Duration::from_millis(1), ..settings(place.path(), "w", 1000) };
    let log = Log::open(short, key()).unwrap();
    assert!(append(&log, 1));
    while segments(&place.path().join("w")).unwrap().iter().all(|segment| segment.head.is_none()) {
        std::thread::sleep(Duration::from_millis(5));
    }
    log.close();
    assert!(faults(&checked(place.path())).is_empty());
}

/// A process that was killed: a chain without its last head, and its last line cut anywhere.
#[test]
fn what_a_process_left_open_is_closed() {
    for cut in [0, 1, 40, 90] {
        let place = tempfile::tempdir().unwrap();
        let log = Log::open(settings(place.path(), "w", 3), key()).unwrap();
        (1..=5).for_each(|number| assert!(append(&log, number)));
        assert!(recover(place.path(), &key(), 5).unwrap().is_empty(), "one that is alive is left alone");
        log.close();
        let folder = place.path().join("w");
        let heads = fs::read_to_string(folder.join(HEADS)).unwrap();
        let first = heads.lines().next().unwrap();
        fs::write(folder.join(HEADS), format!("{first}\n")).unwrap();
        let last = folder.join("00000002.log");
        let text = fs::read(&last).unwrap();
        fs::write(&last, &text[..text.len() - cut]).unwrap();
        let found = recover(place.path(), &key(), 5).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1 > 0, cut > 0, "{cut}");
        let report = checked(place.path());
        assert_eq!(faults(&report), Vec::<String>::new(), "{cut}");
        assert_eq!(records(&report), if cut == 0 { 5 } else { 4 });
        assert!(recover(place.path(), &key(), 5).unwrap().is_empty());
    }
}

#[test]
fn what_cannot_be_written_is_refused_and_comes_later() {
    let place = tempfile::tempdir().unwrap();
    let log = Log::open(settings(place.path(), "w", 3), key()).unwrap();
    assert!(append(&log, 1));
    // A directory in the place of the next segment's file.
    let next = place.path().join("w").join("00000002.log");
    fs::create_dir(&next).unwrap();
    assert!(append(&log, 2) && append(&log, 3));
    assert!(!append(&log, 4));
    assert!(log.failure().is_some());
    assert!(log.append(record(5), None));
    fs::remove_dir(&next).unwrap();
    while log.failure().is_some() {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(append(&log, 6));
    log.close();
    let report = checked(place.path());
    assert_eq!((faults(&report), records(&report)), (vec![], 5));
}

#[test]
fn a_head_that_cannot_be_written_doubles_nothing() {
    let place = tempfile::tempdir().unwrap();
    let log = Log::open(settings(place.path(), "w", 2), key()).unwrap();
    let heads = place.path().join("w").join(HEADS);
    fs::create_dir(&heads).unwrap();
    assert!(append(&log, 1) && append(&log, 2));
    while log.failure().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(log.append(record(3), None));
    fs::remove_dir(&heads).unwrap();
    while log.failure().is_some() || log.written() < 3 {
        std::thread::sleep(Duration::from_millis(5));
    }
    log.close();
    let report = checked(place.path());
    assert_eq!((faults(&report), records(&report)), (vec![], 3));
}

#[test]
fn what_waits_is_bounded() {
    let place = tempfile::tempdir().unwrap();
    let narrow = Settings { queue_bytes: 10, ..settings(place.path(), "w", 3) };
    let log = Log::open(narrow, key()).unwrap();
    assert!(!append(&log, 1));
    assert!(!log.append(record(1), None));
    assert_eq!(log.dropped(), 2);
}

#[test]
fn a_copy_of_the_heads_shows_what_was_cut_off() {
    let place = tempfile::tempdir().unwrap();
    let (here, copies) = (place.path().join("here"), place.path().join("copies"));
    let copied = Settings { copy_to: Some(copies.clone()), ..settings(&here, "w", 2) };
    let log = Log::open(copied, key()).unwrap();
    (1..=6).for_each(|number| assert!(append(&log, number)));
    log.close();
    let compared = || faults(&verify(&here, None, Some(&copies), b"x").unwrap());
    assert!(compared().is_empty());
    let heads = here.join("w").join(HEADS);
    let text = fs::read_to_string(&heads).unwrap();
    let cut: Vec<&str> = text.lines().take(2).collect();
    fs::write(&heads, cut.join("\n") + "\n").unwrap();
    fs::remove_file(here.join("w").join("00000003.log")).unwrap();
    assert!(faults(&verify(&here, None, None, b"x").unwrap()).is_empty(), "by itself it does not show");
    assert_eq!(compared(), ["w/heads: head 3 is in the copy, and not here"]);
    fs::remove_dir_all(here.join("w")).unwrap();
    assert_eq!(compared().len(), 3);
}

#[test]
fn a_record_is_found_proved_and_taken_out() {
    let place = tempfile::tempdir().unwrap();
    let log = Log::open(settings(place.path(), "w", 5), key()).unwrap();
    (1..=12).for_each(|number| assert!(append(&log, number)));
    log.close();
    let found = segments(&place.path().join("w")).unwrap();
    let second = &found[1].path;
    assert_eq!(scan(second, &[b"\"n\":7}".to_vec()]).unwrap(), [(7, record(7))]);
    assert_eq!(scan(second, &[b"kind".to_vec(), b"\"n\":1".to_vec()]).unwrap(), [(10, record(10))]);
    let proof = prove(second, 7, ZERO).unwrap().unwrap();
    let head = found[1].head.as_deref().and_then(dragoman_core::audit::Head::read).unwrap().0;
    let root: Option<Hash> = root_from(&proof.hash, proof.index, proof.size, &proof.path);
    assert_eq!((root, proof.record), (Some(head.root), Some(record(7))));
    assert!(prove(second, 99, ZERO).unwrap().is_none());
    assert_eq!(take_out(second, &HashSet::from([7, 9, 99])).unwrap(), 2);
    assert_eq!(take_out(second, &HashSet::from([7])).unwrap(), 0);
    let report = checked(place.path());
    assert_eq!((faults(&report), records(&report)), (vec![], 10));
    assert_eq!(report.taken_out, [("w".to_owned(), 7), ("w".to_owned(), 9)]);
    assert!(prove(second, 7, ZERO).unwrap().unwrap().record.is_none());
}

#[test]
fn segments_that_are_missing_or_swapped_show() {
    let place = tempfile::tempdir().unwrap();
    let log = Log::open(settings(place.path(), "w", 2), key()).unwrap();
    (1..=6).for_each(|number| assert!(append(&log, number)));
    log.close();
    let folder = place.path().join("w");
    let (one, two, aside) = (folder.join("00000001.log"), folder.join("00000002.log"), folder.join("aside"));
    fs::rename(&one, &aside).unwrap();
    assert!(!faults(&checked(place.path())).is_empty());
    fs::rename(&two, &one).unwrap();
    fs::rename(&aside, &two).unwrap();
    assert!(!faults(&checked(place.path())).is_empty());
}
