//! Usage in every shape, and in shapes that should not be.

use super::super::*;

fn read(usage: &str) -> Option<Usage> {
    read_answer(format!(r#"{{"choices":[],"usage":{usage}}}"#).as_bytes()).unwrap().usage
}

/// Input, output, cached, written, reasoning, audio in, audio out.
type Counts = (u64, u64, u64, u64, u64, u64, u64);

const SHAPES: [(&str, &str, Counts); 12] = [
    (
        "openai",
        r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,
            "prompt_tokens_details":{"cached_tokens":40,"cache_write_tokens":10,"audio_tokens":5,"text_tokens":9},
            "completion_tokens_details":{"reasoning_tokens":30,"audio_tokens":6,"accepted_prediction_tokens":1}}"#,
        (100, 50, 40, 10, 30, 5, 6),
    ),
    (
        "deepseek",
        r#"{"prompt_tokens":100,"completion_tokens":5,"total_tokens":105,
            "prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36}"#,
        (100, 5, 64, 0, 0, 0, 0),
    ),
    (
        "mistral",
        r#"{"prompt_tokens":100,"completion_tokens":5,"num_cached_tokens":64,"prompt_token_details":{"cached_tokens":64}}"#,
        (100, 5, 64, 0, 0, 0, 0),
    ),
    ("together", r#"{"prompt_tokens":100,"completion_tokens":5,"cached_tokens":7}"#, (100, 5, 7, 0, 0, 0, 0)),
    (
        "older xai",
        r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":35,"completion_tokens_details":{"reasoning_tokens":20}}"#,
        (10, 25, 0, 0, 20, 0, 0),
    ),
    (
        "xai",
        r#"{"prompt_tokens":10,"completion_tokens":25,"total_tokens":35,"completion_tokens_details":{"reasoning_tokens":20}}"#,
        (10, 25, 0, 0, 20, 0, 0),
    ),
    (
        "anthropic",
        r#"{"input_tokens":10,"cache_read_input_tokens":100,"cache_creation_input_tokens":30,"output_tokens":5}"#,
        (140, 5, 100, 30, 0, 0, 0),
    ),
    (
        "transcription",
        r#"{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":4,"audio_tokens":10},"output_tokens":45,"total_tokens":59}"#,
        (14, 45, 0, 0, 0, 10, 0),
    ),
    ("embeddings", r#"{"prompt_tokens":8,"total_tokens":8}"#, (8, 0, 0, 0, 0, 0, 0)),
    ("voyage", r#"{"total_tokens":8}"#, (8, 0, 0, 0, 0, 0, 0)),
    (
        "cohere",
        r#"{"billed_units":{"input_tokens":3,"output_tokens":2},"tokens":{"input_tokens":70,"output_tokens":4},"cached_tokens":64}"#,
        (70, 4, 64, 0, 0, 0, 0),
    ),
    (
        "cohere, the other way about",
        r#"{"tokens":{"input_tokens":70,"output_tokens":4},"billed_units":{"input_tokens":3,"output_tokens":2}}"#,
        (70, 4, 0, 0, 0, 0, 0),
    ),
];

#[test]
fn every_shape_is_made_one() {
    for (name, report, expected) in SHAPES {
        let usage = read(report).unwrap();
        let parts =
            (usage.cached_input, usage.cache_write, usage.reasoning, usage.audio_input, usage.audio_output);
        let (cached, written, reasoning, audio_in, audio_out) = parts;
        let counts = (usage.input, usage.output, cached, written, reasoning, audio_in, audio_out);
        assert_eq!((counts, usage.suspect), (expected, false), "{name}");
    }
}

#[test]
fn no_count_is_no_usage() {
    for report in [
        "null",
        "{}",
        "[]",
        "5",
        r#""x""#,
        r#"{"type":"duration","seconds":3.5}"#,
        r#"{"prompt_tokens":null}"#,
    ] {
        assert_eq!(read(report), None, "{report}");
    }
}

#[test]
fn odd_counts_are_bent_into_range() {
    const MOST: u64 = i64::MAX as u64;
    let table = [
        ("7", 7, false),
        ("7.0", 7, false),
        ("\"7\"", 7, false),
        ("7e2", 700, false),
        ("-5", 0, true),
        ("7.5", 7, true),
        ("9223372036854775807", MOST, false),
        ("9223372036854775808", MOST, true),
        ("18446744073709551616", MOST, true),
        ("1e999", MOST, true),
        ("-1e999", 0, true),
        ("\"many\"", 0, true),
    ];
    for (written, count, suspect) in table {
        let usage = read(&format!(r#"{{"prompt_tokens":{written},"completion_tokens":1}}"#)).unwrap();
        assert_eq!((usage.input, usage.suspect), (count, suspect), "{written}");
    }
}

#[test]
fn sums_saturate_and_parts_stay_within_their_whole() {
    let usage = read(
        r#"{"input_tokens":9223372036854775807,"cache_read_input_tokens":9223372036854775807,
            "cache_creation_input_tokens":9223372036854775807,"output_tokens":9223372036854775807,
            "reasoning_tokens":9223372036854775807,"total_tokens":9223372036854775807}"#,
    )
    .unwrap();
    assert!(usage.input <= i64::MAX as u64 && usage.output <= i64::MAX as u64);
    assert!(usage.cached_input + usage.cache_write <= usage.input && usage.reasoning <= usage.output);
    let usage = read(
        r#"{"prompt_tokens":5,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":9,"cache_write_tokens":9,"audio_tokens":9},
            "completion_tokens_details":{"reasoning_tokens":9,"audio_tokens":9}}"#,
    )
    .unwrap();
    let parts =
        (usage.cached_input, usage.cache_write, usage.audio_input, usage.reasoning, usage.audio_output);
    assert_eq!(parts, (5, 0, 5, 5, 5));
    assert!(!usage.suspect, "the wholes are sound");
}

#[test]
fn usage_is_found_where_providers_put_it() {
    for body in [
        r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#,
        r#"{"choices":[{"index":0,"delta":{},"usage":{"prompt_tokens":5,"completion_tokens":2}}]}"#,
        r#"{"choices":[],"usage":null,"x_groq":{"id":"r","usage":{"prompt_tokens":5,"completion_tokens":2}}}"#,
        r#"{"type":"response.completed","response":{"usage":{"input_tokens":5,"output_tokens":2}}}"#,
    ] {
        let usage = read_answer(body.as_bytes()).unwrap().usage;
        assert_eq!(usage, Some(Usage { input: 5, output: 2, ..Usage::default() }), "{body}");
    }
}

#[test]
fn the_last_report_counts_but_silence_does_not_erase() {
    let first = Usage { input: 10, cached_input: 4, output: 1, ..Usage::default() };
    let last = Usage { output: 7, reasoning: 2, total: Some(17), ..Usage::default() };
    assert_eq!(first.then(last), Usage { input: 10, cached_input: 4, ..last });
    let lower = Usage { input: 8, output: 6, ..Usage::default() };
    assert_eq!(first.then(lower), lower);
}
