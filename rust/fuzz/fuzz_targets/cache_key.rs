//! Two lists of parts have one key only where they are one list.

#![no_main]

use dragoman_core::cache::key_of;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<Vec<u8>>, Vec<Vec<u8>>)| {
    let (one, other) = input;
    let of = |parts: &[Vec<u8>]| key_of(parts.iter().map(Vec::as_slice));
    assert_eq!(of(&one) == of(&other), one == other);
});
