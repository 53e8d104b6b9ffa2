//! Finds numbers that mean somebody: cards, accounts, registrations.
//!
//! Digits come in groups with a space, a stop or a dash between them, and the groups of two numbers may stand side by
//! side. So neighbouring groups make a chain, and every window of a chain is held to the table: its shape without
//! separators, its check digits, and only then the words around it.

mod checks;
mod table;

use std::ops::Range;
use std::sync::OnceLock;

use self::table::{IBAN, IBAN_LENGTHS, ROWS, Row};
use super::find::Hits;
use super::text::{before, byte_at, has_word, slice};

/// The most letters and digits of a number.
const LONGEST: usize = 34;
/// Of so many groups a window must begin or end with its chain: what is written digit by digit is written alone.
const MANY_GROUPS: usize = 8;
/// Letters alone belong to a chain up to this many.
const SHORT_WORD: usize = 6;
/// How far around a number words may stand that say what it is.
const WORDS_BEFORE: usize = 60;
const WORDS_AFTER: usize = 30;

/// A run of letters and digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub start: usize,
    pub end: usize,
    pub digits: usize,
}

impl Group {
    fn len(self) -> usize {
        self.end - self.start
    }

    pub fn is_number(self) -> bool {
        self.digits == self.len()
    }
}

/// The groups around a digit at `at`, and where to go on.
pub(super) fn chain(bytes: &[u8], at: usize, from: usize, groups: &mut Vec<Group>) -> usize {
    groups.clear();
    let start =
        at - slice(bytes, from..at).iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    if let Some(word) = word_before(bytes, start, from) {
        groups.push(word);
    }
    let mut next = Some(start);
    let mut end = at + 1;
    while let Some(start) = next {
        let group = group(bytes, start);
        if group.digits == 0 && group.len() > SHORT_WORD {
            break;
        }
        groups.push(group);
        end = group.end;
        next = after_gap(bytes, group.end);
    }
    while groups.last().is_some_and(|last| last.digits == 0 && last.len() > 2) {
        groups.pop();
    }
    end
}

fn group(bytes: &[u8], start: usize) -> Group {
    let rest = slice(bytes, start..bytes.len());
    let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let digits = slice(rest, 0..length).iter().filter(|byte| byte.is_ascii_digit()).count();
    Group { start, end: start + length, digits }
}

/// A few letters right before the first digits: a country, a prefix.
fn word_before(bytes: &[u8], start: usize, from: usize) -> Option<Group> {
    let gap = slice(bytes, from..start).iter().rev().take_while(|byte| is_separator(**byte)).count();
    if gap == 0 || gap > 1 {
        return None;
    }
    let end = start - gap;
    let letters =
        slice(bytes, from..end).iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    (1..=4).contains(&letters).then(|| group(bytes, end - letters)).filter(|group| group.digits == 0)
}

/// Where the next group begins, up to two separators on.
fn after_gap(bytes: &[u8], end: usize) -> Option<usize> {
    let gap = slice(bytes, end..bytes.len()).iter().take(3).take_while(|byte| is_separator(**byte)).count();
    let next = end + gap;
    ((1..=2).contains(&gap) && byte_at(bytes, next).is_ascii_alphanumeric()).then_some(next)
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'.' | b'-' | b'/' | b'(' | b')' | b'_' | b':' | b'\n' | b'+' | b'*' | b'|' | b',')
}

/// The rows by length, and of each length those that are digits alone.
fn by_length() -> &'static [Vec<(&'static Row, bool)>] {
    static TABLE: OnceLock<Vec<Vec<(&'static Row, bool)>>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = vec![Vec::new(); LONGEST + 1];
        for row in ROWS {
            if let Some(rows) = table.get_mut(row.pattern.len()) {
                rows.push((row, row.pattern.bytes().all(|sign| sign == b'9')));
            }
        }
        table
    })
}

/// Finds the numbers of a chain.
pub(super) fn find(bytes: &[u8], groups: &[Group], hits: &mut Hits) {
    let has_digits = |group: &Group| group.digits > 0;
    let (Some(begin), Some(end)) = (groups.iter().position(has_digits), groups.iter().rposition(has_digits))
    else {
        return;
    };
    let digits_at = begin..=end;
    for first in 0..groups.len() {
        let mut compact = Vec::with_capacity(LONGEST);
        let mut digits = 0;
        for last in first..groups.len() {
            let Some(group) = groups.get(last) else { break };
            if compact.len() + group.len() > LONGEST {
                break;
            }
            compact.extend(slice(bytes, group.start..group.end).to_ascii_uppercase());
            digits += group.digits;
            let many = last - first >= MANY_GROUPS && first > 1 && last + 2 < groups.len();
            if digits >= 5 && !many {
                let whole = first <= *digits_at.start() && last >= *digits_at.end();
                window(bytes, groups.get(first..=last).unwrap_or_default(), whole, &compact, hits);
            }
        }
    }
}

/// Holds a stretch of groups to the table; `whole`: no digits stand in the chain beside it.
fn window(bytes: &[u8], window: &[Group], whole: bool, compact: &[u8], hits: &mut Hits) {
    let (Some(first), Some(last)) = (window.first(), window.last()) else { return };
    let place = first.start..last.end;
    let numeric = window.iter().all(|group| group.is_number());
    for (row, row_is_numeric) in by_length().get(compact.len()).map_or(&[][..], Vec::as_slice) {
        if (numeric && *row_is_numeric || !*row_is_numeric && fits(compact, row.pattern))
            && (row.check)(compact)
        {
            let score = score(bytes, row, window, &place, whole);
            hits.add(row.entity, row.kind, place.clone(), score);
        }
    }
    if numeric && backwards_card(compact) {
        hits.add(super::entity::Entity::Card, "card", place.clone(), 0.7);
    }
    if is_iban(compact) {
        hits.add(IBAN.0, IBAN.1, place, 1.0);
    }
}

fn fits(compact: &[u8], pattern: &str) -> bool {
    compact.iter().zip(pattern.bytes()).all(|(byte, sign)| match sign {
        b'9' => byte.is_ascii_digit(),
        b'A' => byte.is_ascii_uppercase(),
        b'*' => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
        sign => byte.eq_ignore_ascii_case(&sign),
    })
}

fn is_iban(compact: &[u8]) -> bool {
    let [a @ b'A'..=b'Z', b @ b'A'..=b'Z', b'0'..=b'9', b'0'..=b'9', ..] = compact else { return false };
    let length = IBAN_LENGTHS.iter().find(|(country, _)| country == &&[*a, *b]).map(|(_, length)| *length);
    length == Some(compact.len()) && checks::iban(compact)
}

/// A card's number written from its end.
fn backwards_card(compact: &[u8]) -> bool {
    if !matches!(compact.len(), 15 | 16) {
        return false;
    }
    let reversed: Vec<u8> = compact.iter().rev().copied().collect();
    !checks::card(compact) && matches!(reversed.first(), Some(b'3'..=b'6')) && checks::card(&reversed)
}

fn score(bytes: &[u8], row: &Row, window: &[Group], place: &Range<usize>, whole: bool) -> f32 {
    let as_usual = !row.groups.is_empty()
        && window.len() == row.groups.len()
        && window.iter().zip(row.groups).all(|(group, usual)| group.len() == *usual)
        && same_separators(bytes, window);
    let dashed = window.len() == 1
        || byte_at(bytes, place.start + window.first().map_or(0, |group| group.len())) != b' ';
    let spaced_out = if dashed || row.groups.len() > 3 { 0.0 } else { 0.3 };
    let mut score = if as_usual { (row.grouped - spaced_out).max(row.alone) } else { row.alone };
    if window.len() > 1 && !whole && !as_usual {
        score -= 0.3;
    }
    if score < 0.95 && !row.words.is_empty() && is_said(bytes, place, row.words) {
        score = (score + 0.35).max(0.8);
    }
    score
}

fn same_separators(bytes: &[u8], window: &[Group]) -> bool {
    let mut gaps = window.windows(2).filter_map(|pair| match pair {
        [a, b] => Some(slice(bytes, a.end..b.start)),
        _ => None,
    });
    let first = gaps.next();
    gaps.all(|gap| Some(gap) == first || gap == b"-" || gap == b"/")
}

/// Whether one of the words stands near.
pub(super) fn is_said(bytes: &[u8], place: &Range<usize>, words: &[&str]) -> bool {
    let after = slice(bytes, place.end..bytes.len().min(place.end + WORDS_AFTER));
    has_word(before(bytes, place.start, WORDS_BEFORE), words) || has_word(after, words)
}
