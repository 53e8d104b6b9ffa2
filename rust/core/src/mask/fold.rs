//! What a character is to a detector: the plain one that a reader takes it for.
//!
//! A card number in full-width digits, an address with a Cyrillic `а` in it and a word with an invisible character in
//! the middle read as the plain ones, to people and to models. So, by character: invisible ones are dropped (format
//! characters, variation selectors, tags, combining marks), then Unicode's compatibility form is taken, then any script's
//! digits become `0` to `9`, then what UTS 39 calls confusable with an ASCII character becomes that one. Spaces and
//! dashes of all kinds become the two of ASCII. The rest stays.

use std::sync::OnceLock;

use unicode_normalization::UnicodeNormalization;
use unicode_security::confusable_detection::skeleton;

/// The first code points of decimal digits beyond ASCII; nine follow each (Unicode 16, `Nd`, without those whose
/// compatibility form is ASCII).
const DIGITS: [u32; 70] = [
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0,
    0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50,
    0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30, 0x10D40, 0x11066,
    0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x116D0, 0x116DA, 0x11730,
    0x118E0, 0x11950, 0x11BF0, 0x11C50, 0x11D50, 0x11DA0, 0x11F50, 0x16130, 0x16A60, 0x16AC0, 0x16B50,
    0x16D70, 0x1CCF0, 0x1E140, 0x1E2F0, 0x1E4F0, 0x1E5F1, 0x1E950, 0x1FBF0,
];
/// Characters below this are looked up, the others worked out.
const TABLE_END: u32 = 0x3000;
const TABLE_START: u32 = 0x80;
/// What the table says of a character that is no single ASCII one.
const KEPT: u8 = 0x80;
const DROPPED: u8 = 0x81;
const SEVERAL: u8 = 0x82;

/// Appends what `character` reads as; nothing, if it is invisible.
pub(super) fn fold(character: char, out: &mut Vec<u8>) {
    let code = u32::from(character);
    if matches!(code, 0x3041..=0x30FA | 0x3400..=0x9FFF | 0xAC00..=0xD7A3) {
        return push(character, out);
    }
    match table().get(code.wrapping_sub(TABLE_START) as usize) {
        Some(&KEPT) => push(character, out),
        Some(&DROPPED) => {}
        Some(&SEVERAL) | None => work_out(character, out),
        Some(&ascii) => out.push(ascii),
    }
}

/// Whether a byte of ASCII is dropped: control characters that are no white space.
pub(super) fn is_dropped(byte: u8) -> bool {
    byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r') || byte == 0x7F
}

fn table() -> &'static [u8] {
    static TABLE: OnceLock<Vec<u8>> = OnceLock::new();
    TABLE.get_or_init(|| (TABLE_START..TABLE_END).map(entry).collect())
}

fn entry(code: u32) -> u8 {
    let Some(character) = char::from_u32(code) else { return DROPPED };
    let mut folded = Vec::new();
    work_out(character, &mut folded);
    let mut same = [0; 4];
    match folded.as_slice() {
        [] => DROPPED,
        [one] if one.is_ascii() => *one,
        several if several == character.encode_utf8(&mut same).as_bytes() => KEPT,
        _ => SEVERAL,
    }
}

fn work_out(character: char, out: &mut Vec<u8>) {
    if character.is_ascii() {
        if !is_dropped(character as u8) {
            out.push(character as u8);
        }
        return;
    }
    for plain in std::iter::once(character).nfkd().filter(|plain| !is_invisible(*plain)) {
        match (plain.is_ascii(), digit(plain), punctuation(plain)) {
            (true, _, _) => out.push(plain as u8),
            (_, Some(ascii), _) | (_, _, Some(ascii)) => out.push(ascii),
            _ => confusable(plain, out),
        }
    }
}

/// What UTS 39 takes the character for, where that is ASCII all through.
fn confusable(character: char, out: &mut Vec<u8>) {
    let mut written = [0; 4];
    let start = out.len();
    for plain in skeleton(character.encode_utf8(&mut written)).filter(|plain| !is_invisible(*plain)) {
        if !plain.is_ascii() {
            out.truncate(start);
            break;
        }
        out.push(plain as u8);
    }
    if out.len() == start {
        push(character, out);
    }
}

fn push(character: char, out: &mut Vec<u8>) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

fn digit(character: char) -> Option<u8> {
    let code = u32::from(character);
    let zero = DIGITS.iter().rev().find(|zero| **zero <= code)?;
    u8::try_from(code - zero).ok().filter(|value| *value < 10).map(|value| b'0' + value)
}

/// Spaces, line ends, dashes and stops that have no compatibility form in ASCII.
fn punctuation(character: char) -> Option<u8> {
    match character {
        '\u{A0}' | '\u{1680}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => Some(b' '),
        '\u{85}' | '\u{2028}' | '\u{2029}' => Some(b'\n'),
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{2E3A}' | '\u{2E3B}' | '\u{30FC}' | '\u{1173}' => {
            Some(b'-')
        }
        '\u{3002}' | '\u{FF61}' | '\u{B7}' | '\u{2022}' | '\u{2219}' | '\u{22C5}' | '\u{30FB}' => Some(b'.'),
        '\u{2044}' | '\u{2215}' | '\u{29F8}' => Some(b'/'),
        _ => None,
    }
}

/// Format characters, variation selectors, tags, combining marks and fillers: nothing is seen of them.
pub fn is_invisible(character: char) -> bool {
    matches!(u32::from(character),
        0xAD | 0x34F | 0x61C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F
        | 0x202A..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB
        | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF
        | 0x80..=0x84 | 0x86..=0x9F
        | 0x300..=0x36F | 0x483..=0x489 | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF | 0x20D0..=0x20FF | 0xFE20..=0xFE2F)
}
