use super::*;

fn compact(json: &str, omit: &[&str]) -> String {
    let mut text = String::new();
    read(json.as_bytes()).unwrap().write_compact(omit, &mut text);
    text
}

#[test]
fn values_are_written_without_white_space() {
    let json = r#" { "b" : [ 1 , -2.50 , true , null , "x\u00e9\n\"\u0001" ] , "a" : { } } "#;
    assert_eq!(compact(json, &[]), "{\"b\":[1,-2.50,true,null,\"xé\\n\\\"\\u0001\"],\"a\":{}}");
}

#[test]
fn members_are_left_out_but_not_properties_of_that_name() {
    let json = r#"{"required":["a"],"properties":{"required":{"type":"string","required":[]}},"items":[{"required":1}]}"#;
    assert_eq!(compact(json, &["required"]), r#"{"properties":{"required":{"type":"string"}},"items":[{}]}"#);
}

#[test]
fn members_are_found_and_null_is_none() {
    let value = read(br#"{"a":1,"n":null,"t":"x","a":"last","l":[1,2]}"#).unwrap();
    assert!(value.get("a").unwrap().is("last"));
    assert!(value.get("n").is_none() && value.get("missing").is_none());
    assert_eq!(value.list("l").len(), 2);
    assert!(value.list("t").is_empty() && value.items().is_empty());
}

#[test]
fn what_is_no_json_is_refused() {
    for json in ["", "{", "[1,]", "{\"a\":1}x", "nul", "\"\u{1}\""] {
        assert!(read(json.as_bytes()).is_err(), "{json}");
    }
    let deep = "[".repeat(100_000);
    assert!(read(deep.as_bytes()).is_err());
}

#[test]
fn members_of_a_request_stay_as_they_were_written() {
    let request = Request::read(br#"{"a": [1, 2], "n": null, "e": [ ], "a": {"x": 1}}"#).unwrap();
    assert_eq!(request.raw("a"), br#"{"x": 1}"#);
    assert!(request.raw("n").is_empty() && request.raw("e").is_empty() && request.raw("z").is_empty());
    assert!(request.has_list("e") && !request.has_list("n"));
    assert!(matches!(request.value("n"), Ok(Value::Null)));
    assert!(request.value("a").unwrap().get("x").is_some());
    assert!(Request::read(b"[]").unwrap().raw("a").is_empty());
    assert!(Request::read(b"{\"a\":1} x").is_err());
}
