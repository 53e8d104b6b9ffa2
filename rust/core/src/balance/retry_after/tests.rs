use proptest::{prop_assert, proptest};

use super::*;

/// Sun, 22 Nov 2026 10:00:00 GMT.
const NOW: f64 = 1_795_341_600.0;

fn headers(pairs: &[(&str, &str)]) -> Option<f64> {
    retry_after(pairs, b"", NOW).map(|wait| wait.as_secs_f64())
}

fn said(text: &str) -> Option<f64> {
    let none: [(&str, &str); 0] = [];
    retry_after(&none, text.as_bytes(), NOW).map(|wait| wait.as_secs_f64())
}

#[track_caller]
fn close(found: Option<f64>, expected: Option<f64>) {
    let near = match (found, expected) {
        (Some(found), Some(expected)) => (found - expected).abs() < 1e-6,
        (found, expected) => found == expected,
    };
    assert!(near, "{found:?}, not {expected:?}");
}

#[test]
fn every_form_of_retry_after() {
    let table = [
        ("7", Some(7.0)),
        ("7.5", Some(7.5)),
        (" 7 ", Some(7.0)),
        ("\"7\"", Some(7.0)),
        ("0", Some(0.0)),
        ("-1", Some(0.0)),
        ("1e9", Some(3600.0)),
        ("1000000000", Some(3600.0)),
        ("abc", None),
        ("", None),
        ("NaN", None),
        ("inf", None),
        ("-inf", None),
        ("1e999", None),
        ("7 dwarfs", None),
        ("30s", Some(30.0)),
        ("6m0s", Some(360.0)),
        // IMF-fixdate, RFC 850 and asctime: 30 s ahead, then past, then far.
        ("Sun, 22 Nov 2026 10:00:30 GMT", Some(30.0)),
        ("Sunday, 22-Nov-26 10:00:30 GMT", Some(30.0)),
        ("Sun Nov 22 10:00:30 2026", Some(30.0)),
        ("Wed, 21 Oct 2015 07:28:00 GMT", Some(0.0)),
        ("Wednesday, 21-Oct-15 07:28:00 GMT", Some(0.0)),
        ("Wed Oct  7 07:28:00 2015", Some(0.0)),
        ("Sun, 22 Nov 2026 23:00:00 GMT", Some(3600.0)),
        ("Sun, 99 Nov 2026 10:00:30 GMT", None),
        ("2026-11-22T10:00:30Z", Some(30.0)),
        ("2026-11-22T12:00:30.5+02:00", Some(30.5)),
        ("1795341630", Some(30.0)),
        ("1795341630.25", Some(30.25)),
        ("1795341630250", Some(30.25)),
        ("1795341000", Some(0.0)),
    ];
    for (value, expected) in table {
        close(headers(&[("Retry-After", value)]), expected);
    }
}

#[test]
fn milliseconds_come_first_and_what_is_invalid_gives_way() {
    close(headers(&[("retry-after", "7"), ("retry-after-ms", "6500")]), Some(6.5));
    close(headers(&[("retry-after-ms", "soon"), ("Retry-After", "7")]), Some(7.0));
    close(headers(&[("retry-after-ms", "-20")]), Some(0.0));
    close(headers(&[("retry-after", "abc"), ("x-ratelimit-reset-requests", "17ms")]), Some(0.017));
}

#[test]
fn of_two_the_longer_counts() {
    close(headers(&[("retry-after", "3"), ("Retry-After", "9"), ("retry-after", "x")]), Some(9.0));
}

#[test]
fn reset_times_of_rate_limits() {
    let table = [
        ("x-ratelimit-reset-requests", "6m0s", 360.0),
        ("x-ratelimit-reset-tokens", "17ms", 0.017),
        ("X-RateLimit-Reset-Tokens", "1h2m3.5s", 3600.0),
        ("x-ratelimit-reset-tokens", "1m26.4s", 86.4),
        ("x-ratelimit-reset-tokens", "59", 59.0),
        ("x-ratelimit-reset", "1795341630", 30.0),
        ("x-rate-limit-reset", "1795341630000", 30.0),
        ("ratelimit-reset", "12", 12.0),
        ("anthropic-ratelimit-tokens-reset", "2026-11-22T10:00:12Z", 12.0),
        ("anthropic-ratelimit-requests-reset", "2026-11-22T09:59:00Z", 0.0),
    ];
    for (name, value, expected) in table {
        close(headers(&[(name, value)]), Some(expected));
    }
    close(headers(&[("x-ratelimit-reset-requests", "later"), ("x-ratelimit-limit-requests", "5")]), None);
}

#[test]
fn the_limit_that_is_spent_counts() {
    let spent = [
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "40s"),
        ("x-ratelimit-remaining-tokens", "9000"),
        ("x-ratelimit-reset-tokens", "6m0s"),
    ];
    close(headers(&spent), Some(40.0));
    let both = [spent[0], spent[1], ("x-ratelimit-remaining-tokens", "0"), spent[3]];
    close(headers(&both), Some(360.0));
    close(headers(&[spent[1], spent[2], spent[3]]), Some(40.0));
}

#[test]
fn a_date_is_compared_with_the_answer_s_own_clock() {
    let skewed =
        [("date", "Sun, 22 Nov 2026 08:00:00 GMT"), ("retry-after", "Sun, 22 Nov 2026 08:00:20 GMT")];
    close(headers(&skewed), Some(20.0));
    close(headers(&[skewed[0], ("retry-after", "1795334420")]), Some(20.0));
    close(headers(&[("date", "nonsense"), ("retry-after", "Sun, 22 Nov 2026 10:00:20 GMT")]), Some(20.0));
    close(headers(&[skewed[0], ("retry-after", "20")]), Some(20.0));
}

#[test]
fn what_the_text_says() {
    let google = r#"[{"error":{"code":429,"message":"Quota exceeded.","status":"RESOURCE_EXHAUSTED","details":[
        {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"17s"}]}}]"#;
    let router = r#"{"error":{"code":429,"metadata":{"headers":{"X-RateLimit-Reset":"1795341630000"}}}}"#;
    let table = [
        (google, Some(17.0)),
        (r#"{\"retryDelay\": \"17.25s\"}"#, Some(17.25)),
        (router, Some(30.0)),
        ("Rate limit reached. Please try again in 5.289s. Visit ...", Some(5.289)),
        ("Please try again in 6m0s.", Some(360.0)),
        ("Please try again in 20ms", Some(0.02)),
        ("Try again in 1 minute, 30 seconds, or upgrade.", Some(90.0)),
        ("Please retry after 20 seconds.", Some(20.0)),
        ("please retry after 20.", Some(20.0)),
        ("Please retry in 17.341909535s.", Some(17.341_909_535)),
        ("Try again in 3 days", Some(3600.0)),
        ("please try again in a few minutes; or try again in 2 minutes", Some(120.0)),
        ("please try again later", None),
        ("retry after 20 attempts", None),
        ("retry after .s", None),
        ("", None),
    ];
    for (text, expected) in table {
        close(said(text), expected);
    }
}

#[test]
fn the_text_counts_more_than_reset_times_and_less_than_headers_that_say_so() {
    let text = b"try again in 5s";
    let reset = [("x-ratelimit-reset-tokens", "6m0s")];
    assert_eq!(retry_after(&reset, text, NOW), Some(Duration::from_secs(5)));
    let header = [("retry-after", "2")];
    assert_eq!(retry_after(&header, text, NOW), Some(Duration::from_secs(2)));
}

#[test]
fn only_the_start_of_a_body_is_read() {
    let text = [&b" ".repeat(16 * 1024)[..], b"try again in 5s"].concat();
    let none: [(&str, &str); 0] = [];
    assert_eq!(retry_after(&none, &text, NOW), None);
    assert_eq!(retry_after(&none, &text[100..], NOW), Some(Duration::from_secs(5)));
}

#[test]
fn a_clock_that_is_none_waits_not_at_all() {
    let date = [("retry-after", "2026-11-22T10:00:30Z")];
    assert_eq!(retry_after(&date, b"", f64::NAN), Some(Duration::ZERO));
}

proptest! {
    #[test]
    fn no_text_breaks_it_or_waits_longer_than_an_hour(
        value in r"[0-9a-zA-Z:,.+\- \u{e9}\u{b5}]{0,40}",
        name in "retry-after(-ms)?|x-ratelimit-(reset|remaining)(-tokens)?|date",
        body in "(try again in |retry after |retryDelay\": \")?.{0,60}",
    ) {
        let found = retry_after(&[(&name, &value), (&name, &value)], body.as_bytes(), NOW);
        prop_assert!(found.is_none_or(|wait| wait <= CAP));
    }
}
