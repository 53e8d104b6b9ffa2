//! Finds addresses of houses: a number and what is called a street, in the order that is usual somewhere; a box at a
//! post office; a suite. What stands around it - house, floor, town, postcode - is the address's as well.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::OnceLock;

use super::entity::Entity;
use super::find::Hits;
use super::spelt::{Kind, Spelt, words};
use super::text::{byte_at, is_letter_or_digit, slice};

#[cfg(test)]
mod tests;

/// Words that end a street's name.
const STREETS: [&str; 42] = [
    "street",
    "st",
    "road",
    "rd",
    "avenue",
    "ave",
    "lane",
    "ln",
    "drive",
    "dr",
    "boulevard",
    "blvd",
    "court",
    "ct",
    "place",
    "pl",
    "square",
    "sq",
    "terrace",
    "close",
    "crescent",
    "cres",
    "way",
    "parkway",
    "pkwy",
    "highway",
    "hwy",
    "circle",
    "cir",
    "trail",
    "alley",
    "gardens",
    "grove",
    "row",
    "mews",
    "quay",
    "utca",
    "ut",
    "ter",
    "tér",
    "str",
    "tee",
];
/// Those that are streets in small letters as well: "a 3 hour drive" goes on none.
const SURELY: [&str; 9] = ["street", "st", "road", "rd", "avenue", "ave", "lane", "utca", "boulevard"];
/// Words that begin one.
const BEGIN: [&str; 33] = [
    "rue",
    "via",
    "avenida",
    "av",
    "calle",
    "rua",
    "rúa",
    "ul",
    "ulica",
    "piazza",
    "piazzale",
    "piazzetta",
    "plaza",
    "strada",
    "largo",
    "corso",
    "viale",
    "vicolo",
    "chemin",
    "allee",
    "allée",
    "impasse",
    "quai",
    "paseo",
    "travessa",
    "praça",
    "praca",
    "carrer",
    "route",
    "boulevard",
    "avenue",
    "cours",
    "place",
];
/// Ends of words that are streets.
const ENDINGS: [&str; 37] = [
    "strasse", "straße", "strase", "gasse", "weg", "allee", "platz", "ufer", "damm", "straat", "laan",
    "steenweg", "plein", "kade", "dreef", "gracht", "singel", "vej", "gade", "alle", "stræde", "straede",
    "vägen", "vagen", "väg", "gatan", "gränd", "gata", "vegen", "veien", "vegur", "stræti", "straeti",
    "katu", "kuja", "polku", "tie",
];
const SUITES: [&str; 10] =
    ["apt", "apartment", "suite", "ste", "unit", "flat", "room", "floor", "postbox", "postboks"];
const BOXES: [&str; 6] = ["box", "postbox", "postboks", "postfach", "boks", "psc"];
/// Words that stand in no street's name.
const NO_NAME: [&str; 18] = [
    "on", "in", "at", "them", "from", "to", "and", "or", "is", "are", "was", "were", "for", "by", "that",
    "with", "a", "an",
];
/// What says that an address follows.
const SAY: [&str; 4] = ["address", "adresse", "dirección", "indirizzo"];
/// The same, with "to" or "at" behind it.
const SENT: [&str; 5] = ["sent", "arrived", "live", "lives", "lived"];

/// "Av." and "Str." are words made short; after a longer word a stop ends the sentence.
const MOST_SHORTENED: usize = 4;
const MOST_NAME: usize = 5;
/// A street whose name is one word is longer.
const LEAST_STREET: usize = 5;
/// A town and a country are so many words at most, from the street to the postcode.
const MOST_BEHIND: usize = 10;
const MOST_GAP: usize = 8;
/// An address has no part further from a digit than that, in bytes.
const REACH: usize = 160;
/// A house's number, a suite or a postcode has no more digits.
const MOST_DIGITS: usize = 6;
/// A word that says that a number is an address's is not further from it than that, in bytes.
const NEAR: usize = 80;

/// How sure each of these is.
const WITH_NUMBER: f32 = 0.85;
const BOX: f32 = 0.8;
const SUITE: f32 = 0.75;
const SAID: f32 = 0.7;
const LESS_OF_IT: f32 = 0.02;

struct Addresses<'t, 'w> {
    text: &'t str,
    words: &'w [Spelt<'t>],
}

/// Where addresses may be: around numbers that stand beside words, of which one is an address's.
#[derive(Debug, Default)]
pub(super) struct Places {
    found: Vec<Range<usize>>,
    /// How far words have been looked at, each once, and where the last was that is an address's.
    looked: usize,
    last: Option<usize>,
}

impl Places {
    /// There is a digit; they come from left to right.
    pub fn add(&mut self, bytes: &[u8], at: usize) {
        if !stands_beside_words(bytes, at) || !self.is_near(bytes, at) {
            return;
        }
        let (start, end) = (at.saturating_sub(REACH), at + REACH);
        match self.found.last_mut().filter(|last| start <= last.end) {
            Some(last) => last.end = end,
            None => self.found.push(start..end),
        }
    }

    /// Whether a word that is an address's stands near a number.
    fn is_near(&mut self, bytes: &[u8], at: usize) -> bool {
        let from = at.saturating_sub(NEAR);
        let to = (at + NEAR..).find(|end| !is_letter_or_digit(byte_at(bytes, *end))).unwrap_or(at + NEAR);
        let (start, text) = text_around(bytes, from.max(self.looked)..to.max(self.looked));
        let last = words(text).iter().rev().find(|word| is_of_addresses(word)).map(|word| start + word.end);
        self.looked = self.looked.max(to);
        self.last = last.or(self.last);
        self.last.is_some_and(|last| last >= from)
    }
}

/// Whether the number that begins there, if one does, has a word right before or behind it, or another number and then
/// a word.
fn stands_beside_words(bytes: &[u8], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).map_or(b'\n', |at| byte_at(bytes, at));
    if is_letter_or_digit(before(1)) {
        return false;
    }
    let after = |at: usize| {
        let rest = slice(bytes, at..at + MOST_DIGITS + 2);
        let end = at + rest.iter().take_while(|byte| is_letter_or_digit(**byte)).count();
        (byte_at(bytes, end) == b' ' && is_letter_or_digit(byte_at(bytes, end + 1))).then_some(end + 1)
    };
    let is_word = |at: usize| !byte_at(bytes, at).is_ascii_digit();
    let behind = after(at).is_some_and(|next| is_word(next) || after(next).is_some_and(is_word));
    let follows_word = !before(2).is_ascii_whitespace() && !before(2).is_ascii_digit();
    behind || before(1) == b'#' || before(1) == b' ' && follows_word
}

/// What a word has to be to be an address's, as far as that can be seen without looking at all of it.
struct Clues {
    known: HashSet<&'static str>,
    /// How long those are that begin with each byte, as bits.
    lengths: [u32; 256],
    /// The last two bytes of endings.
    ends: Vec<[u8; 2]>,
}

fn clues() -> &'static Clues {
    static CLUES: OnceLock<Clues> = OnceLock::new();
    CLUES.get_or_init(|| {
        let lists: [&[&'static str]; 7] = [&STREETS, &BEGIN, &SUITES, &BOXES, &SAY, &SENT, &["box"]];
        let known: HashSet<&str> = lists.into_iter().flatten().copied().collect();
        let mut lengths = [0; 256];
        for word in &known {
            if let Some(of) = word.bytes().next().and_then(|first| lengths.get_mut(usize::from(first))) {
                *of |= 1 << (word.len() & 31);
            }
        }
        let ends = ENDINGS.iter().filter_map(|ending| ending.as_bytes().last_chunk().copied()).collect();
        Clues { known, lengths, ends }
    })
}

fn is_of_addresses(word: &Spelt<'_>) -> bool {
    let (clues, text) = (clues(), word.text.as_bytes());
    let first = byte_at(text, 0).to_ascii_lowercase();
    let may_be =
        clues.lengths.get(usize::from(first)).is_some_and(|lengths| lengths >> (text.len() & 31) & 1 == 1);
    let ends = || {
        text.last_chunk::<2>()
            .is_some_and(|end| clues.ends.contains(&end.map(|byte| byte.to_ascii_lowercase())))
    };
    may_be && clues.known.contains(word.text.to_ascii_lowercase().as_str())
        || text.len() > LEAST_STREET && ends() && word.ends_with_any(&ENDINGS)
}

/// The text of a part, as far as whole characters go, and where it begins.
fn text_around(bytes: &[u8], part: Range<usize>) -> (usize, &str) {
    let is_inside = |at: &usize| bytes.get(*at).is_some_and(|byte| byte & 0xC0 == 0x80);
    let start = (part.start..).find(|at| !is_inside(at)).unwrap_or(part.start);
    let end = (part.end.min(bytes.len())..).find(|at| !is_inside(at)).unwrap_or(bytes.len());
    (start, std::str::from_utf8(slice(bytes, start..end)).unwrap_or_default())
}

/// Finds the addresses.
pub(super) fn find(bytes: &[u8], places: &Places, hits: &mut Hits) {
    for place in &places.found {
        let (start, text) = text_around(bytes, place.clone());
        find_in(text, start, hits);
    }
}

fn find_in(text: &str, from: usize, hits: &mut Hits) {
    let words = &words(text);
    let addresses = Addresses { text, words };
    let mut at = 0;
    while at < words.len() {
        let Some((start, end, score)) = addresses.at(at) else {
            at += 1;
            continue;
        };
        let whole = addresses.with_town(addresses.with_suite(end));
        // Where something surer reaches into the town, the street is still found.
        for (end, score) in [(end, score - LESS_OF_IT), (whole, score)] {
            if let (Some(first), Some(last)) = (words.get(start), words.get(end - 1)) {
                hits.add(Entity::Address, "address", from + first.start..from + last.end, score);
            }
        }
        at = whole.max(at + 1);
    }
}

impl Addresses<'_, '_> {
    fn word(&self, at: usize) -> Option<&Spelt<'_>> {
        self.words.get(at)
    }

    fn is(&self, at: usize, words: &[&str]) -> bool {
        self.word(at).is_some_and(|word| word.is_any(words))
    }

    fn is_number(&self, at: usize) -> bool {
        self.word(at).is_some_and(|word| match word.kind {
            Kind::Number => word.text.len() <= 6,
            Kind::Mixed => {
                word.text.len() <= 5 && word.text.starts_with(|first: char| first.is_ascii_digit())
            }
            _ => false,
        })
    }

    fn gap(&self, at: usize) -> &str {
        let (Some(left), Some(right)) = (self.word(at), self.word(at + 1)) else { return "\n\n" };
        self.text.get(left.end..right.start).unwrap_or_default()
    }

    /// Whether the word after that one is of the same line, and of the same name.
    fn goes_on(&self, at: usize) -> bool {
        match self.gap(at) {
            " " => true,
            ". " | "." => self.word(at).is_some_and(|word| word.text.len() <= MOST_SHORTENED),
            _ => false,
        }
    }

    /// The address that begins there, as far as its street: where it begins and ends, and how sure it is.
    fn at(&self, at: usize) -> Option<(usize, usize, f32)> {
        let number = self.is_number(at);
        let start = at;
        let mut from = at;
        if number {
            from += 1;
            if self.is_number(from) && self.goes_on(from - 1) {
                from += 1;
            }
            if !self.goes_on(from - 1) {
                return None;
            }
        }
        if let Some(end) = self.po_box(from) {
            return Some((start, end, BOX));
        }
        if let Some(end) = self.suite(from) {
            return Some((start, end, SUITE));
        }
        if let Some(end) = self.street(from) {
            let behind = self.goes_on(end - 1) && self.is_number(end);
            if number || behind {
                return Some((start, if behind { end + 1 } else { end }, WITH_NUMBER));
            }
            return None;
        }
        if !number || !(self.is_said(start)) {
            return self.before_suite(start, from);
        }
        let name = self.name_end(from);
        let end = if self.is_number(name) && self.goes_on(name - 1) { name + 1 } else { name };
        (end > from).then_some((start, end, SAID))
    }

    /// A number, a name and perhaps another number right before a suite: a street of whatever kind.
    fn before_suite(&self, start: usize, from: usize) -> Option<(usize, usize, f32)> {
        let name = self.name_end(from);
        let end = if self.is_number(name) && self.goes_on(name.max(1) - 1) { name + 1 } else { name };
        let follows = end > from
            && self.is(end, &SUITES)
            && self.is_number(end + 1)
            && self.gap(end - 1).len() <= MOST_GAP;
        let numbered = start < from || end > name;
        (follows && numbered).then_some((start, end, SUITE))
    }

    fn name_end(&self, from: usize) -> usize {
        let mut end = from;
        while end - from < MOST_NAME
            && self.word(end).is_some_and(|word| matches!(word.kind, Kind::Large | Kind::Small))
            && !self.is(end, &SUITES)
            && !self.is(end, &NO_NAME)
            && (end == from || self.goes_on(end - 1))
        {
            end += 1;
        }
        end
    }

    /// Where a street's name ends that begins there.
    fn street(&self, from: usize) -> Option<usize> {
        let first = self.word(from)?;
        if !matches!(first.kind, Kind::Large | Kind::Small) {
            return None;
        }
        if first.is_any(&BEGIN) && self.goes_on(from) {
            let end = self.name_end(from + 1);
            return (end > from + 1).then_some(end);
        }
        let end = self.name_end(from);
        for at in from..end {
            let word = self.word(at)?;
            let large = self.words.get(from..=at)?.iter().any(|word| word.kind == Kind::Large);
            if at > from && word.is_any(if large { &STREETS[..] } else { &SURELY[..] }) {
                return Some(at + 1);
            }
            if word.ends_with_any(&ENDINGS)
                && word.text.len() > LEAST_STREET
                && self.goes_on(at)
                && self.is_number(at + 1)
            {
                return Some(at + 1);
            }
        }
        None
    }

    fn po_box(&self, from: usize) -> Option<usize> {
        let p_o = self.is(from, &["p"]) && self.is(from + 1, &["o"]);
        let at = if p_o { from + 2 } else { from + usize::from(self.is(from, &["po"])) };
        let named =
            at > from && self.is(at, &["box"]) || at == from && self.is(at, &BOXES) && !self.is(at, &["box"]);
        (named && self.is_number(at + 1) && self.gap(at).len() <= 3).then_some(at + 2)
    }

    fn suite(&self, at: usize) -> Option<usize> {
        let known = self.is(at, &SUITES) && !self.is(at, &["room", "floor", "unit", "flat"]);
        (known && self.is_number(at + 1) && matches!(self.gap(at), " " | ". " | " #")).then_some(at + 2)
    }

    fn is_said(&self, at: usize) -> bool {
        const WORDS: usize = 6;
        let said = (at.saturating_sub(WORDS)..at).any(|before| self.is(before, &SAY));
        said || at > 1 && self.is(at - 1, &["to", "at"]) && self.is(at - 2, &SENT)
    }

    fn with_suite(&self, end: usize) -> usize {
        let near = self.gap(end - 1).len() <= MOST_GAP;
        let box_ = self.is(end, &["box"]);
        if near && (self.is(end, &SUITES) || box_) && self.is_number(end + 1) {
            self.with_suite(end + 2)
        } else {
            end
        }
    }

    /// The same with a town behind it, where a postcode ends it or it stands on a line of its own.
    fn with_town(&self, end: usize) -> usize {
        let mut at = end;
        while at - end < MOST_BEHIND {
            let gap = self.gap(at - 1);
            let near = gap.len() <= MOST_GAP && gap.matches('\n').count() <= 2;
            let Some(word) = self.word(at).filter(|_| near) else { break };
            if gap.contains(['.', ';', '?', '!', ':']) && !gap.starts_with(". ") {
                break;
            }
            at += 1;
            if is_postcode(word) && (at > end + 1 || word.text.len() > 3) {
                let two = self.word(at).filter(|next| {
                    word.kind != Kind::Number
                        && is_postcode(next)
                        && next.text.len() <= 4
                        && self.gap(at - 1) == " "
                });
                return if two.is_some() { at + 1 } else { at };
            }
        }
        end
    }
}

/// Whether a word may be a postcode, or the first half of one.
fn is_postcode(word: &Spelt<'_>) -> bool {
    match word.kind {
        Kind::Number => (4..=6).contains(&word.text.len()),
        Kind::Mixed => {
            (3..=4).contains(&word.text.len()) && word.text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        }
        _ => false,
    }
}
