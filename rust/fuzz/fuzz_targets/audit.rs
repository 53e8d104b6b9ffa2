//! Any files: a line is read as it was written or not at all, and verifying them never fails.

#![no_main]

use dragoman_core::audit::{Chain, Head, TAKEN_OUT, read_line, write_line};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<u8>, String)| {
    let (segment, head) = input;
    for text in segment.split(|byte| *byte == b'\n') {
        if let Some(line) = read_line(text) {
            let mut written = Vec::new();
            write_line(&mut written, line.seq, &line.hash, line.record.unwrap_or(TAKEN_OUT));
            assert_eq!(written.strip_suffix(b"\n"), Some(text));
        }
    }
    if let Some((read, _)) = Head::read(&head) {
        assert!(head.starts_with(&read.text()));
    }
    let mut chain = Chain::new("w", None);
    chain.segment("1", &segment, Some(&head));
    chain.segment("2", &segment, None);
    // Nobody has signed what comes by chance.
    assert!(!chain.end().faults.is_empty());
});
