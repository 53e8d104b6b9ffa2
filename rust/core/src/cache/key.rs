//! What tells one request from another.

use ring::digest::{Context, SHA256};

pub const KEY_BYTES: usize = 32;
pub type Key = [u8; KEY_BYTES];

/// A digest of nothing but requests whose answers are kept.
const DOMAIN: &[u8] = b"dragoman/exact-cache/1\0";

/// The key of a request: SHA-256 over all that its answer depends on, each part after its length, so that no two
/// lists of parts are written alike.
pub fn key_of<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> Key {
    let mut digest = Context::new(&SHA256);
    digest.update(DOMAIN);
    for part in parts {
        digest.update(&(part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    let mut key = [0; KEY_BYTES];
    key.iter_mut().zip(digest.finish().as_ref()).for_each(|(to, from)| *to = *from);
    key
}
