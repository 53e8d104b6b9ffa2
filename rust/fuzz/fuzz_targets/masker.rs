//! What is hidden is shown again, however it is cut, and what is found stands in the text.

#![no_main]

use dragoman_core::mask::{Action, Custom, Entities, Finder, Masker, Session};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, &str)| {
    let (cut, text) = input;
    let masker = Masker::new(Finder::new(Entities::all(), 0.3, Custom::default()), Action::Mask, Vec::new());
    let mut end = 0;
    for found in masker.find(text) {
        assert!(found.place.start >= end && text.get(found.place.clone()).is_some_and(|value| !value.is_empty()));
        end = found.place.end;
    }
    let mut session = Session::new(b"tenant", b"");
    let masked = session.mask(&masker, text).unwrap_or_else(|| text.to_owned());
    assert_eq!(session.unmask(&masked, false), text);
    let cut = (0..=usize::from(cut) % (masked.len() + 1)).rev().find(|at| masked.is_char_boundary(*at)).unwrap_or(0);
    let (first, second) = masked.split_at(cut);
    let mut unmasker = session.unmasker(false);
    assert_eq!([unmasker.push(first), unmasker.push(second), unmasker.finish()].concat(), text);
});
