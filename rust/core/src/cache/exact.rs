//! Entries by their whole key, within a number of bytes. What is to go when they are too many is told by how often and
//! how lately each was asked for (S3-FIFO's kind of clock, of the crate `quick_cache`), which a single reading of many
//! keys does not wash away.

use std::sync::Arc;

use quick_cache::unsync::Cache;

use super::key::{KEY_BYTES, Key};

/// What is kept of one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub body: Arc<[u8]>,
    /// Names and values, that whoever gets it is told.
    pub headers: Arc<[(Box<str>, Box<str>)]>,
    /// What the caller notes beside it.
    pub note: Arc<[u8]>,
    /// Whose it is, and what it is of: what it can be purged by.
    pub labels: Arc<[Box<str>]>,
    pub stored_ms: u64,
    pub expires_ms: u64,
}

/// Memory that an entry takes beside its own bytes.
const ENTRY_OVERHEAD_BYTES: usize = 192;
/// What an entry is guessed to take, to make room for so many.
const TYPICAL_BYTES: u64 = 4 * 1024;

impl Entry {
    /// How long it has been kept.
    pub fn age_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.stored_ms)
    }

    fn bytes(&self) -> usize {
        let text = |text: &str| text.len() + size_of::<Box<str>>();
        let labels: usize = self.labels.iter().map(|label| text(label)).sum();
        let headers: usize = self.headers.iter().map(|(name, value)| text(name) + text(value)).sum();
        KEY_BYTES + ENTRY_OVERHEAD_BYTES + self.body.len() + self.note.len() + labels + headers
    }
}

#[derive(Clone)]
struct Bytes;

impl quick_cache::Weighter<Key, Entry> for Bytes {
    fn weight(&self, _: &Key, entry: &Entry) -> u64 {
        entry.bytes() as u64
    }
}

pub struct ExactCache {
    entries: Cache<Key, Entry, Bytes>,
}

impl ExactCache {
    /// A cache of at most so many bytes, its own bookkeeping among them.
    pub fn new(max_bytes: u64) -> Self {
        let entries = usize::try_from(max_bytes / TYPICAL_BYTES).unwrap_or(usize::MAX).clamp(16, 1 << 20);
        Self { entries: Cache::with_weighter(entries, max_bytes, Bytes) }
    }

    /// The entry of a key, unless its time is over, or it is as old as nobody wants it.
    pub fn get(&mut self, key: &Key, now_ms: u64, max_age_ms: Option<u64>) -> Option<Entry> {
        let entry = self.entries.get(key)?;
        if entry.expires_ms <= now_ms {
            self.entries.remove(key);
            return None;
        }
        let is_wanted = max_age_ms.is_none_or(|most| entry.age_ms(now_ms) < most);
        is_wanted.then(|| entry.clone())
    }

    /// Keeps an entry in the place of any other of its key. One that is larger than the cache is not kept.
    pub fn put(&mut self, key: Key, entry: Entry) {
        self.entries.insert(key, entry);
    }

    pub fn remove(&mut self, key: &Key) -> bool {
        self.entries.remove(key).is_some()
    }

    /// Forgets all entries that have all of the labels; says how many these were.
    pub fn purge(&mut self, labels: &[String]) -> usize {
        let before = self.entries.len();
        self.entries.retain(|_, entry| {
            !labels.iter().all(|wanted| entry.labels.iter().any(|label| **label == **wanted))
        });
        before - self.entries.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Entry)> {
        self.entries.iter()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What the entries take.
    pub fn bytes(&self) -> u64 {
        self.entries.weight()
    }
}
