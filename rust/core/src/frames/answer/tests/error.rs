//! Errors in every shape.

use super::super::*;

/// Body, status, kind, code, message.
const SHAPES: [(&str, Option<u16>, &str, &str, &str); 23] = [
    (
        r#"{"error":{"message":"m","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
        Some(404),
        "invalid_request_error",
        "model_not_found",
        "m",
    ),
    (
        r#"{"error":{"message":"m","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
        Some(429),
        "insufficient_quota",
        "insufficient_quota",
        "m",
    ),
    (
        r#"{"error":{"message":"m","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
        Some(429),
        "tokens",
        "rate_limit_exceeded",
        "m",
    ),
    (
        r#"{"error":{"message":"m","type":"server_error","param":null,"code":null}}"#,
        Some(500),
        "server_error",
        "",
        "m",
    ),
    (
        r#"{"error":{"code":429,"message":"m","metadata":{"raw":"r","provider_name":"p"}},"user_id":"u"}"#,
        Some(429),
        "",
        "429",
        "m",
    ),
    (
        r#"{"type":"error","error":{"type":"overloaded_error","message":"m"},"request_id":"q"}"#,
        Some(503),
        "overloaded_error",
        "",
        "m",
    ),
    (
        r#"{"error":{"code":503,"message":"m","status":"UNAVAILABLE","details":[{"@type":"x","message":"other"}]}}"#,
        Some(503),
        "UNAVAILABLE",
        "503",
        "m",
    ),
    (
        r#"[{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}]"#,
        Some(400),
        "INVALID_ARGUMENT",
        "400",
        "m",
    ),
    (r#"{"message":"m"}"#, None, "", "", "m"),
    (r#"{"id":"x","message":"m"}"#, None, "", "", "m"),
    (
        r#"{"object":"error","message":"m","type":"invalid_request_error","param":null,"code":"1500"}"#,
        Some(400),
        "invalid_request_error",
        "1500",
        "m",
    ),
    (
        r#"{"object":"error","message":"m","type":"BadRequestError","param":null,"code":400}"#,
        Some(400),
        "BadRequestError",
        "400",
        "m",
    ),
    (r#"{"detail":"m"}"#, None, "", "", "m"),
    (
        r#"{"detail":[{"loc":["body","x"],"msg":"m","type":"value_error"},{"msg":"second"}]}"#,
        None,
        "value_error",
        "",
        "m",
    ),
    (r#"{"error":"m"}"#, None, "", "", "m"),
    (r#"{"code":"invalid-argument","error":"m"}"#, Some(400), "", "invalid-argument", "m"),
    (r#"{"code":"The caller lacks permission","error":"m"}"#, None, "", "The caller lacks permission", "m"),
    (
        r#"{"success":false,"errors":[{"code":10000,"message":"m"},{"code":1,"message":"second"}],"result":null}"#,
        None,
        "",
        "10000",
        "m",
    ),
    (r#"{"base_resp":{"status_code":1002,"status_msg":"m"}}"#, Some(429), "", "1002", "m"),
    (r#"{"base_resp":{"status_code":1004,"status_msg":"m"}}"#, Some(401), "", "1004", "m"),
    (
        r#"{"type":"error","code":"rate_limit_exceeded","message":"m","param":null,"sequence_number":1}"#,
        Some(429),
        "",
        "rate_limit_exceeded",
        "m",
    ),
    (
        r#"{"type":"response.failed","response":{"id":"r","error":{"code":"server_error","message":"m"}}}"#,
        Some(500),
        "",
        "server_error",
        "m",
    ),
    (r#"{"status":529,"error":{"message":"m","type":"x"}}"#, Some(529), "x", "", "m"),
];

#[test]
fn every_shape_is_read() {
    for (body, status, kind, code, message) in SHAPES {
        let expected =
            AnswerError { status, kind: kind.to_owned(), code: code.to_owned(), message: message.to_owned() };
        assert_eq!(read_error(body.as_bytes()), Some(expected), "{body}");
    }
}

#[test]
fn what_is_no_error_is_none() {
    for body in [
        "",
        "<html><body>502 Bad Gateway</body></html>",
        "Internal Server Error",
        "null",
        "5",
        "[]",
        "{}",
        r#"{"error":null}"#,
        r#"{"error":""}"#,
        r#"{"error":false}"#,
        r#"{"errors":[]}"#,
        r#"{"base_resp":{"status_code":0,"status_msg":"success"}}"#,
        r#"{"error":{"message":"cut"#,
        r#"{"object":"list"}"#,
    ] {
        assert_eq!(read_error(body.as_bytes()), None, "{body}");
    }
}

#[test]
fn a_status_is_only_what_http_calls_an_error() {
    for (code, status) in [
        ("200", None),
        ("399", None),
        ("400", Some(400)),
        ("599", Some(599)),
        ("600", None),
        ("-429", None),
        ("429.0", None),
        ("1e999", None),
    ] {
        let body = format!(r#"{{"error":{{"message":"m","code":{code}}}}}"#);
        assert_eq!(read_error(body.as_bytes()).unwrap().status, status, "{code}");
    }
}

#[test]
fn long_words_are_clipped() {
    let body = format!(r#"{{"error":{{"message":"{0}","type":"{0}","code":"{0}"}}}}"#, "é".repeat(10_000));
    let error = read_error(body.as_bytes()).unwrap();
    assert_eq!((error.message.len(), error.kind.len(), error.code.len()), (2048, 2048, 2048));
}
