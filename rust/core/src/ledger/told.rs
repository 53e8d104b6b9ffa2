//! How OpenAI's clients are told what is left of a limit: headers whose names their SDKs know.

/// Of one limit: how much there is, how much is left of it, and how long until all of it is there again.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    pub most: i64,
    pub left: i64,
    pub resets_ms: Option<u64>,
}

/// The headers `x-ratelimit-limit-`, `-remaining-` and `-reset-` of `requests` or `tokens`.
#[must_use]
pub fn openai_headers(kind: &str, told: Told) -> Vec<(String, String)> {
    let mut headers = vec![
        (format!("x-ratelimit-limit-{kind}"), told.most.to_string()),
        (format!("x-ratelimit-remaining-{kind}"), told.left.max(0).to_string()),
    ];
    headers.extend(told.resets_ms.map(|wait_ms| (format!("x-ratelimit-reset-{kind}"), duration(wait_ms))));
    headers
}

/// `6m0s`, `1.5s` or `17ms`.
fn duration(ms: u64) -> String {
    if ms < 1_000 {
        return format!("{ms}ms");
    }
    let (minutes, seconds, rest) = (ms / 60_000, ms / 1_000 % 60, ms % 1_000);
    let mut said = if minutes > 0 { format!("{minutes}m{seconds}") } else { seconds.to_string() };
    if rest > 0 {
        said.push_str(format!(".{rest:03}").trim_end_matches('0'));
    }
    said.push('s');
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_times_are_openai_s() {
        let told = Told { most: 10, left: -3, resets_ms: Some(61_500) };
        let said = openai_headers("requests", told);
        let said: Vec<(&str, &str)> =
            said.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let expected = [
            ("x-ratelimit-limit-requests", "10"),
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "1m1.5s"),
        ];
        assert_eq!(said, expected);
        assert_eq!(openai_headers("tokens", Told { resets_ms: None, ..told }).len(), 2);
    }

    #[test]
    fn durations_are_as_short_as_they_can_be() {
        let cases = [
            (0, "0ms"),
            (17, "17ms"),
            (999, "999ms"),
            (1_000, "1s"),
            (1_500, "1.5s"),
            (59_040, "59.04s"),
            (360_000, "6m0s"),
            (3_661_001, "61m1.001s"),
        ];
        for (ms, said) in cases {
            assert_eq!(duration(ms), said);
        }
    }
}
