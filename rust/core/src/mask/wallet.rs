//! Finds addresses of cryptocurrencies, by their own checksums.

use std::ops::Range;

use ring::digest::{SHA256, digest};
use sha3::{Digest, Keccak256};

use super::entity::Entity;
use super::find::Hits;
use super::text::slice;

/// Finds the address that a run of letters and digits is.
pub(super) fn find(bytes: &[u8], run: Range<usize>, hits: &mut Hits) {
    let token = slice(bytes, run.clone());
    let kind = match token {
        [b'1' | b'3' | b'L' | b'M' | b'D' | b'T', ..]
            if (26..=35).contains(&token.len()) && is_base58check(token) =>
        {
            "base58"
        }
        [b'b' | b'B', b'c' | b'C', b'1', ..] | [b'l' | b'L', b't' | b'T', b'c' | b'C', b'1', ..]
            if is_bech32(token) =>
        {
            "bech32"
        }
        [b'0', b'x', hex @ ..] if hex.len() == 40 && is_ethereum(hex) => "ethereum",
        _ => return,
    };
    hits.add(Entity::Crypto, kind, run, 1.0);
}

/// Base58 with four bytes of a double SHA-256 at the end.
fn is_base58check(token: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut number = [0_u8; 25];
    for byte in token {
        let Some(digit) = ALPHABET.iter().position(|known| known == byte) else { return false };
        let mut carry = digit;
        for place in number.iter_mut().rev() {
            carry += usize::from(*place) * 58;
            *place = (carry % 256) as u8;
            carry /= 256;
        }
        if carry > 0 {
            return false;
        }
    }
    let (payload, check) = number.split_at(21);
    let hash = digest(&SHA256, digest(&SHA256, payload).as_ref());
    hash.as_ref().get(..4) == Some(check)
}

/// BIP 173 and BIP 350.
fn is_bech32(token: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let mixed = token.iter().any(u8::is_ascii_lowercase) && token.iter().any(u8::is_ascii_uppercase);
    let lower = token.to_ascii_lowercase();
    let Some(one) = lower.iter().rposition(|byte| *byte == b'1') else { return false };
    let (human, data) = (slice(&lower, 0..one), slice(&lower, one + 1..lower.len()));
    if mixed || !(14..=90).contains(&lower.len()) || data.len() < 6 {
        return false;
    }
    let step = |sum: u32, value: u32| {
        let top = sum >> 25;
        let shifted = (sum & 0x01ff_ffff) << 5 ^ value;
        GENERATOR
            .iter()
            .enumerate()
            .fold(shifted, |sum, (bit, term)| if top >> bit & 1 == 1 { sum ^ term } else { sum })
    };
    let mut sum = human.iter().fold(1, |sum, byte| step(sum, u32::from(byte >> 5)));
    sum = step(sum, 0);
    sum = human.iter().fold(sum, |sum, byte| step(sum, u32::from(byte & 31)));
    for byte in data {
        let Some(value) = ALPHABET.iter().position(|known| known == byte) else { return false };
        sum = step(sum, value as u32);
    }
    matches!(sum, 1 | 0x2bc8_30a3)
}

/// EIP-55: the case of the letters is a checksum; one case throughout is none.
fn is_ethereum(hex: &[u8]) -> bool {
    if !hex.iter().all(u8::is_ascii_hexdigit) {
        return false;
    }
    let letters = || hex.iter().filter(|byte| byte.is_ascii_alphabetic());
    if letters().all(u8::is_ascii_lowercase) || letters().all(u8::is_ascii_uppercase) {
        return hex.iter().any(|byte| *byte != b'0');
    }
    let hash = Keccak256::digest(hex.to_ascii_lowercase());
    hex.iter().enumerate().filter(|(_, byte)| byte.is_ascii_alphabetic()).all(|(at, byte)| {
        let nibble = hash.get(at / 2).map_or(0, |byte| if at % 2 == 0 { byte >> 4 } else { byte & 15 });
        byte.is_ascii_uppercase() == (nibble > 7)
    })
}
