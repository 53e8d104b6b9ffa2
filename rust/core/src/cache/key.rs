//! What tells one request from another.

use ring::digest::{Context, SHA256};

pub const KEY_BYTES: usize = 32;
pub type Key = [u8; KEY_BYTES];

/// A digest of nothing but requests whose answers are kept.
const DOMAIN: &[u8] = b"dragoman/exact-cache/1\0";

/// What the answers to some requests depend on beside their bodies, taken in once for all of them.
#[derive(Clone)]
pub struct Apart {
    digest: Context,
}

impl Apart {
    pub fn new<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> Self {
        let mut digest = Context::new(&SHA256);
        digest.update(DOMAIN);
        Self { digest }.with(parts)
    }

    /// The key of a request of them.
    ///
    /// * `parts`: what tells it from the others; its body, as its client sent it.
    pub fn key<'p>(&self, parts: impl IntoIterator<Item = &'p [u8]>) -> Key {
        let digest = self.clone().with(parts).digest.finish();
        let mut key = [0; KEY_BYTES];
        key.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        key
    }

    fn with<'p>(mut self, parts: impl IntoIterator<Item = &'p [u8]>) -> Self {
        for part in parts {
            self.digest.update(&(part.len() as u64).to_le_bytes());
            self.digest.update(part);
        }
        self
    }
}

/// The key of a request: SHA-256 over all that its answer depends on, each part after its length, so that no two
/// lists of parts are written alike.
pub fn key_of<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> Key {
    Apart::new(parts).key([])
}
