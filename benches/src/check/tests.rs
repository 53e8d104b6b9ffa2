use super::*;
use crate::behaviour::{closing_events, content_event};

fn stream(events: u32) -> Vec<u8> {
    let mut text: String = (0..events).map(|sequence| content_event(sequence, 1000)).collect();
    text.extend(closing_events(events, true));
    text.into_bytes()
}

fn verdict(wire: &[u8], piece: usize) -> (Result<(), Wrong>, Vec<u64>) {
    let mut check = Check::new(Behaviour::Burst { events: 3 }, Words::Chat);
    let mut delays = Vec::new();
    for bytes in wire.chunks(piece) {
        check.feed(bytes, 1500, |delay| delays.push(delay));
    }
    (check.end(), delays)
}

#[test]
fn a_right_stream_passes_at_every_split() {
    let wire = stream(3);
    for piece in 1..=wire.len() {
        assert_eq!(verdict(&wire, piece), (Ok(()), vec![500; 3]), "in pieces of {piece}");
    }
}

#[test]
fn each_fault_is_named() {
    assert_eq!(verdict(&stream(2), 999).0, Err(Wrong::Short));
    let doubled = [content_event(0, 0), content_event(0, 0)].concat();
    assert_eq!(verdict(doubled.as_bytes(), 999).0, Err(Wrong::Event));
    let garbled = String::from_utf8(stream(3)).unwrap().replace("2@1000 word", "2@1000 w");
    assert_eq!(verdict(garbled.as_bytes(), 999).0, Err(Wrong::Event));
    let undone: String = (0..3).map(|sequence| content_event(sequence, 0)).collect();
    assert_eq!(verdict(undone.as_bytes(), 999).0, Err(Wrong::Done));
    assert_eq!(verdict(&[stream(3), stream(3)].concat(), 999).0, Err(Wrong::Done));
}

#[test]
fn a_whole_answer_is_compared_byte_by_byte() {
    let mut check = Check::new(Behaviour::Whole, Words::Chat);
    check.feed(&whole_body(), 0, |_| {});
    assert_eq!(check.end(), Ok(()));
    check.start();
    check.feed(&whole_body()[1..], 0, |_| {});
    assert_eq!(check.end(), Err(Wrong::Body));
}

#[test]
fn a_translated_stream_is_read_by_its_own_words() {
    let mut check = Check::new(Behaviour::Burst { events: 2 }, Words::Messages);
    let start = r#"{"type":"content_block_start","content_block":{"type":"text","text":""}}"#;
    let delta = |number| {
        format!(
            r#"{{"type":"content_block_delta","delta":{{"type":"text_delta","text":"{number}@0 word"}}}}"#
        )
    };
    let stop = r#"{"type":"message_stop"}"#;
    for data in [start.to_owned(), delta(0), delta(1), stop.to_owned()] {
        check.feed(format!("event: x\ndata: {data}\n\n").as_bytes(), 0, |_| {});
    }
    assert_eq!((check.end(), check.events()), (Ok(()), 2));
}

#[test]
fn a_translated_answer_has_the_text() {
    let mut check = Check::new(Behaviour::Whole, Words::Messages);
    let whole = whole_body();
    let text = String::from_utf8(text_of(&whole).to_vec()).unwrap();
    assert!(text.len() > 100);
    check.feed(format!(r#"{{"content":[{{"type":"text","text":"{text}"}}]}}"#).as_bytes(), 0, |_| {});
    assert_eq!(check.end(), Ok(()));
    check.start();
    check.feed(&text.as_bytes()[1..], 0, |_| {});
    assert_eq!(check.end(), Err(Wrong::Body));
}
