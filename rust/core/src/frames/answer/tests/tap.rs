//! Streams, event by event.

use super::super::*;

fn see(tap: &mut Tap, events: &[&str]) -> Vec<Seen> {
    events.iter().map(|event| tap.see(event.as_bytes(), None)).collect()
}

fn see_one(event: &str) -> Seen {
    Tap::new(false, 0).see(event.as_bytes(), None)
}

fn delta(delta: &str) -> String {
    format!(r#"{{"model":"m","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#)
}

const USAGE: &str =
    r#"{"model":"m","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14}}"#;
const STOP: &str = r#"{"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

#[test]
fn a_stream_is_summed_up() {
    let mut tap = Tap::new(false, 1000);
    let (first, second) = (delta(r#"{"role":"assistant","content":""}"#), delta(r#"{"content":"Hi"}"#));
    let seen = see(&mut tap, &[&first, &second, STOP, USAGE, "[DONE]"]);
    assert_eq!(seen, [Seen::Forward, Seen::Content, Seen::Forward, Seen::Forward, Seen::Done]);
    let usage = Usage { input: 9, output: 5, total: Some(14), ..Usage::default() };
    assert_eq!(
        *tap.summary(),
        Summary {
            usage: Some(usage),
            finish_reasons: vec![Some("stop".to_owned())],
            model: Some("m".to_owned()),
            content_events: 1,
            text: "Hi".to_owned(),
            generated_bytes: 2,
            done: true,
            ..Summary::default()
        }
    );
}

#[test]
fn content_is_what_a_client_can_use() {
    for yes in [
        r#"{"content":"x"}"#,
        r#"{"content":" "}"#,
        r#"{"refusal":"no"}"#,
        r#"{"reasoning_content":"hm"}"#,
        r#"{"reasoning":"hm"}"#,
        r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"t","arguments":""}}]}"#,
        r#"{"function_call":{"name":"t","arguments":""}}"#,
        r#"{"audio":{"data":"AAAA"}}"#,
        r#"{"content":[{"type":"text","text":"x"}]}"#,
    ] {
        assert_eq!(see_one(&delta(yes)), Seen::Content, "{yes}");
    }
    for no in [
        "{}",
        "null",
        r#"{"role":"assistant"}"#,
        r#"{"role":"assistant","content":"","refusal":null,"tool_calls":[],"reasoning":null,"audio":{ }}"#,
        r#"{"content":null,"function_call":null}"#,
        r#"{"content":[]}"#,
    ] {
        assert_eq!(see_one(&delta(no)), Seen::Forward, "{no}");
    }
    assert_eq!(see_one(r#"{"choices":[{"text":"x","index":0}]}"#), Seen::Content);
    assert_eq!(see_one(r#"{"choices":[{"text":"","index":0}]}"#), Seen::Forward);
    assert_eq!(see_one(r#"{"type":"response.output_text.delta","delta":"x"}"#), Seen::Content);
}

#[test]
fn usage_that_nobody_asked_for_is_hidden() {
    let hidden = [
        (r#"{"choices":[{"index":0,"delta":{}}],"usage":null}"#, r#"{"choices":[{"index":0,"delta":{}}]}"#),
        (r#"{"usage":null,"choices":[{"index":0}]}"#, r#"{"choices":[{"index":0}]}"#),
        (r#"{ "usage" : null , "choices":[{"index":0}] }"#, r#"{ "choices":[{"index":0}] }"#),
        (r#"{"id":"a" , "usage" : {"prompt_tokens":1} , "choices":[{}]}"#, r#"{"id":"a" , "choices":[{}]}"#),
        (r#"{"\u0075sage":null}"#, "{}"),
        (
            r#"{"choices":[],"prompt_filter_results":[1],"usage":null}"#,
            r#"{"choices":[],"prompt_filter_results":[1]}"#,
        ),
        (r#"{"choices":[],"usage":{"cost":1}}"#, r#"{"choices":[]}"#),
    ];
    for (event, expected) in hidden {
        let seen = Tap::new(true, 0).see(event.as_bytes(), None);
        let Seen::Replace { data, has_content } = seen else { panic!("{event}: {seen:?}") };
        assert_eq!((String::from_utf8(data).unwrap().as_str(), has_content), (expected, false), "{event}");
        assert_eq!(see_one(event), Seen::Forward, "a client that asked gets it as it is: {event}");
    }
    let with_content = r#"{"choices":[{"index":0,"delta":{"content":"x"}}],"usage":{"prompt_tokens":1}}"#;
    let seen = Tap::new(true, 0).see(with_content.as_bytes(), None);
    assert!(matches!(seen, Seen::Replace { has_content: true, .. }));
    assert_eq!(Tap::new(true, 0).see(USAGE.as_bytes(), None), Seen::Drop);
    let elsewhere = r#"{"choices":[],"x_groq":{"usage":{"prompt_tokens":1}}}"#;
    assert_eq!(
        Tap::new(true, 0).see(elsewhere.as_bytes(), None),
        Seen::Forward,
        "Groq's own is not ours to hide"
    );
}

#[test]
fn hidden_usage_is_counted_all_the_same() {
    let mut tap = Tap::new(true, 0);
    tap.see(USAGE.as_bytes(), None);
    assert_eq!(tap.summary().usage.unwrap().input, 9);
}

#[test]
fn choices_are_told_apart() {
    let mut tap = Tap::new(false, 100);
    let event = |index: u64, text: &str, reason: &str| {
        format!(
            r#"{{"choices":[{{"index":{index},"delta":{{"content":"{text}"}},"finish_reason":{reason}}}]}}"#
        )
    };
    for (index, text, reason) in [(0, "a", "null"), (2, "b", "null"), (0, "c", "\"stop\""), (2, "d", "\"\"")]
    {
        tap.see(event(index, text, reason).as_bytes(), None);
    }
    let summary = tap.summary();
    assert_eq!(summary.finish_reasons, [Some("stop".to_owned()), None], "an empty reason is none");
    assert_eq!((summary.choices_open, summary.text.as_str()), (1, "abcd"));
    tap.see(event(0, "late", "null").as_bytes(), None);
    tap.see(event(2, "", "\"new_reason\"").as_bytes(), None);
    tap.see(event(2, "", "\"length\"").as_bytes(), None);
    assert_eq!(tap.summary().finish_reasons, [Some("stop".to_owned()), Some("length".to_owned())]);
    assert_eq!(tap.summary().choices_open, 0);
}

#[test]
fn no_index_makes_the_summary_grow_without_end() {
    let mut tap = Tap::new(false, 0);
    for index in 0..5000 {
        tap.see(format!(r#"{{"choices":[{{"index":{index}}}]}}"#).as_bytes(), None);
    }
    for odd in ["-1", "1e99", "1.5", "\"0\"", "null", "18446744073709551616"] {
        tap.see(format!(r#"{{"choices":[{{"index":{odd}}}]}}"#).as_bytes(), None);
    }
    assert_eq!((tap.summary().choices_open, tap.summary().malformed), (1024, 0));
}

#[test]
fn errors_in_a_stream_are_errors() {
    for event in [
        r#"{"error":{"message":"m","type":"server_error"}}"#,
        r#"{"error":"m"}"#,
        r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":502,"message":"m"}}"#,
        r#"{"type":"error","message":"m"}"#,
        r#"{"type":"response.failed","response":{"error":{"message":"m"}}}"#,
        r#"{"x_groq":{"error":"m"}}"#,
    ] {
        let seen = see_one(event);
        assert!(matches!(&seen, Seen::Error(error) if error.message == "m"), "{event}: {seen:?}");
    }
    let named = |data: &str| Tap::new(false, 0).see(data.as_bytes(), Some("error"));
    assert!(
        matches!(named(r#"{"error":{"message":"m","type":"overloaded_error"}}"#), Seen::Error(error) if error.status == Some(503))
    );
    assert!(matches!(named(r#"{"odd":1}"#), Seen::Error(error) if error.message == r#"{"odd":1}"#));
    assert!(matches!(named("gone"), Seen::Error(error) if error.message == "gone"));
    assert_eq!(see_one(r#"{"error":null,"choices":[]}"#), Seen::Forward);
}

#[test]
fn what_is_unknown_or_broken_passes() {
    let mut tap = Tap::new(true, 100);
    let unknown = r#"{"type":"thread.run.created","choices":"x","usage_v2":{},"model":5,"delta":{"a":1}}"#;
    assert_eq!(tap.see(unknown.as_bytes(), Some("odd")), Seen::Forward);
    assert_eq!(tap.summary().malformed, 0);
    for broken in ["<html>", "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}", "NaN"] {
        assert_eq!(tap.see(broken.as_bytes(), None), Seen::Forward, "{broken}");
    }
    assert_eq!(tap.see(b"", None), Seen::Forward, "a heartbeat");
    let summary = tap.summary();
    assert_eq!(
        (summary.malformed, summary.text.as_str(), summary.choices_open),
        (3, "", 0),
        "half an event leaves no trace"
    );
}

#[test]
fn text_is_joined_over_events_and_bounded() {
    let mut tap = Tap::new(false, 8);
    for piece in [r"\ud83d", r"\ude00", "ab", "é"] {
        assert_eq!(tap.see(delta(&format!(r#"{{"content":"{piece}"}}"#)).as_bytes(), None), Seen::Content);
    }
    assert_eq!((tap.summary().text.as_str(), tap.summary().text_truncated), ("😀abé", false));
    tap.see(delta(r#"{"content":"x"}"#).as_bytes(), None);
    assert_eq!((tap.summary().text.as_str(), tap.summary().text_truncated), ("😀abé", true));
    assert_eq!(tap.summary().content_events, 5);
}

#[test]
fn text_counts_everything_generated_once() {
    let mut tap = Tap::new(false, 100);
    tap.see(
        delta(r#"{"reasoning":"hm","reasoning_content":"hm","reasoning_details":[{"text":"hm"}]}"#)
            .as_bytes(),
        None,
    );
    tap.see(delta(r#"{"tool_calls":[{"index":0,"id":"no","type":"function","function":{"name":"t","arguments":"{}"}}]}"#).as_bytes(), None);
    tap.see(delta(r#"{"audio":{"data":"no","transcript":"yes"},"refusal":"never","content":[{"type":"text","text":"!"}]}"#).as_bytes(), None);
    assert_eq!(tap.summary().text, "hmt{}yesnever!");
    let both = r#"{"choices":[{"text":"?","message":{"content":"all so far"},"delta":{"content":"?"}}]}"#;
    assert_eq!(tap.see(both.as_bytes(), None), Seen::Content);
    assert_eq!(tap.summary().text, "hmt{}yesnever!?");
}

#[test]
fn done_is_said_in_either_dialect() {
    assert_eq!(see_one("[DONE]"), Seen::Done);
    assert_eq!(see_one(" [DONE] "), Seen::Done);
    let mut tap = Tap::new(false, 0);
    tap.see(br#"{"type":"response.completed","response":{"model":"m","usage":{"input_tokens":5,"output_tokens":2}}}"#, None);
    assert!(tap.summary().done);
    assert_eq!((tap.summary().model.as_deref(), tap.summary().usage.unwrap().output), (Some("m"), 2));
}

#[test]
fn all_that_was_generated_is_measured_also_what_is_not_kept() {
    let mut tap = Tap::new(false, 4);
    for event in [
        r#"{"choices":[{"index":0,"delta":{"content":"abcdef"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"reasoning":"\u00e9"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    ] {
        tap.see(event.as_bytes(), None);
    }
    let summary = tap.summary();
    assert_eq!((summary.text.as_str(), summary.generated_bytes), ("abcd", 12));
}
