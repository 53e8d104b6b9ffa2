//! Bytes of a text, taken without a panic.

use std::ops::Range;

/// The byte there; 0 outside.
pub(super) fn byte_at(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

/// The bytes there; none outside.
pub(super) fn slice(bytes: &[u8], range: Range<usize>) -> &[u8] {
    bytes.get(range).unwrap_or_default()
}

/// Letters, digits, `_` and whatever is not ASCII.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Letters and digits of ASCII, and whatever is not ASCII.
pub(super) fn is_letter_or_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// Whether one of the words stands in `bytes`, whatever their case, with no letter before it.
pub(super) fn has_word(bytes: &[u8], words: &[&str]) -> bool {
    // What words may begin here, by six bits of their first bytes: nearly always none of those that are asked for.
    let mut begins = 0_u64;
    let mut follows_letter = false;
    for byte in bytes {
        begins |= u64::from(!follows_letter) << (byte.to_ascii_lowercase() & 63);
        follows_letter = byte.is_ascii_alphabetic();
    }
    words.iter().any(|word| {
        let Some(first) = word.bytes().next() else { return false };
        if begins >> (first.to_ascii_lowercase() & 63) & 1 == 0 {
            return false;
        }
        let upper = first.to_ascii_uppercase();
        memchr::memchr2_iter(first, upper, bytes).any(|at| {
            let starts = at.checked_sub(1).is_none_or(|before| !byte_at(bytes, before).is_ascii_alphabetic());
            starts && slice(bytes, at..at + word.len()).eq_ignore_ascii_case(word.as_bytes())
        })
    })
}

/// What stands before `at`, as far as it may say what stands there.
pub(super) fn before(bytes: &[u8], at: usize, most: usize) -> &[u8] {
    slice(bytes, at.saturating_sub(most)..at)
}
