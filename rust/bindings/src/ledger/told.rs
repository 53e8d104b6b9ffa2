//! What is left of limits, in the headers that OpenAI's clients know.

use dragoman_core::ledger::duration;

use super::Left;

/// What is left of requests and of tokens, each of the limit that has the least left.
#[derive(Clone, Copy, Default)]
pub struct Lefts {
    pub requests: Option<Left>,
    pub tokens: Option<Left>,
}

impl Lefts {
    /// The headers `x-ratelimit-limit-`, `-remaining-` and `-reset-`, of requests and of tokens.
    pub fn headers(self) -> Vec<(&'static str, String)> {
        let mut headers = Vec::with_capacity(6);
        let names =
            ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"];
        add(&mut headers, self.requests, names);
        let names = ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];
        add(&mut headers, self.tokens, names);
        headers
    }
}

fn add(
    headers: &mut Vec<(&'static str, String)>,
    left: Option<Left>,
    [limit, remaining, reset]: [&'static str; 3],
) {
    let Some((most, left, resets_s)) = left else { return };
    headers.push((limit, most.to_string()));
    headers.push((remaining, left.max(0).to_string()));
    if let Some(seconds) = resets_s {
        headers.push((reset, duration(millis(seconds))));
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast stops at the ends")]
fn millis(seconds: f64) -> u64 {
    (seconds * 1e3).round() as u64
}
