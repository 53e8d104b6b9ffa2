//! Answers and streams as providers send them.

use super::*;

fn tap_all(tap: &mut Tap, events: &[&str]) -> Vec<Seen> {
    events.iter().map(|event| tap.see(event.as_bytes(), None)).collect()
}

#[test]
fn a_stream_is_summed_up() {
    let mut tap = Tap::new(true, 1000);
    let seen = tap_all(
        &mut tap,
        &[
            r#"{"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#,
            r#"{"model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}],"usage":null}"#,
            r#"{"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
            r#"{"model":"m","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14}}"#,
            "[DONE]",
        ],
    );
    let without = |text: &str| text.replace(r#","usage":null"#, "").into_bytes();
    assert_eq!(
        seen,
        [
            Seen::Replace {
                data: without(
                    r#"{"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#
                ),
                has_content: false
            },
            Seen::Replace {
                data: without(
                    r#"{"model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}"#
                ),
                has_content: true
            },
            Seen::Forward,
            Seen::Drop,
            Seen::Done,
        ]
    );
    let summary = tap.summary();
    assert_eq!(summary.text, "Hi");
    assert_eq!(summary.usage, Some(Usage { input: 9, output: 5, total: Some(14), ..Usage::default() }));
    assert_eq!(summary.finish_reasons, [Some("stop".to_owned())]);
    assert_eq!((summary.choices_open, summary.content_events, summary.done), (0, 1, true));
}
