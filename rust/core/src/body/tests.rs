//! Requests as clients send them, and as they should not.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

const MAX_DEPTH: usize = 128;

fn sound(body: &[u8]) -> RequestBody {
    read(body, MAX_DEPTH).unwrap()
}

fn fault(body: impl AsRef<[u8]>) -> (&'static str, String) {
    let error = read(body.as_ref(), MAX_DEPTH).unwrap_err();
    (error.code, error.path)
}

fn rewritten(body: &str, edits: &Edits<'_>) -> String {
    String::from_utf8(sound(body.as_bytes()).rewrite(body.as_bytes(), edits)).unwrap()
}

#[test]
fn fields_are_read() {
    let body = br#" {"model":"\u006d\ud83d\ude00","stream":true,"stream_options":{"include_usage":true},
        "max_tokens":5,"max_completion_tokens":7,"n":2,"safety_identifier":"s","user":"u","messages":[ 1 ]}
        "#;
    let request = sound(body);
    assert_eq!(request.model.as_deref(), Some("m😀"));
    assert!(request.stream && request.include_usage);
    assert_eq!((request.max_tokens, request.n), (Some(7), Some(2)));
    assert_eq!(request.end_user.as_deref(), Some("u"));
    assert_eq!(request.field(body, "messages"), Some(&b"[ 1 ]"[..]));
    assert_eq!(request.field(body, "absent"), None);
}

#[test]
fn what_is_absent_or_null_is_default() {
    let null = br#"{"model":null,"stream":null,"stream_options":null,"max_tokens":null,
        "max_completion_tokens":null,"n":null,"user":null,"safety_identifier":null}"#;
    for body in [&b"{}"[..], null, br#"{"stream":false,"stream_options":{"include_usage":null}}"#] {
        let request = sound(body);
        let scalars = (request.model, request.max_tokens, request.n, request.end_user);
        assert_eq!(scalars, (None, None, None, None));
        assert!(!request.stream && !request.include_usage);
    }
    let older = sound(br#"{"max_completion_tokens":null,"max_tokens":5,"safety_identifier":"s"}"#);
    assert_eq!((older.max_tokens, older.end_user.as_deref()), (Some(5), Some("s")));
}

#[test]
fn a_wrong_value_is_named() {
    for (field, values) in [
        ("model", &["5", "true", "[]", "{}"][..]),
        ("stream", &["1", "\"true\"", "[]"]),
        ("stream_options", &["true", "[]", "\"x\""]),
        ("max_tokens", &["-1", "-0", "1e9", "5.0", "\"5\"", "true", "[]", "18446744073709551616"]),
        ("max_completion_tokens", &["-1", "5.5", "\"5\""]),
        ("n", &["0", "-1", "1.0", "\"2\"", "false"]),
        ("user", &["5", "{}"]),
        ("safety_identifier", &["5"]),
    ] {
        for value in values {
            let body = format!(r#"{{"x":1,"{field}":{value}}}"#);
            assert_eq!(fault(&body), ("invalid_value", field.to_owned()), "{body}");
            assert_eq!(read(body.as_bytes(), MAX_DEPTH).unwrap_err().offset, body.len() - value.len() - 1);
        }
    }
    let nested = fault(r#"{"stream_options":{"include_usage":1}}"#);
    assert_eq!(nested, ("invalid_value", "stream_options.include_usage".to_owned()));
    assert_eq!(sound(br#"{"max_tokens":18446744073709551615}"#).max_tokens, Some(u64::MAX));
    assert_eq!(sound(br#"{"max_tokens":0}"#).max_tokens, Some(0));
}

#[test]
fn depth_has_a_limit() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert!(read(nested(128).as_bytes(), 128).is_ok());
    assert_eq!(fault(nested(129)).0, "too_deep");
    assert_eq!(fault("[".repeat(1_000_000)).0, "too_deep");
    assert_eq!(fault("{\"a\":".repeat(1_000_000)).0, "too_deep");
    assert!(read(nested(100_000).as_bytes(), usize::MAX).is_ok(), "no recursion, so no stack to overflow");
}

#[test]
fn encodings_other_than_utf8_are_refused() {
    let text = r#"{"model":"m","x":"é"}"#;
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16_big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let utf32: Vec<u8> = text.chars().flat_map(|character| u32::from(character).to_le_bytes()).collect();
    let utf32_big: Vec<u8> = text.chars().flat_map(|character| u32::from(character).to_be_bytes()).collect();
    let marked = [b"\xFF\xFE".as_slice(), &utf16].concat();
    let marked_big = [b"\xFE\xFF".as_slice(), &utf16_big].concat();
    for body in [utf16, utf16_big, utf32, utf32_big, marked, marked_big, b"{\"x\":\"\xE9\"}".to_vec()] {
        assert_eq!(fault(body).0, "invalid_encoding");
    }
    for body in
        [r#"{"x":"\ud800"}"#, r#"{"x":"\ude00\ud83d"}"#, r#"{"\ud800":1}"#, r#"{"x":["\ud83d\u0041"]}"#]
    {
        assert_eq!(fault(body).0, "invalid_encoding", "{body}");
    }
    let overlong = read(b"{\"x\":\"\xC0\x80\"}", MAX_DEPTH).unwrap_err();
    assert_eq!((overlong.code, overlong.offset), ("invalid_encoding", 6));
}

#[test]
fn a_nul_may_not_be_in_a_name() {
    assert_eq!(fault(r#"{"model":"a\u0000"}"#), ("invalid_encoding", "model".to_owned()));
    assert_eq!(fault(r#"{"user":"\u0000"}"#), ("invalid_encoding", "user".to_owned()));
    assert_eq!(fault(r#"{"a\u0000":1}"#).0, "invalid_encoding");
    assert_eq!(fault("{\"model\":\"a\0\"}").0, "invalid_json");
    assert!(read(br#"{"messages":["\u0000"]}"#, MAX_DEPTH).is_ok(), "content is not ours to judge");
}

#[test]
fn a_byte_order_mark_is_passed_over_and_dropped() {
    let body = "\u{feff}{\"model\":\"m\"}";
    assert_eq!(sound(body.as_bytes()).model.as_deref(), Some("m"));
    assert_eq!(rewritten(body, &Edits::default()), "{\"model\":\"m\"}");
    assert_eq!(fault("\u{feff}\u{feff}{}").0, "invalid_json");
}

#[test]
fn a_key_may_stand_once_in_an_object() {
    let table = [
        (r#"{"a":1,"a":1}"#, "a"),
        (r#"{"messages":[],"x":1,"messages":[]}"#, "messages"),
        (r#"{"model":"a","\u006dodel":"b"}"#, "model"),
        (r#"{"a":[{},{"b":{"c":1,"c":2}}]}"#, "a[1].b.c"),
        (r#"{"":1,"":2}"#, ""),
        (r#"{"\ud83d\ude00":1,"😀":2}"#, "😀"),
    ];
    for (body, path) in table {
        assert_eq!(fault(body), ("duplicate_key", path.to_owned()), "{body}");
    }
    assert!(read(br#"{"a":{"a":{"a":[{"a":1},{"a":1}]}},"A":1,"a ":1}"#, MAX_DEPTH).is_ok());
}

#[test]
fn numbers_are_finite_and_otherwise_untouched() {
    for number in ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", &"9".repeat(400)] {
        assert_eq!(fault(format!("{{\"seed\":{number}}}")), ("not_finite", "seed".to_owned()), "{number}");
    }
    for number in ["-0", "9007199254740993", "1E400".replace('E', "e-").as_str(), &"9".repeat(300)] {
        let body = format!("{{\"seed\":{number}}}");
        assert_eq!(sound(body.as_bytes()).field(body.as_bytes(), "seed"), Some(number.as_bytes()));
        assert_eq!(rewritten(&body, &Edits { remove: &["x"], ..Edits::default() }), body);
    }
}

#[test]
fn other_documents_are_no_objects() {
    for body in ["[]", "5", "\"x\"", "null", "[{}]"] {
        assert_eq!(fault(body).0, "not_an_object", "{body}");
    }
    for body in ["", " ", "{", "{}}", "{} x", "hello", "{'a':1}", "{\"a\":1,}", "\u{a0}{}"] {
        assert_eq!(fault(body).0, "invalid_json", "{body:?}");
    }
}

#[test]
fn large_bodies_are_read_like_small_ones() {
    let members: Vec<String> = (0..100_000).map(|index| format!("\"key{index}\":1")).collect();
    let body = format!("{{\"model\":\"m\",{}}}", members.join(","));
    assert_eq!(sound(body.as_bytes()).model.as_deref(), Some("m"));
    let twin = format!("{},\"key777\":1}}", &body[..body.len() - 1]);
    assert_eq!(fault(&twin), ("duplicate_key", "key777".to_owned()));
    let number = format!("{{\"x\":0.{}}}", "1".repeat(10 << 20));
    assert!(read(number.as_bytes(), MAX_DEPTH).is_ok());
    let text = format!("{{\"x\":\"{}\"}}", "\\n1".repeat(3 << 20));
    assert!(read(text.as_bytes(), MAX_DEPTH).is_ok());
}

#[test]
fn a_path_is_bounded() {
    let body = format!("{{\"{}\":{{\"{}\":x}}}}", "é".repeat(500), "b".repeat(500));
    let path = fault(body).1;
    assert!(path.len() < 300 && path.ends_with('…'), "{path}");
}

#[test]
fn an_error_says_where() {
    let error = read(br#"{"a":[1,2}"#, MAX_DEPTH).unwrap_err();
    assert_eq!(error.to_string(), "a[1]: a comma or the end of the object or array is expected (at byte 9)");
    let error = read(b"[]", MAX_DEPTH).unwrap_err();
    assert_eq!(error.to_string(), "the body must be a JSON object (at byte 0)");
}

#[test]
fn edits_change_nothing_else() {
    let body = r#"{ "a" : 1.0 , "model" : "x" , "stream_options" : { "z" : 1 } , "b" : 2 }"#;
    assert_eq!(rewritten(body, &Edits::default()), body);
    let edits = Edits { model: Some("y\"\\\n é"), ask_usage: true, remove: &["a", "b"] };
    let expected = r#"{ "model" : "y\"\\\u000a é" , "stream_options" : {"include_usage":true, "z" : 1 } }"#;
    assert_eq!(rewritten(body, &edits), expected);
}

#[test]
fn usage_is_asked_for_wherever_the_options_are() {
    let ask = Edits { ask_usage: true, ..Edits::default() };
    for (body, expected) in [
        ("{}", r#"{"stream_options":{"include_usage":true}}"#),
        (" { } ", r#" {"stream_options":{"include_usage":true} } "#),
        (r#"{"a":1}"#, r#"{"a":1,"stream_options":{"include_usage":true}}"#),
        (r#"{"stream_options":null}"#, r#"{"stream_options":{"include_usage":true}}"#),
        (r#"{"stream_options":{ }}"#, r#"{"stream_options":{"include_usage":true }}"#),
        (
            r#"{"stream_options": {"include_usage" : false } }"#,
            r#"{"stream_options": {"include_usage" : true } }"#,
        ),
        (
            r#"{"stream_options":{"include_usage":null,"o":1}}"#,
            r#"{"stream_options":{"include_usage":true,"o":1}}"#,
        ),
        (
            r#"{"stream_options":{"o":{"include_usage":false}}}"#,
            r#"{"stream_options":{"include_usage":true,"o":{"include_usage":false}}}"#,
        ),
        (
            r#"{"stream\u005foptions":{"\u0069nclude_usage":false}}"#,
            r#"{"stream\u005foptions":{"\u0069nclude_usage":true}}"#,
        ),
        (r#"{"stream_options":{"include_usage":true}}"#, r#"{"stream_options":{"include_usage":true}}"#),
    ] {
        assert_eq!(rewritten(body, &ask), expected, "{body}");
    }
}

#[test]
fn what_is_removed_takes_one_comma_with_it() {
    let without = |remove| rewritten(r#"{"a":1 , "b":2, "c":3}"#, &Edits { remove, ..Edits::default() });
    assert_eq!(without(&["a"]), r#"{"b":2, "c":3}"#);
    assert_eq!(without(&["b"]), r#"{"a":1, "c":3}"#);
    assert_eq!(without(&["c"]), r#"{"a":1 , "b":2}"#);
    assert_eq!(without(&["a", "b", "c", "d"]), "{}");
    let edits = Edits { model: Some("m"), ask_usage: true, remove: &["model", "stream_options"] };
    let body = r#"{"model":"x","stream_options":{"o":1}}"#;
    assert_eq!(rewritten(body, &edits), r#"{"model":"m","stream_options":{"include_usage":true}}"#);
}

/// What an edited body must mean, member by member.
fn edited(mut body: Json, edits: &Edits<'_>) -> Json {
    let members = body.as_object_mut().unwrap();
    for name in edits.remove {
        members.remove(*name);
    }
    if let Some(model) = edits.model {
        members.insert("model".to_owned(), json!(model));
    }
    if edits.ask_usage {
        let options = members.entry("stream_options").or_insert(Json::Null);
        if options.is_null() {
            *options = json!({});
        }
        options["include_usage"] = json!(true);
    }
    body
}

fn body() -> impl Strategy<Value = String> {
    let member = prop_oneof![
        any::<String>().prop_map(|model| ("model", json!(model.replace('\0', "")))),
        prop::sample::select(vec![
            ("stream_options", json!({})),
            ("stream_options", json!(null)),
            ("stream_options", json!({"include_usage": false, "other": [1]})),
            ("stream_options", json!({"other": {"include_usage": 1}})),
            ("stream", json!(true)),
            ("n", json!(1)),
            ("a", json!([{"model": 1}, "é\n"])),
            ("b", json!({})),
            ("c", json!(-1.5)),
        ]),
    ];
    (prop::collection::vec(member, 0..6), prop::sample::select(vec!["", " ", "\n\t"])).prop_map(
        |(members, space)| {
            let mut seen = std::collections::HashSet::new();
            let members: Vec<String> = members
                .into_iter()
                .filter(|(name, _)| seen.insert(*name))
                .map(|(name, value)| format!("{space}\"{name}\"{space}:{space}{value}{space}"))
                .collect();
            format!("{space}{{{space}{}}}{space}", members.join(","))
        },
    )
}

proptest! {
    #[test]
    fn edits_mean_what_they_say(
        body in body(),
        model in prop::option::of("[a-z\"\\\\\u{1}é]{0,5}"),
        ask_usage in any::<bool>(),
        remove in prop::sample::subsequence(vec!["model", "stream_options", "a", "b", "c", "absent"], 0..6),
    ) {
        let edits = Edits { model: model.as_deref(), ask_usage, remove: &remove };
        let request = sound(body.as_bytes());
        prop_assert_eq!(request.rewrite(body.as_bytes(), &Edits::default()), body.as_bytes());
        let out = request.rewrite(body.as_bytes(), &edits);
        let again = sound(&out);
        let meant = edited(serde_json::from_str(&body).unwrap(), &edits);
        prop_assert_eq!(serde_json::from_slice::<Json>(&out).unwrap(), meant);
        prop_assert_eq!(again.include_usage, ask_usage || (request.include_usage && !remove.contains(&"stream_options")));
        prop_assert_eq!(again.rewrite(&out, &Edits { remove: &[], ..edits }), out, "to edit twice is to edit once");
    }
}
