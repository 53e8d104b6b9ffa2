//! What the text of an error says about a wait.
//!
//! The text is searched and not parsed: errors come as objects, as arrays of them, cut off, inside a stream's
//! event, or from a proxy that knows no JSON, and the words are the same in all of these.

use super::value;

/// More than any error that is meant to be read.
const MOST_BYTES: usize = 16 * 1024;
/// The field of `google.rpc.RetryInfo`.
const FIELD: &str = "retrydelay";
const PHRASES: [&str; 4] = ["try again in ", "try again after ", "retry in ", "retry after "];
/// A header that OpenRouter repeats in its error's metadata.
const REPEATED_HEADER: &str = "x-ratelimit-reset";

pub fn wait_s(body: &[u8], now_s: f64) -> Option<f64> {
    let start = body.get(..MOST_BYTES).unwrap_or(body);
    let text = String::from_utf8_lossy(start).to_ascii_lowercase();
    let field = || after(&text, FIELD).find_map(|rest| value::duration(unquoted(rest)).map(|(wait, _)| wait));
    let phrase = |phrase: &&'static str| after(&text, phrase).find_map(duration_or_seconds);
    let header = || {
        after(&text, REPEATED_HEADER).find_map(|rest| {
            let rest = unquoted(rest);
            let end = rest.find(['"', '\\', ',', '}']).unwrap_or(rest.len());
            value::wait_s(rest.get(..end)?, now_s)
        })
    };
    field().or_else(|| PHRASES.iter().find_map(phrase)).or_else(header)
}

/// What follows each occurrence of `words`.
fn after<'a>(text: &'a str, words: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(words).filter_map(move |(start, _)| text.get(start + words.len()..))
}

/// Without the punctuation between a field's name and its value, escaped or not.
fn unquoted(text: &str) -> &str {
    text.trim_start_matches(['"', '\\', ':', ' ', '\n', '\t'])
}

/// A duration, or a number that ends without a unit: seconds.
fn duration_or_seconds(text: &str) -> Option<f64> {
    if let Some((seconds, _)) = value::duration(text) {
        return Some(seconds);
    }
    let end = text.find(|symbol: char| !symbol.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let ends = !rest.trim_start().starts_with(char::is_alphabetic);
    value::number(digits).filter(|_| ends)
}
