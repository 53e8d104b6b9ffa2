//! The audit log: records from any thread, one that writes them, and the end. (Its files are real.)

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use dragoman_interleavings::explore;
use dragoman_interleavings::log::{Log, Settings, Waiter};
use dragoman_interleavings::sync::{Arc, Mutex, thread};
use ring::signature::{Ed25519KeyPair, KeyPair};

const SCHEDULES: usize = 300;

/// How many of them there are in a schedule, and what came of each: whether it was taken, and what a waiter was told.
#[derive(Clone, Debug, Default)]
struct Told {
    taken: bool,
    durable: Option<bool>,
}

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn append(log: &Log, told: &Arc<Mutex<Vec<Told>>>, number: usize, waits: bool) {
    let waiter = waits.then(|| -> Waiter {
        let told = told.clone();
        Box::new(move |durable| {
            let mut told = told.lock().unwrap();
            assert_eq!(told[number].durable, None, "said twice");
            told[number].durable = Some(durable);
        })
    });
    let taken = log.append(format!("{{\"number\":{number}}}").into_bytes(), waiter);
    told.lock().unwrap()[number].taken = taken;
}

#[test]
fn what_is_taken_is_written_once_and_in_one_chain_whoever_closes_it() {
    static SCHEDULE: AtomicUsize = AtomicUsize::new(0);
    static SOME_WERE_LATE: AtomicBool = AtomicBool::new(false);
    explore(SCHEDULES, || {
        let place = tempfile::tempdir().unwrap();
        let settings = Settings {
            directory: place.path().to_path_buf(),
            writer: format!("w{}", SCHEDULE.fetch_add(1, Ordering::Relaxed)),
            segment_records: 2,
            segment_time: Duration::from_secs(3600),
            queue_bytes: 10_000,
            copy_to: None,
        };
        let log = Arc::new(Log::open(settings, key()).unwrap());
        let told = Arc::new(Mutex::new(vec![Told::default(); 6]));
        let mut threads: Vec<_> = (0..3)
            .map(|writer| {
                let (log, told) = (log.clone(), told.clone());
                thread::spawn(move || {
                    append(&log, &told, 2 * writer, writer != 1);
                    append(&log, &told, 2 * writer + 1, writer == 1);
                })
            })
            .collect();
        threads.push(thread::spawn({
            let log = log.clone();
            move || log.close()
        }));
        threads.into_iter().for_each(|one| one.join().unwrap());
        log.close();
        let told = told.lock().unwrap().clone();
        let taken = told.iter().filter(|one| one.taken).count();
        for one in &told {
            assert!(one.durable.is_none_or(|durable| durable == one.taken), "{told:?}");
        }
        let public = key().public_key().as_ref().to_vec();
        let report = dragoman_journal::verify(place.path(), Some(&public), None, b"x").unwrap();
        let faults: Vec<&str> =
            report.chains.iter().flat_map(|(_, chain)| &chain.faults).map(|one| &*one.what).collect();
        assert!(faults.is_empty(), "{faults:?}");
        let records: u64 = report.chains.iter().map(|(_, chain)| chain.records).sum();
        assert_eq!(records, taken as u64);
        assert_eq!((log.written(), log.queued()), (taken as u64, 0));
        assert_eq!(log.dropped(), (told.len() - taken) as u64);
        SOME_WERE_LATE.fetch_or(taken < told.len(), Ordering::Relaxed);
    });
    assert!(SOME_WERE_LATE.load(Ordering::Relaxed), "the schedules differ");
}
