//! The names that stand for what is hidden: `EMAIL_4KQ2M4XN`.
//!
//! A name is made from the value with the tenant's key, so it is the same in every turn of a conversation without
//! anything being kept, and says nothing to whoever has no key. It is letters, digits and `_`, since it may stand where
//! a tool's name, a part of a URL or a key of JSON did. Two of the code's eight signs are digits always: no constant of
//! a program looks like one.

use ring::hmac;

use super::entity::{ENTITIES, Entity};
use super::find::Hits;
use super::text::{byte_at, slice};

pub(super) const CODE: usize = 8;
/// The longest label, `_`, the code, and `_` with up to two digits.
pub(super) const LONGEST: usize = 16 + 1 + CODE + 3;
/// So many spellings of a value share a code.
pub(super) const MOST_SPELLINGS: u32 = 99;
/// More than anything that is found.
const SURELY: f32 = 2.0;
const SIGNS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const DIGITS: &[u8; 6] = b"234567";
/// Where a digit is always.
const DIGIT_AT: [usize; 2] = [0, 4];

/// The code of a value.
///
/// # Arguments
///
/// * `spelling`: 0, or which of several that would have the same code.
pub(super) fn code(key: &hmac::Key, label: &str, value: &[u8], spelling: u32) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(label.as_bytes());
    context.update(&spelling.to_be_bytes());
    context.update(value);
    let tag = context.sign();
    let sign = |(at, byte): (usize, &u8)| {
        let among: &[u8] = if DIGIT_AT.contains(&at) { DIGITS } else { SIGNS };
        char::from(byte_at(among, usize::from(*byte) % among.len()))
    };
    tag.as_ref().iter().take(CODE).enumerate().map(sign).collect()
}

fn is_code(bytes: &[u8]) -> bool {
    bytes.len() == CODE
        && bytes.iter().enumerate().all(|(at, byte)| {
            if DIGIT_AT.contains(&at) { DIGITS.contains(byte) } else { SIGNS.contains(byte) }
        })
}

/// Finds what looks like a placeholder and so was typed by somebody: shown again, it would be taken for one of ours.
pub(super) fn find(bytes: &[u8], hits: &mut Hits) {
    if !hits.wants(Entity::Literal) {
        return;
    }
    for line in memchr::memchr_iter(b'_', bytes) {
        let code = line + 1..line + 1 + CODE;
        if !is_code(slice(bytes, code.clone())) {
            continue;
        }
        let before = slice(bytes, line.saturating_sub(LONGEST)..line);
        let label =
            labels().filter(|label| before.ends_with(label.as_bytes())).max_by_key(|label| label.len());
        if let Some(label) = label {
            let end = code.end + suffix(slice(bytes, code.end..bytes.len()));
            hits.add(Entity::Literal, "literal", line - label.len()..end, SURELY);
        }
    }
}

fn labels() -> impl Iterator<Item = &'static str> {
    ENTITIES.iter().map(|facts| facts.label).chain(["LITERAL"])
}

/// `_2` behind a code.
fn suffix(bytes: &[u8]) -> usize {
    let digits = slice(bytes, 1..3).iter().take_while(|byte| byte.is_ascii_digit()).count();
    if byte_at(bytes, 0) == b'_' && digits > 0 { 1 + digits } else { 0 }
}
