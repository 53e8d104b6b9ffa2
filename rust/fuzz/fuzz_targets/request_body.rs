//! What is taken is JSON to others as well, and edits mean what they say.

#![no_main]

use dragoman_core::body::{Edits, read};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const MAX_DEPTH: usize = 100;

fuzz_target!(|body: &[u8]| {
    let Ok(request) = read(body, MAX_DEPTH) else { return };
    let document = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let value: Value = serde_json::from_slice(document).expect("what is taken is JSON");
    assert_eq!(value["model"].as_str(), request.model.as_deref());
    assert_eq!(value["stream"].as_bool().unwrap_or(false), request.stream);
    assert_eq!(request.rewrite(body, &Edits::default()), document);

    let edits = Edits { model: Some("m\"\n"), ask_usage: true, remove: &["a", "stream"] };
    let out = request.rewrite(body, &edits);
    let again = read(&out, MAX_DEPTH + 1).expect("an edited body can be read");
    assert!(again.include_usage && !again.stream);
    assert_eq!(again.model.as_deref(), edits.model);
    let edited: Value = serde_json::from_slice(&out).expect("an edited body is JSON");
    for (name, member) in value.as_object().expect("it is an object") {
        if !["model", "stream", "stream_options", "a"].contains(&name.as_str()) {
            assert_eq!(&edited[name], member);
            let raw = request.field(body, name);
            assert_eq!(raw, again.field(&out, name));
            assert_eq!(
                &serde_json::from_slice::<Value>(raw.expect("it is there")).expect("it is JSON"),
                member
            );
        }
    }
});
