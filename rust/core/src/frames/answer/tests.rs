//! Whole answers as providers send them.

use super::*;

mod error;
mod tap;
mod text;
mod usage;

const CHAT: &str = r#"{"id":"c1","object":"chat.completion","created":1,"model":"gpt-x-2026","error":null,"choices":[
    {"index":0,"message":{"role":"assistant","content":"Hi","refusal":null,"tool_calls":[
        {"id":"call_1","type":"function","function":{"name":"look","arguments":"{\"x\":\"\u00e9\"}"}}]},
     "logprobs":null,"finish_reason":"tool_calls"},
    {"index":1,"message":{"role":"assistant","reasoning_content":"hm","reasoning":"hm","content":null},"finish_reason":"stop"}],
    "usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,"completion_tokens_details":{"reasoning_tokens":2}}}"#;

#[test]
fn a_chat_answer() {
    let answer = read_answer(CHAT.as_bytes()).unwrap();
    let usage = Usage { input: 9, output: 5, reasoning: 2, total: Some(14), ..Usage::default() };
    assert_eq!(
        answer,
        Answer {
            usage: Some(usage),
            finish_reason: Some("tool_calls".to_owned()),
            model: Some("gpt-x-2026".to_owned()),
            choices: 2,
            ..Answer::default()
        }
    );
}

#[test]
fn text_is_kept_when_asked_for() {
    let text = |most| read_answer_text(CHAT.as_bytes(), most).unwrap().text;
    assert_eq!(text(1000), "Hilook{\"x\":\"é\"}hm");
    assert_eq!(text(3), "Hil");
    assert_eq!(text(13), "Hilook{\"x\":\"", "half of a character is not kept");
    assert_eq!(text(0), "");
}

#[test]
fn a_legacy_completion() {
    let body = br#"{"object":"text_completion","choices":[{"text":"one","index":0,"finish_reason":"length"}],"model":"m"}"#;
    let answer = read_answer_text(body, 10).unwrap();
    assert_eq!((answer.text.as_str(), answer.finish_reason.as_deref()), ("one", Some("length")));
    assert_eq!((answer.choices, answer.usage), (1, None));
}

#[test]
fn vectors_are_counted_and_measured() {
    let read = |data: &str| {
        let body =
            format!(r#"{{"object":"list","data":[{data}],"usage":{{"prompt_tokens":3,"total_tokens":3}}}}"#);
        let answer = read_answer(body.as_bytes()).unwrap();
        assert_eq!(answer.usage.unwrap().input, 3);
        (answer.vectors, answer.dimensions)
    };
    assert_eq!(read(""), (0, None));
    assert_eq!(read(r#"{"index":0,"embedding":[1,-2.5e-3]}"#), (1, Some(2)));
    assert_eq!(read(r#"{"embedding":[1,2]},{"embedding":[3,4]}"#), (2, Some(2)));
    assert_eq!(read(r#"{"embedding":[1,2]},{"embedding":[3]},{"embedding":[3]}"#), (3, None), "uneven");
    assert_eq!(read(r#"{"embedding":[1,null]}"#), (1, None), "no number");
    assert_eq!(read(r#"{"embedding":"AAAA"},{"embedding":null},{"url":"x"},5"#), (1, None), "base64");
}

#[test]
fn half_a_document_is_no_answer() {
    for cut in 0..CHAT.len() {
        let error = read_answer(&CHAT.as_bytes()[..cut]).unwrap_err();
        assert_eq!(error.code, "invalid_json", "cut at {cut}");
    }
    let codes = ["<html>502</html>", "", "OK", r#"{"data":[{"embedding":[NaN]}]}"#, "{}{}"]
        .map(|body| read_answer(body.as_bytes()).unwrap_err().code);
    assert_eq!(codes, ["invalid_json", "invalid_json", "invalid_json", "not_finite", "invalid_json"]);
}

#[test]
fn errors_in_disguise_are_found() {
    for body in [
        r#"{"error":{"message":"m","type":"server_error"}}"#,
        r#"{"error":"m","choices":[]}"#,
        r#"{"object":"error","message":"m","type":"BadRequestError","code":400}"#,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#,
        r#"{"success":false,"errors":[{"code":7,"message":"m"}],"result":null}"#,
        r#"{"base_resp":{"status_code":1002,"status_msg":"m"},"choices":null}"#,
        r#"{"detail":"m"}"#,
        r#"{"message":"m"}"#,
        r#"[{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}]"#,
        r#"{"id":"r","object":"response","status":"failed","error":{"code":"server_error","message":"m"},"output":[]}"#,
    ] {
        let error = read_answer(body.as_bytes()).unwrap().error;
        assert_eq!(error.map(|error| error.message).as_deref(), Some("m"), "{body}");
    }
}

#[test]
fn what_is_no_error_is_not_taken_for_one() {
    for body in [
        r#"{"error":null,"choices":[{"message":{"content":"error"}}]}"#,
        r#"{"error":"","choices":[]}"#,
        r#"{"error":{},"choices":[]}"#,
        r#"{"success":true,"errors":[],"messages":[],"result":{"x":1}}"#,
        r#"{"choices":[],"base_resp":{"status_code":0,"status_msg":""}}"#,
        r#"{"id":"c","message":{"role":"assistant","content":[{"type":"text","text":"x"}]}}"#,
        r#"{"id":"1","message":"x"}"#,
        r#"{"text":"a transcript","detail":"x"}"#,
        r#"{"object":"list","data":[]}"#,
        "5",
        "[]",
        "{}",
    ] {
        assert_eq!(read_answer(body.as_bytes()).unwrap().error, None, "{body}");
    }
}

#[test]
fn the_responses_dialect_counts_too() {
    let body = br#"{"id":"r","object":"response","status":"completed","model":"m","error":null,"output":[],
        "usage":{"input_tokens":20,"input_tokens_details":{"cached_tokens":8},"output_tokens":5,
        "output_tokens_details":{"reasoning_tokens":3},"total_tokens":25}}"#;
    let usage = read_answer(body).unwrap().usage.unwrap();
    assert_eq!((usage.input, usage.cached_input, usage.output, usage.reasoning), (20, 8, 5, 3));
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let body = [b"\xEF\xBB\xBF", CHAT.as_bytes()].concat();
    assert_eq!(read_answer(&body).unwrap(), read_answer(CHAT.as_bytes()).unwrap());
}
