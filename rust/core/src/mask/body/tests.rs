use crate::mask::{Action, Custom, Entities, Finder, Masker, Session};

fn masked(body: &str) -> (Session, Option<String>) {
    let masker =
        Masker::new(Finder::new(Entities::by_default(), 0.5, Custom::default()), Action::Mask, Vec::new());
    let mut session = Session::new(b"tenant", b"");
    let masked = session.mask_body(&masker, body.as_bytes());
    (session, masked.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

fn round(body: &str) -> String {
    let (session, masked) = masked(body);
    let Some(masked) = masked else { unreachable!("nothing was found in {body}") };
    assert_eq!(session.leak(masked.as_bytes()), None, "{masked}");
    assert!(serde_json::from_str::<serde_json::Value>(&masked).is_ok(), "{masked}");
    let shown = session.unmask_body(masked.as_bytes()).unwrap_or_default();
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    assert_eq!(read(&String::from_utf8_lossy(&shown)), read(body));
    masked
}

#[test]
fn strings_keys_and_long_numbers_are_hidden() {
    let masked = round(
        r#"{"model":"m","messages":[{"role":"user","name":"ann@example.com","content":"I am ann@example.com"}],"tools":[{"parameters":{"enum":["bob@example.com"]}}],"x":{"carol@example.com":1}}"#,
    );
    assert!(!masked.contains('@'), "{masked}");
    let (_, masked) =
        self::masked(r#"{"messages":[{"content":[{"card":4111111111111111}]}],"seed":4111111111111111}"#);
    let masked = masked.unwrap_or_default();
    assert!(
        masked.contains("{\"card\":\"CARD_") && masked.ends_with("\"seed\":4111111111111111}"),
        "{masked}"
    );
}

#[test]
fn json_in_a_string_is_read_as_json() {
    let body = r#"{"arguments":"{\"to\":\"ann@example.com\",\"text\":\"line\\nbob@example.com \\\"q\\\"\",\"n\":{\"deep\":\"[\\\"carol@example.com\\\"]\"}}"}"#;
    let masked = round(body);
    assert_eq!(masked.matches("EMAIL_").count(), 3, "{masked}");
    assert!(masked.contains("line\\\\nEMAIL_"), "{masked}");
}

#[test]
fn a_value_split_over_parts_is_hidden_in_each() {
    for body in [
        r#"{"content":[{"text":"my card is 4111 1111"},{"text":" 1111 1111, thanks"}]}"#,
        r#"{"messages":[{"content":"write to ann@exam"},{"content":"ple.com please"}]}"#,
        r#"{"messages":[{"content":"4111"},{"content":"1111"},{"content":"1111"},{"content":"1111"}]}"#,
    ] {
        let masked = round(body);
        assert!(!masked.contains("1111") && !masked.contains("ple.com"), "{masked}");
    }
}

#[test]
fn structure_stays() {
    let body = r#"{"model":"gpt","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,YW5uQGV4YW1wbGUuY29tIGFubkBleGFtcGxlLmNvbQ=="}}]}],"tool_call_id":"call_4111111111111111","temperature":0.123456789012}"#;
    assert_eq!(masked(body).1, None);
}

#[test]
fn a_value_that_stays_somewhere_is_a_leak() {
    let (session, masked) = masked(r#"{"id":"ann@example.com","content":"ann@example.com"}"#);
    let masked = masked.unwrap_or_default();
    assert!(session.leak(masked.as_bytes()).is_some(), "{masked}");
}

#[test]
fn what_an_earlier_body_gave_away_is_hidden_in_a_later_one() {
    let masker =
        Masker::new(Finder::new(Entities::by_default(), 0.5, Custom::default()), Action::Mask, Vec::new());
    let mut session = Session::new(b"tenant", b"");
    let first = session.mask_body(&masker, br#"{"text":"born on 3 May 1981, date of birth"}"#);
    assert!(first.is_some());
    let second = session.mask_body(&masker, br#"{"text":"and 3 May 1981 again"}"#);
    let second = String::from_utf8_lossy(&second.unwrap_or_default()).into_owned();
    assert!(second.contains("_") && !second.contains("1981"), "{second}");
}
