//! Finds addresses of electronic mail, from their `@`.

use super::entity::Entity;
use super::find::Hits;
use super::text::{byte_at, is_letter_or_digit, slice};

const LONGEST_LOCAL: usize = 64;
const LONGEST_DOMAIN: usize = 253;

/// Finds the address whose `@` is at `at`.
pub(super) fn find(bytes: &[u8], at: usize, hits: &mut Hits) {
    if let Some((start, end)) = around(bytes, at) {
        let is_login = byte_at(bytes, end) == b':' && slice(bytes, 0..start).ends_with(b"//");
        hits.add(Entity::Email, "email", start..end, if is_login { 0.6 } else { 0.95 });
    } else {
        backwards(bytes, at, hits);
    }
}

fn around(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let left = slice(bytes, at.saturating_sub(LONGEST_LOCAL)..at);
    let mut length = left.iter().rev().take_while(|byte| is_local(**byte)).count();
    while length > 0 && matches!(byte_at(bytes, at - length), b'.' | b'\'' | b'-' | b'%' | b'+') {
        length -= 1;
    }
    if length == 0 || byte_at(bytes, at.wrapping_sub(1)) == b'.' {
        return None;
    }
    let domain = domain(slice(bytes, at + 1..bytes.len()))?;
    Some((at - length, at + 1 + domain))
}

fn is_local(byte: u8) -> bool {
    is_letter_or_digit(byte) || b"._%+-'".contains(&byte)
}

/// How long the domain at the start of `bytes` is: labels with stops between, the last of letters.
pub(super) fn domain(bytes: &[u8]) -> Option<usize> {
    let mut end = None;
    let mut at = 0;
    loop {
        let label = slice(bytes, at..bytes.len());
        let length =
            label.iter().take(63).take_while(|byte| is_letter_or_digit(**byte) || **byte == b'-').count();
        let label = slice(label, 0..length);
        let length = length - label.iter().rev().take_while(|byte| **byte == b'-').count();
        if length == 0 || at + length > LONGEST_DOMAIN || label.starts_with(b"-") {
            return end;
        }
        if at > 0 && is_top_level(slice(label, 0..length)) {
            end = Some(at + length);
        }
        at += length;
        if byte_at(bytes, at) != b'.' {
            return end;
        }
        at += 1;
    }
}

fn is_top_level(label: &[u8]) -> bool {
    label.len() >= 2
        && (label.starts_with(b"xn--")
            || label.iter().all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80))
}

/// An address written from its end: `moc.elpmaxe@ecila`.
fn backwards(bytes: &[u8], at: usize, hits: &mut Hits) {
    const AROUND: usize = 80;
    let is_part = |byte: &u8| is_local(*byte);
    let left =
        slice(bytes, at.saturating_sub(AROUND)..at).iter().rev().take_while(|byte| is_part(byte)).count();
    let right =
        slice(bytes, at + 1..bytes.len()).iter().take(AROUND).take_while(|byte| is_part(byte)).count();
    let reversed: Vec<u8> = slice(bytes, at - left..at + 1 + right).iter().rev().copied().collect();
    if let Some((start, end)) = around(&reversed, right) {
        let known: [&[u8]; 9] = [b"com", b"org", b"net", b"edu", b"gov", b"io", b"de", b"uk", b"fr"];
        if known.iter().any(|last| slice(&reversed, 0..end).ends_with(last)) {
            let whole = at + 1 + right;
            hits.add(Entity::Email, "email", whole - end..whole - start, 0.7);
        }
    }
}
