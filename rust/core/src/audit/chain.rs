//! Hashes, and how one follows from the last.

use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256};

pub type Hash = [u8; 32];
/// What is before the first.
pub const ZERO: Hash = [0; 32];

const DOMAIN: &[u8] = b"dragoman audit 1\n";

/// The hash of a record.
pub fn link(writer: &str, seq: u64, before: &Hash, record: &[u8]) -> Hash {
    let number = seq.to_string();
    digest(&[DOMAIN, writer.as_bytes(), b"\n", number.as_bytes(), b"\n", before, record])
}

pub fn digest(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = ZERO;
    hash.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    hash
}

pub fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// The bytes of a hash in hexadecimal; `None` where it is none.
pub fn unhex(text: &str) -> Option<Hash> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}
