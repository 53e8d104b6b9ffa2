//! A vocabulary: the id of a piece of bytes, and the bytes of an id. Laid out by the build script (see `slot`).

use std::ops::Range;

use super::slot;

/// One vocabulary, all of it in the library's read-only pages.
pub struct Vocabulary {
    slots: &'static [[u8; 4]],
    entries: &'static [[u8; 16]],
    pairs: &'static [[u8; 4]],
    long: &'static [u8],
}

/// Starts each table on a cache line, so that a bucket is never spread over two.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

macro_rules! table {
    ($file:expr) => {{
        static TABLE: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/", $file)));
        &TABLE.0
    }};
}

macro_rules! vocabulary {
    ($name:literal) => {
        Vocabulary {
            slots: table!(concat!($name, ".slots")).as_chunks().0,
            entries: table!(concat!($name, ".entries")).as_chunks().0,
            pairs: table!(concat!($name, ".pairs")).as_chunks().0,
            long: table!(concat!($name, ".long")),
        }
    };
}

pub static O200K: Vocabulary = vocabulary!("o200k");
pub static CL100K: Vocabulary = vocabulary!("cl100k");
pub static P50K: Vocabulary = vocabulary!("p50k");

impl Vocabulary {
    /// The id of `text[piece]`, or `None` when that is no entry. The text after the piece is read, but does not count.
    #[inline]
    pub fn id(&self, text: &[u8], piece: Range<usize>) -> Option<u32> {
        self.find(text, &Probe::new(text, piece))
    }

    /// The id of a piece that was made ready.
    #[inline]
    pub fn find(&self, text: &[u8], probe: &Probe) -> Option<u32> {
        let print = slot::print(probe.hash);
        let mut at = slot::place(probe.hash, self.slots.len());
        loop {
            let slot = u32::from_le_bytes(*self.slots.get(at)?);
            if slot == slot::EMPTY {
                return None;
            }
            if let Some(id) = slot::matching(slot, print)
                && let Some(entry) = self.entry(id)
                && slot::has(entry, probe.tag)
                && (slot::length(probe.tag) <= slot::INLINE || self.long(entry) == probe.piece(text))
            {
                return Some(id);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    #[inline]
    fn entry(&self, id: u32) -> Option<u128> {
        self.entries.get(id as usize).map(|entry| u128::from_le_bytes(*entry))
    }

    fn long(&self, entry: u128) -> Option<&'static [u8]> {
        self.long.get(slot::rest(entry)..slot::rest(entry) + slot::length(entry))
    }

    /// The id of an entry of exactly these two bytes.
    #[inline]
    pub fn pair(&self, first: u8, second: u8) -> Option<u32> {
        let at = usize::from(u16::from_le_bytes([first, second]));
        self.pairs.get(at).map(|id| u32::from_le_bytes(*id)).filter(|id| *id != u32::MAX)
    }

    /// The bytes of an id; `None` when there is no such entry.
    pub fn bytes(&self, id: u32) -> Option<&'static [u8]> {
        let length = slot::length(self.entry(id)?);
        let bytes = match length {
            0..=slot::INLINE => self.entries.get(id as usize)?.get(..length),
            _ => self.long(self.entry(id)?),
        };
        bytes.filter(|bytes| !bytes.is_empty())
    }

    /// One more than the last id.
    pub fn limit(&self) -> u32 {
        self.entries.len() as u32
    }
}

/// A piece of text, made ready to be looked up.
#[derive(Clone, Copy, Default)]
pub struct Probe {
    hash: u64,
    tag: u128,
    start: usize,
    end: usize,
}

impl Probe {
    #[inline]
    pub fn new(text: &[u8], piece: Range<usize>) -> Self {
        let bytes = sixteen_bytes(text, piece.start);
        if piece.len() > 16 {
            return Self::long(text, piece, bytes);
        }
        let key = slot::key_of(bytes, piece.len());
        let (hash, tag) = (slot::hash(key, piece.len()), slot::tag(key, piece.len()));
        Probe { hash, tag, start: piece.start, end: piece.end }
    }

    #[cold]
    fn long(text: &[u8], piece: Range<usize>, bytes: [u8; 16]) -> Self {
        // No entry is so long, nor its hash worth its while.
        let length = piece.len().min(slot::LONGEST + 1);
        let whole = text.get(piece.start..piece.start + length).unwrap_or_default();
        let tag = slot::tag(u128::from_le_bytes(bytes), length);
        Probe { hash: slot::hash_long(whole), tag, start: piece.start, end: piece.end }
    }

    /// Where the piece lies in its text.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The bytes of a piece of at most sixteen, as a number.
    pub fn key(&self, text: &[u8]) -> u128 {
        slot::key_of(sixteen_bytes(text, self.start), self.end - self.start)
    }

    fn piece<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        text.get(self.range())
    }
}

/// The sixteen bytes from `at`, with zeros past the end of the text.
#[inline]
fn sixteen_bytes(text: &[u8], at: usize) -> [u8; 16] {
    match text.get(at..).and_then(|rest| rest.first_chunk()) {
        Some(bytes) => *bytes,
        None => near_the_end(text, at),
    }
}

#[cold]
fn near_the_end(text: &[u8], at: usize) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(text.get(at..).unwrap_or_default()) {
        *to = *from;
    }
    bytes
}

#[cfg(test)]
mod tests;
