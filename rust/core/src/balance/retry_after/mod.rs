//! When a provider says that it may be asked again.
//!
//! In order of trust: `retry-after-ms`, `retry-after`, what the error's text says, and last the reset times
//! of rate limits, which tell when a whole window is free again and not when one more request is. Of several
//! reset times those of limits whose `remaining` is 0 count, and the latest of them; when none is marked as
//! spent, the earliest, since something is free then.
//!
//! Clocks differ: a date is compared with the answer's own `Date` where it has one. Nothing is waited for
//! longer than an hour, whatever was said; what has passed already is no wait; what cannot be understood is
//! no answer (and the caller backs off by itself).

use std::time::Duration;

mod body;
mod value;

#[cfg(test)]
mod tests;

/// The longest wait that a provider can ask for.
pub const CAP: Duration = Duration::from_secs(3600);

/// The wait that an answer asks for, of at most an hour.
///
/// `headers` are pairs of name and value in any case and order; `body` is the error's, as far as it was read;
/// `now_unix_s` is the local wall clock. Meant for answers that say *later* (429, 503, 529): the text of any
/// other may quote a user.
pub fn retry_after<N, V>(headers: &[(N, V)], body: &[u8], now_unix_s: f64) -> Option<Duration>
where
    N: AsRef<str>,
    V: AsRef<str>,
{
    let headers = || headers.iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
    let dated = headers().filter(|(name, _)| name.eq_ignore_ascii_case("date"));
    let now_s = dated.filter_map(|(_, value)| value::date_s(value)).next().unwrap_or(now_unix_s);
    let longest = |wanted: &str, read: &dyn Fn(&str) -> Option<f64>| {
        let named = headers().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        named.filter_map(|(_, value)| read(value)).reduce(f64::max)
    };
    longest("retry-after-ms", &|value| value::number(value).map(|ms| ms / 1e3))
        .or_else(|| longest("retry-after", &|value| value::wait_s(value, now_s)))
        .or_else(|| body::wait_s(body, now_s))
        .or_else(|| reset_s(headers, now_s))
        .map(capped)
}

/// Of all headers such as `x-ratelimit-reset-tokens` and `anthropic-ratelimit-requests-reset`.
fn reset_s<'a, I>(headers: impl Fn() -> I, now_s: f64) -> Option<f64>
where
    I: Iterator<Item = (&'a str, &'a str)>,
{
    let (mut spent, mut unspent): (Option<f64>, Option<f64>) = (None, None);
    for (name, value) in headers() {
        let name = name.to_ascii_lowercase();
        if !(name.contains("ratelimit") || name.contains("rate-limit")) || !name.contains("reset") {
            continue;
        }
        let Some(wait_s) = value::wait_s(value, now_s) else { continue };
        let remaining = name.replace("reset", "remaining");
        let is_spent = headers()
            .any(|(other, left)| other.eq_ignore_ascii_case(&remaining) && value::number(left) == Some(0.0));
        if is_spent {
            spent = Some(spent.unwrap_or(wait_s).max(wait_s));
        } else {
            unspent = Some(unspent.unwrap_or(wait_s).min(wait_s));
        }
    }
    spent.or(unspent)
}

fn capped(wait_s: f64) -> Duration {
    Duration::try_from_secs_f64(wait_s.clamp(0.0, CAP.as_secs_f64())).unwrap_or_default()
}
