//! No answer, error or event breaks its reader, and hiding usage leaves the rest as it was.

#![no_main]

use dragoman_core::frames::answer::{Seen, Tap, Usage, read_answer_text, read_error};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const KEEP_TEXT_BYTES: usize = 16;
const MAX_COUNT: u64 = i64::MAX as u64;

fn check(usage: Usage) {
    assert!(usage.input <= MAX_COUNT && usage.output <= MAX_COUNT);
    assert!(usage.cached_input + usage.cache_write <= usage.input);
    assert!(usage.reasoning <= usage.output);
}

fuzz_target!(|data: &[u8]| {
    if let Ok(answer) = read_answer_text(data, KEEP_TEXT_BYTES) {
        assert!(answer.text.len() <= KEEP_TEXT_BYTES);
        answer.usage.into_iter().for_each(check);
    }
    if let Some(error) = read_error(data) {
        assert!(error.status.is_none_or(|status| (400..600).contains(&status)));
    }
    // Lines are the events of one stream.
    let mut tap = Tap::new(true, KEEP_TEXT_BYTES);
    for event in data.split(|byte| *byte == b'\n') {
        if let Seen::Replace { data, .. } = tap.see(event, None)
            && let Ok(mut value) = serde_json::from_slice::<Value>(event)
        {
            let replaced: Value = serde_json::from_slice(&data).expect("what was JSON stays JSON");
            // A key that stands twice is cut once.
            if replaced.get("usage").is_none() {
                value.as_object_mut().expect("it is an object").remove("usage");
                assert_eq!(replaced, value);
            }
        }
    }
    let summary = tap.summary();
    assert!(summary.text.len() <= KEEP_TEXT_BYTES);
    assert!(summary.choices_open <= summary.finish_reasons.len());
    summary.usage.into_iter().for_each(check);
});
