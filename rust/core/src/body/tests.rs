//! Requests as clients send them.

use super::*;

const MAX_DEPTH: usize = 128;

fn code(body: &[u8]) -> (&'static str, String) {
    let error = read(body, MAX_DEPTH).unwrap_err();
    (error.code, error.path)
}

#[test]
fn fields_are_read() {
    let body = br#" {"model":"\u006d","stream":true,"stream_options":{"include_usage":false},"max_tokens":5,
        "max_completion_tokens":7,"n":2,"user":"u","messages":[{"role":"user","content":"x"}]}"#;
    let request = read(body, MAX_DEPTH).unwrap();
    assert_eq!(request.model.as_deref(), Some("m"));
    assert!(request.stream && !request.include_usage);
    assert_eq!((request.max_tokens, request.n), (Some(7), Some(2)));
    assert_eq!(request.end_user.as_deref(), Some("u"));
    assert_eq!(request.field(body, "messages"), Some(&br#"[{"role":"user","content":"x"}]"#[..]));
    assert_eq!(request.field(body, "absent"), None);
}

#[test]
fn faults_have_codes_and_paths() {
    assert_eq!(code(br#"{"a":{"b":1,"\u0062":2}}"#), ("duplicate_key", "a.b".to_owned()));
    assert_eq!(code(br#"{"a":[1,{"b":1e999}]}"#), ("not_finite", "a[1].b".to_owned()));
    assert_eq!(code(br#"{"max_tokens":-1}"#), ("invalid_value", "max_tokens".to_owned()));
    assert_eq!(code("[".repeat(1_000_000).as_bytes()).0, "too_deep");
    assert_eq!(code(b"[]").0, "not_an_object");
}

#[test]
fn edits_change_nothing_else() {
    let body = br#"{ "a" : 1.0 , "model" : "x" , "stream_options" : { "z" : 1 } , "b" : 2 }"#;
    let request = read(body, MAX_DEPTH).unwrap();
    assert_eq!(request.rewrite(body, &Edits::default()), body);
    let edits = Edits { model: Some("y\"é"), ask_usage: true, remove: &["a", "b"] };
    let expected = r#"{ "model" : "y\"é" , "stream_options" : {"include_usage":true, "z" : 1 } }"#;
    assert_eq!(String::from_utf8(request.rewrite(body, &edits)).unwrap(), expected);
}
