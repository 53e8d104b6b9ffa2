//! Finds dates, and those on which somebody was born.

use std::ops::Range;

use super::entity::Entity;
use super::find::Hits;
use super::text::{before, byte_at, has_word, is_word, slice};

const MONTHS: [&str; 24] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
];
const BIRTH: [&str; 16] = [
    "born",
    "birth",
    "dob",
    "d.o.b",
    "birthday",
    "birthdate",
    "geboren",
    "geburtsdatum",
    "geb.",
    "né le",
    "née le",
    "naissance",
    "nacido",
    "nacimiento",
    "nato il",
    "nascita",
];

/// What may follow a date and belong to it.
fn time(rest: &[u8]) -> usize {
    let digits = |at: usize| {
        slice(rest, at..rest.len()).iter().take(2).take_while(|byte| byte.is_ascii_digit()).count()
    };
    if !matches!(byte_at(rest, 0), b'T' | b't' | b' ')
        || digits(1) != 2
        || byte_at(rest, 3) != b':'
        || digits(4) != 2
    {
        return 0;
    }
    let mut at = 6;
    if byte_at(rest, at) == b':' && digits(at + 1) == 2 {
        at += 3;
        if matches!(byte_at(rest, at), b'.' | b',') {
            let fraction = slice(rest, at + 1..rest.len())
                .iter()
                .take(9)
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            at += if fraction > 0 { 1 + fraction } else { 0 };
        }
    }
    match byte_at(rest, at) {
        b'Z' | b'z' => at + 1,
        b'+' | b'-' if digits(at + 1) == 2 => {
            let minutes = if byte_at(rest, at + 3) == b':' { 3 } else { 2 };
            at + 3 + if digits(at + 1 + minutes) == 2 { minutes } else { 0 }
        }
        _ => at,
    }
}

/// The number at `at` and its length, up to four digits.
fn number(bytes: &[u8], at: usize) -> (u32, usize) {
    let digits = slice(bytes, at..bytes.len()).iter().take(5).take_while(|byte| byte.is_ascii_digit());
    digits.fold((0, 0), |(sum, length), digit| (sum * 10 + u32::from(digit - b'0'), length + 1))
}

fn is_year(value: u32) -> bool {
    (1900..2100).contains(&value)
}

/// Finds the date whose first digits are at `start`.
pub(super) fn by_digits(bytes: &[u8], start: usize, hits: &mut Hits) {
    let glued = start > 0 && (is_word(byte_at(bytes, start - 1)) || is_glue(bytes, start - 1));
    let (first, length) = number(bytes, start);
    if glued || length > 4 || length == 0 {
        return;
    }
    let after = start + length;
    let separator = byte_at(bytes, after);
    if let Some(end) = numeric(bytes, (first, length), after, separator) {
        let end = end + time(slice(bytes, end..bytes.len()));
        return add(bytes, start..end, 0.85, hits);
    }
    if let Some(end) = month_and_year(bytes, first, after) {
        return add(bytes, start..end, 0.8, hits);
    }
    let goes_on = is_word(separator) || is_glue(bytes, after) && byte_at(bytes, after + 1).is_ascii_digit();
    if length == 4 && is_year(first) && !goes_on && is_said_year(bytes, start..after) {
        add(bytes, start..after, 0.5, hits);
    }
}

/// Whether the words before a number of four digits make it a year: most such numbers are others.
fn is_said_year(bytes: &[u8], place: Range<usize>) -> bool {
    const BEFORE: usize = 60;
    const SAY: [&[u8]; 14] = [
        b"of", b"since", b"a", b"an", b"the", b"from", b"until", b"till", b"before", b"after", b"during",
        b"year", b"circa", b"anno",
    ];
    const HAPPENED: [&str; 16] = [
        "founded",
        "born",
        "established",
        "built",
        "died",
        "married",
        "released",
        "opened",
        "graduated",
        "started",
        "hired",
        "bought",
        "moved",
        "retired",
        "published",
        "created",
    ];
    let left = before(bytes, place.start, BEFORE);
    if place.start == 0 && place.end == bytes.len() {
        return true;
    }
    let spoken = left.trim_ascii_end();
    let word = spoken.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let word = slice(spoken, spoken.len() - word..spoken.len()).to_ascii_lowercase();
    left.ends_with(b" ") && (SAY.contains(&word.as_slice()) || word == b"in" && has_word(left, &HAPPENED))
}

fn is_glue(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).map_or(0, |before| byte_at(bytes, before));
    match byte_at(bytes, at) {
        b'$' | b'#' => true,
        b',' => before.is_ascii_digit(),
        b'.' | b'-' | b'/' | b':' | b'+' | b'%' => is_word(before),
        _ => false,
    }
}

/// `2021-05-21`, `21.05.2021`, `5/21/21`, `5-MAY-2021`, `5/2021`: where it ends.
fn numeric(bytes: &[u8], (first, length): (u32, usize), after: usize, separator: u8) -> Option<usize> {
    if !matches!(separator, b'-' | b'/' | b'.') {
        return None;
    }
    let next = after + 1;
    let (second, second_length) = match month_name(bytes, next) {
        Some((month, length)) => (month, length),
        None => number(bytes, next),
    };
    let middle = next + second_length;
    if second_length == 0 {
        return None;
    }
    if byte_at(bytes, middle) != separator {
        let short = length <= 2
            && (1..=12).contains(&first)
            && separator == b'/'
            && second_length == 4
            && is_year(second);
        return (short && !is_word(byte_at(bytes, middle))).then_some(middle);
    }
    let (third, third_length) = number(bytes, middle + 1);
    let end = middle + 1 + third_length;
    let day_and_month = |a: u32, b: u32| {
        (1..=31).contains(&a) && (1..=12).contains(&b) || (1..=12).contains(&a) && (1..=31).contains(&b)
    };
    let fits = match (length, third_length) {
        (4, 1 | 2) => is_year(first) && (1..=12).contains(&second) && (1..=31).contains(&third),
        (1 | 2, 4) => is_year(third) && day_and_month(first, second),
        (1 | 2, 2) => {
            separator != b'.' && day_and_month(first, second)
                || separator == b'.' && day_and_month(first, second) && length == 2
        }
        _ => false,
    };
    let goes_on = is_word(byte_at(bytes, end)) && !matches!(byte_at(bytes, end), b'T' | b't')
        || byte_at(bytes, end) == separator && byte_at(bytes, end + 1).is_ascii_digit();
    (fits && !goes_on).then_some(end)
}

/// The month whose name is at `at`, and the name's length.
fn month_name(bytes: &[u8], at: usize) -> Option<(u32, usize)> {
    let length =
        slice(bytes, at..bytes.len()).iter().take(10).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let name = slice(bytes, at..at + length);
    let index = MONTHS.iter().position(|month| name.eq_ignore_ascii_case(month.as_bytes()))?;
    Some((index as u32 % 12 + 1, length))
}

/// `21 May 2021`, `1st of May, 1977`: where it ends.
fn month_and_year(bytes: &[u8], day: u32, after: usize) -> Option<usize> {
    if !(1..=31).contains(&day) {
        return None;
    }
    let mut at = after + ordinal(bytes, after);
    at += slice(bytes, at..bytes.len()).iter().take(1).take_while(|byte| **byte == b' ').count();
    if slice(bytes, at..at + 3).eq_ignore_ascii_case(b"of ") {
        at += 3;
    }
    let (_, length) = month_name(bytes, at)?;
    Some(year_after(bytes, at + length).unwrap_or(at + length))
}

fn ordinal(bytes: &[u8], at: usize) -> usize {
    let known: [&[u8]; 4] = [b"st", b"nd", b"rd", b"th"];
    if known.iter().any(|word| slice(bytes, at..at + 2).eq_ignore_ascii_case(word)) { 2 } else { 0 }
}

/// Where a year ends that follows at `at`, after a space or a comma.
fn year_after(bytes: &[u8], at: usize) -> Option<usize> {
    let gap = slice(bytes, at..bytes.len())
        .iter()
        .take(2)
        .take_while(|byte| matches!(byte, b' ' | b',' | b'.'))
        .count();
    let (year, length) = number(bytes, at + gap);
    (gap > 0 && length == 4 && is_year(year) && !is_word(byte_at(bytes, at + gap + 4)))
        .then_some(at + gap + 4)
}

/// Finds `May 1st, 1977`, the day's digits being at `start`.
pub(super) fn by_month(bytes: &[u8], start: usize, hits: &mut Hits) {
    let left = before(bytes, start, 12);
    let gap = left.iter().rev().take(2).take_while(|byte| matches!(byte, b' ' | b'.')).count();
    let name =
        slice(left, 0..left.len() - gap).iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let from = start - gap - name;
    let (value, length) = number(bytes, start);
    if gap == 0 || month_name(bytes, from).is_none_or(|(_, length)| length != name) {
        return;
    }
    if length == 4 && is_year(value) {
        add(bytes, from..start + 4, 0.7, hits);
    } else if length <= 2 && (1..=31).contains(&value) {
        let day = start + length + ordinal(bytes, start + length);
        let end = year_after(bytes, day).unwrap_or(day);
        let score = if end > day { 0.85 } else { 0.6 };
        if !is_word(byte_at(bytes, end)) {
            add(bytes, from..end, score, hits);
        }
    }
}

fn add(bytes: &[u8], place: Range<usize>, score: f32, hits: &mut Hits) {
    const NEAR: usize = 32;
    let born = has_word(before(bytes, place.start, NEAR), &BIRTH);
    if born && place.len() > 4 {
        hits.add(Entity::BirthDate, "birth-date", place.clone(), 0.95);
    }
    hits.add(Entity::Date, "date", place, score);
}
