//! Finds telephone numbers.
//!
//! libphonenumber's data tell which lengths and first digits a region has. With `+` that is enough. Without, a number
//! has to look like one (an area code in brackets, a trunk `0` and groups) or be called one: there is no shape of seven
//! to fifteen digits that is not also somebody's order number.

use std::ops::Range;
use std::sync::OnceLock;

use super::entity::Entity;
use super::find::Hits;
use super::numbers::Group;
use super::text::{before, byte_at, has_word, is_word, slice};

static DATA: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/phones.bin"));
const FIRST_DIGITS: usize = 125;

/// Regions whose numbers are known without `+`, where they are written as usual.
const AT_HOME: [&[u8; 2]; 24] = [
    b"US", b"GB", b"DE", b"FR", b"IT", b"ES", b"NL", b"BE", b"CH", b"AT", b"PL", b"SE", b"NO", b"DK", b"FI",
    b"PT", b"IE", b"IN", b"AU", b"NZ", b"JP", b"BR", b"ZA", b"TR",
];
const WORDS: [&str; 30] = [
    "phone",
    "tel",
    "call",
    "mobile",
    "cell",
    "fax",
    "desk",
    "office",
    "reach",
    "whatsapp",
    "contact",
    "sms",
    "text me",
    "dial",
    "hotline",
    "ring",
    "voicemail",
    "messages to",
    "telefon",
    "handy",
    "mobil",
    "portable",
    "movil",
    "cellulare",
    "numero",
    "landline",
    "telegram",
    "ext",
    "pager",
    "my number",
];
const LEAST: usize = 6;
const MOST: usize = 15;

struct Region {
    id: [u8; 2],
    code: u16,
    trunk: &'static [u8],
    lengths: Vec<(u8, &'static [u8])>,
}

fn regions() -> &'static [Region] {
    static REGIONS: OnceLock<Vec<Region>> = OnceLock::new();
    REGIONS.get_or_init(|| {
        let mut regions = Vec::new();
        let mut rest = DATA;
        while let Some((region, after)) = read_region(rest) {
            regions.push(region);
            rest = after;
        }
        regions
    })
}

fn read_region(data: &'static [u8]) -> Option<(Region, &'static [u8])> {
    let (head, mut rest) = data.split_at_checked(10)?;
    let [a, b, low, high, trunk, prefix @ .., lengths] = head else { return None };
    let mut known = Vec::new();
    for _ in 0..*lengths {
        let (length, after) = rest.split_at_checked(1 + FIRST_DIGITS)?;
        known.push((*length.first()?, length.get(1..)?));
        rest = after;
    }
    let trunk = prefix.get(..usize::from(*trunk))?;
    Some((Region { id: [*a, *b], code: u16::from_le_bytes([*low, *high]), trunk, lengths: known }, rest))
}

impl Region {
    /// Whether it has such a number, given without code and trunk prefix.
    fn has(&self, national: &[u8]) -> bool {
        let Some(first) = national.get(..3) else { return false };
        let first = first.iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
        self.lengths.iter().any(|(length, bits)| {
            usize::from(*length) == national.len()
                && bits.get(first / 8).is_some_and(|byte| byte >> (first % 8) & 1 == 1)
        })
    }

    fn has_dialled(&self, digits: &[u8]) -> bool {
        let without = digits.strip_prefix(self.trunk).filter(|_| !self.trunk.is_empty());
        without.is_some_and(|national| self.has(national)) || (self.has(digits) && self.trunk != b"0")
    }
}

/// Whether digits are a number with its country's code in front.
fn is_international(digits: &[u8]) -> bool {
    let code = |length: usize| {
        digits.get(..length).map(|code| code.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0')))
    };
    (1..=3).any(|length| {
        let (Some(code), Some(national)) = (code(length), digits.get(length..)) else { return false };
        regions().iter().filter(|region| region.code == code).any(|region| {
            region.has(national) || national.strip_prefix(b"0").is_some_and(|national| region.has(national))
        })
    })
}

fn is_at_home(digits: &[u8]) -> bool {
    regions().iter().filter(|region| AT_HOME.contains(&&region.id)).any(|region| region.has_dialled(digits))
}

/// Finds the telephone numbers of a chain.
pub(super) fn find(bytes: &[u8], groups: &[Group], hits: &mut Hits) {
    let mut first = 0;
    while first < groups.len() {
        first = match best_from(bytes, groups, first) {
            Some((last, place, score)) => {
                hits.add(Entity::Phone, "phone", place, score);
                last + 1
            }
            None => first + 1,
        };
    }
}

/// The longest run of groups from `first` that is the surest number.
fn best_from(bytes: &[u8], groups: &[Group], first: usize) -> Option<(usize, Range<usize>, f32)> {
    let mut digits = Vec::with_capacity(MOST);
    let mut best: Option<(usize, Range<usize>, f32)> = None;
    let begins = groups.get(first)?;
    let start = opening(bytes, begins.start);
    let told = has_word(before(bytes, start, 40), &WORDS);
    for (last, group) in groups.iter().enumerate().skip(first) {
        if !group.is_number()
            || digits.len() + group.digits > MOST
            || (last > first && is_break(bytes, groups, last))
        {
            break;
        }
        digits.extend_from_slice(slice(bytes, group.start..group.end));
        if digits.len() < LEAST {
            continue;
        }
        let place = start..group.end;
        let score = score(bytes, &place, &digits, groups.get(first..=last).unwrap_or_default(), told);
        if best.as_ref().is_none_or(|(_, _, best)| score >= *best) {
            best = Some((last, place, score));
        }
    }
    let (last, place, score) = best.filter(|(_, _, score)| *score > 0.2)?;
    let end = place.end + extension(slice(bytes, place.end..bytes.len()));
    Some((last, place.start..end, score))
}

/// `+` and `(` before the first digits.
fn opening(bytes: &[u8], start: usize) -> usize {
    start - before(bytes, start, 3).iter().rev().take_while(|byte| matches!(byte, b'+' | b'(')).count()
}

/// Whether a number cannot go on across this gap.
fn is_break(bytes: &[u8], groups: &[Group], at: usize) -> bool {
    let (Some(a), Some(b)) = (at.checked_sub(1).and_then(|at| groups.get(at)), groups.get(at)) else {
        return true;
    };
    let gap = slice(bytes, a.end..b.start);
    gap.iter().any(|byte| matches!(byte, b'\n' | b',' | b':' | b'+' | b'|' | b'*' | b'_'))
}

/// `x123`, ` ext. 123` behind a number.
fn extension(rest: &[u8]) -> usize {
    let known: [&[u8]; 5] = [b"x", b" x", b" ext. ", b" ext ", b"#"];
    let Some(word) = known.iter().find(|word| rest.starts_with(word)) else { return 0 };
    let digits =
        slice(rest, word.len()..rest.len()).iter().take(7).take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 { 0 } else { word.len() + digits }
}

fn score(bytes: &[u8], place: &Range<usize>, digits: &[u8], groups: &[Group], told: bool) -> f32 {
    let glued = place.start > 0 && is_word(byte_at(bytes, place.start - 1))
        || is_word(byte_at(bytes, place.end)) && byte_at(bytes, place.end) != b'x';
    let plus = slice(bytes, place.clone()).iter().take(2).any(|byte| *byte == b'+');
    let brackets = slice(bytes, place.clone()).contains(&b'(');
    let lengths: Vec<usize> = groups.iter().map(|group| group.digits).collect();
    let call = digits.strip_prefix(b"00").unwrap_or(digits);
    let exits = call.len() != digits.len();
    let shape: f32 = if glued {
        0.0
    } else if plus {
        if is_international(digits) {
            0.9
        } else if digits.len() >= 8 {
            0.65
        } else {
            0.3
        }
    } else if is_date_like(&lengths, digits) {
        0.1
    } else if exits && call.len() >= 8 && is_international(call) && groups.len() > 1 {
        0.8
    } else if lengths.ends_with(&[3, 3, 4]) && groups.len() <= 4 && is_at_home(digits) {
        0.75
    } else if brackets && groups.len() > 1 && digits.len() >= 7 {
        if is_at_home(digits) { 0.8 } else { 0.55 }
    } else if groups.len() > 1 && digits.len() >= 8 && digits.first() == Some(&b'0') && is_at_home(digits) {
        0.6
    } else if is_at_home(digits) {
        if digits.first() == Some(&b'0') { 0.4 } else { 0.3 }
    } else {
        0.1
    };
    match told {
        true if shape >= 0.3 => (shape + 0.35).min(1.0),
        true if shape > 0.0 && (groups.len() > 1 || digits.len() >= 7) => 0.7,
        _ => shape,
    }
}

/// Four digits that are a year, with groups of two.
fn is_date_like(lengths: &[usize], digits: &[u8]) -> bool {
    let year = |at: usize| matches!(digits.get(at..at + 2), Some(b"19" | b"20"));
    matches!(lengths, [4, 2, 2, ..] if year(0))
        || matches!(lengths, [2, 2, 4, ..] if year(4))
        || matches!(lengths, [1 | 2, 1 | 2, 4])
}
