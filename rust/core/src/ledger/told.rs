//! How OpenAI's clients are told how long it is until a limit is whole again.

/// `6m0s`, `1.5s` or `17ms`, as the headers `x-ratelimit-reset-` have it.
#[must_use]
pub fn duration(ms: u64) -> String {
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
