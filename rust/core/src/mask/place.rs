//! Finds places on the globe given as degrees.

use std::ops::Range;

use super::entity::Entity;
use super::find::Hits;
use super::text::{before, byte_at, has_word, is_word, slice};

/// A decimal number at the start: its value's whole part, how many decimals, its length.
fn decimal(bytes: &[u8]) -> Option<(u32, usize, usize)> {
    let sign = usize::from(matches!(byte_at(bytes, 0), b'-' | b'+'));
    let whole =
        slice(bytes, sign..bytes.len()).iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    let value =
        slice(bytes, sign..sign + whole).iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    let point = sign + whole;
    let decimals =
        slice(bytes, point + 1..bytes.len()).iter().take(16).take_while(|byte| byte.is_ascii_digit()).count();
    ((1..=3).contains(&whole) && byte_at(bytes, point) == b'.' && decimals > 0).then_some((
        value,
        decimals,
        point + 1 + decimals,
    ))
}

/// Finds latitude and longitude, the first's digits being at `start`.
pub(super) fn find(bytes: &[u8], start: usize, hits: &mut Hits) {
    let signed = start > 0 && matches!(byte_at(bytes, start - 1), b'-' | b'+');
    let from = start - usize::from(signed);
    if from > 0 && (is_word(byte_at(bytes, from - 1)) || byte_at(bytes, from - 1) == b'.') {
        return;
    }
    let Some((latitude, decimals, length)) = decimal(slice(bytes, from..bytes.len())) else { return };
    let mut at = from + length + marks(bytes, from + length);
    let gap = slice(bytes, at..bytes.len())
        .iter()
        .take(16)
        .take_while(|byte| !byte.is_ascii_digit() && !matches!(byte, b'-' | b'+'))
        .count();
    let between = slice(bytes, at..at + gap);
    let joined = gap > 0
        && (between.iter().all(|byte| matches!(byte, b',' | b' ' | b';' | b'/'))
            || has_word(between, &["lon", "lng", "longitude"]));
    at += gap;
    let Some((longitude, more, second)) = decimal(slice(bytes, at..bytes.len())) else { return };
    let end = at + second + marks(bytes, at + second);
    if !joined || latitude > 90 || longitude > 180 || is_word(byte_at(bytes, end)) {
        return;
    }
    let said = has_word(
        before(bytes, from, 40),
        &["lat", "gps", "coordinates", "location", "coords", "position", "geo"],
    );
    let score = match decimals.min(more) {
        4.. => 0.8,
        2.. if said => 0.7,
        _ => 0.2,
    };
    let place: Range<usize> = from..end;
    hits.add(Entity::Gps, "gps", place, score);
}

/// `°`, `N` and the like behind a number.
fn marks(bytes: &[u8], at: usize) -> usize {
    let rest = slice(bytes, at..bytes.len());
    let degree = if rest.starts_with("°".as_bytes()) { 2 } else { 0 };
    let space = usize::from(degree > 0 && byte_at(rest, degree) == b' ');
    match byte_at(rest, degree + space) {
        b'N' | b'S' | b'E' | b'W' if !is_word(byte_at(rest, degree + space + 1)) => degree + space + 1,
        _ => degree,
    }
}
