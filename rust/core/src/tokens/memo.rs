//! Remembers the counts of long texts.
//!
//! Chats send their history again with every turn, agents their instructions with every call: most text was counted
//! before. A text is known by a 128-bit hash of the bytes as they were sent, so that finding it costs a hash, at
//! several bytes a nanosecond, instead of a count. The hash is keyed with chance, so that nobody outside can make
//! two texts alike. Two generations bound the memory: when the young one is full it becomes the old one, and what the
//! old one is asked for moves back to the young; what nobody asked for during a whole generation is forgotten.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::const_xxh3::const_custom_default_secret;
use xxhash_rust::xxh3::{Xxh3, Xxh3Builder, xxh3_128_with_secret};

use super::known::KnownPieces;

/// Texts shorter than this are counted as fast as they are found.
pub const MEMORABLE_BYTES: usize = 256;
/// What the ratio of bytes to tokens is taken to be before anything was counted.
const BYTES_PER_TOKEN: f64 = 4.0;
const RATIO_MEMORY_BYTES: f64 = 4_000_000.0;

/// A bounded memory of counts, of one tokeniser.
pub struct Memo {
    secret: Box<[u8; 192]>,
    capacity: usize,
    young: Generation,
    old: Generation,
    bytes: f64,
    tokens: f64,
    /// Short pieces, for the texts that must be counted all the same.
    pub pieces: KnownPieces,
}

type Generation = HashMap<Key, u32, BuildHasherDefault<AlreadyHashed>>;

/// What a text is known by.
pub type Key = u128;

impl Memo {
    /// Keyed with `seed`, which should come from chance; remembers between `capacity` and twice as many texts.
    pub fn new(seed: u64, capacity: usize) -> Self {
        Memo {
            secret: Box::new(const_custom_default_secret(seed)),
            capacity: capacity.max(1),
            young: Generation::default(),
            old: Generation::default(),
            bytes: BYTES_PER_TOKEN * 1000.0,
            tokens: 1000.0,
            pieces: KnownPieces::default(),
        }
    }

    /// The key of these bytes, one after the other, counted as `kind`.
    pub fn key(&self, kind: u8, parts: &[&[u8]]) -> Key {
        let hash = match parts {
            [bytes] => xxh3_128_with_secret(bytes, self.secret.as_slice()),
            _ => {
                let mut state: Xxh3 = Xxh3Builder::new().with_secret(*self.secret).build();
                for part in parts {
                    state.update(&part.len().to_le_bytes());
                    state.update(part);
                }
                state.digest128()
            }
        };
        hash.wrapping_add(u128::from(kind))
    }

    /// The number remembered for a key.
    pub fn get(&mut self, key: Key) -> Option<u32> {
        if let Some(found) = self.young.get(&key) {
            return Some(*found);
        }
        let found = self.old.remove(&key)?;
        self.put(key, found);
        Some(found)
    }

    /// Remembers a number.
    pub fn put(&mut self, key: Key, number: u32) {
        if self.young.len() >= self.capacity {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, number);
    }

    /// Takes in how many tokens a text was.
    pub fn saw(&mut self, bytes: usize, tokens: usize) {
        self.bytes += bytes as f64;
        self.tokens += tokens as f64;
        if self.bytes > RATIO_MEMORY_BYTES {
            self.bytes /= 2.0;
            self.tokens /= 2.0;
        }
    }

    /// How many tokens a text of so many bytes probably is.
    pub fn guess(&self, bytes: usize) -> usize {
        (bytes as f64 * self.tokens / self.bytes).ceil() as usize
    }

    /// How many texts are remembered.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Keys are hashes already.
#[derive(Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    }
}

#[cfg(test)]
mod tests;
