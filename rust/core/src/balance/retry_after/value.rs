//! One header's value, in any of the ways in which providers write a wait.

use jiff::Timestamp;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;

/// July 2017. No provider asks for a wait of forty years; what is above is a date.
const EPOCH_S: f64 = 1.5e9;
const EPOCH_MS: f64 = 1.5e12;
/// The obsolete forms of an HTTP date that RFC 9110 still requires to be read: RFC 850's and asctime's.
const OBSOLETE_DATES: [&str; 2] = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// Seconds from `now_s` on: a number of seconds, a Unix time in seconds or milliseconds, a duration, or a
/// date.
pub fn wait_s(value: &str, now_s: f64) -> Option<f64> {
    let value = value.trim().trim_matches('"').trim();
    if let Some(number) = number(value) {
        return Some(match number {
            ms if ms >= EPOCH_MS => ms / 1e3 - now_s,
            seconds if seconds >= EPOCH_S => seconds - now_s,
            seconds => seconds,
        });
    }
    match duration(value) {
        Some((seconds, "")) => Some(seconds),
        _ => date_s(value).map(|date| date - now_s),
    }
}

/// A finite decimal number.
pub fn number(value: &str) -> Option<f64> {
    value.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// A date of RFC 9110 (all three forms) or RFC 3339, as Unix time.
pub fn date_s(value: &str) -> Option<f64> {
    let value = value.trim();
    let http = || rfc2822::parse(value).ok().map(|date| date.timestamp());
    let obsolete = |format: &&str| {
        let date = strtime::parse(format, value).ok()?.to_datetime().ok()?;
        TimeZone::UTC.to_timestamp(date).ok()
    };
    let timestamp: Option<Timestamp> = value.parse().ok();
    let date = timestamp.or_else(http).or_else(|| OBSOLETE_DATES.iter().find_map(obsolete))?;
    Some(date.as_millisecond() as f64 / 1e3)
}

/// A run of numbers with units from the start of `text`, such as `1h2m3.5s`, `17ms` or `1 minute, 30
/// seconds`, and what follows it. At least one number must have a unit.
pub fn duration(text: &str) -> Option<(f64, &str)> {
    let (mut total, mut rest, mut found) = (0.0, text, false);
    loop {
        let next = rest.trim_start_matches([' ', ',']);
        let (digits, after) = split_while(next, |symbol| symbol.is_ascii_digit() || symbol == '.');
        let (unit, after) = split_while(after.trim_start(), char::is_alphabetic);
        let Some(part) = number(digits).zip(unit_s(unit)).map(|(count, unit)| count * unit) else {
            return found.then_some((total, rest));
        };
        (total, rest, found) = (total + part, after, true);
    }
}

fn split_while(text: &str, keep: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|symbol| !keep(symbol)).unwrap_or(text.len()))
}

fn unit_s(unit: &str) -> Option<f64> {
    match unit.to_ascii_lowercase().as_str() {
        "d" | "day" | "days" => Some(86_400.0),
        "h" | "hr" | "hrs" | "hour" | "hours" => Some(3600.0),
        "m" | "min" | "mins" | "minute" | "minutes" => Some(60.0),
        "s" | "sec" | "secs" | "second" | "seconds" => Some(1.0),
        "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => Some(1e-3),
        "us" | "\u{b5}s" | "microsecond" | "microseconds" => Some(1e-6),
        "ns" | "nanosecond" | "nanoseconds" => Some(1e-9),
        _ => None,
    }
}
