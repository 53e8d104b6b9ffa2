//! A text without its disguises has none.

#![no_main]

use dragoman_core::mask::folded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let once = String::from_utf8(folded(text)).expect("characters come out whole");
    assert_eq!(folded(&once), once.as_bytes());
});
