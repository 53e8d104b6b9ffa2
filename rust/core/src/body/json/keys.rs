//! Finds a key that stands twice in one object.
//!
//! Keys are compared by hash, then by name. In a small object each is compared with all before it, which beats any
//! table. A large one is sorted when it ends, and not hashed into a table: a body made to collide costs n log n too.

use std::ops::Range;

use super::{Problem, Text};

/// Up to here keys are compared one with another.
const FEW: usize = 16;

/// The keys of every object that is open, the innermost last.
#[derive(Debug)]
pub(super) struct Keys<'a> {
    document: &'a [u8],
    held: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    /// Of the name without escapes, so that `\u006dodel` is `model`.
    hash: u64,
    /// Where it lies, without its quotes.
    start: usize,
    end: usize,
}

impl<'a> Keys<'a> {
    pub fn of(document: &'a [u8]) -> Self {
        Self { document, held: Vec::with_capacity(32) }
    }

    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Adds a key to the object whose keys begin at `from`.
    #[inline]
    pub fn hold(&mut self, from: usize, key: Text<'a>, span: Range<usize>) -> Result<(), Problem> {
        let name = key.bytes();
        if key.escapes > 0 && name.contains(&0) {
            return Err(Problem::NulInKey);
        }
        let key = Key { hash: hash(&name), start: span.start, end: span.end };
        let before = self.held.get(from..).unwrap_or_default();
        let is_twin = |held: &Key| held.hash == key.hash && *held.name(self.document) == *name;
        if before.len() < FEW && before.iter().any(is_twin) {
            return Err(Problem::DuplicateKey);
        }
        self.held.push(key);
        Ok(())
    }

    /// Ends the object whose keys begin at `from`; fails with the place of the first key that had stood before.
    #[inline]
    pub fn release(&mut self, from: usize) -> Result<(), Range<usize>> {
        let again = if self.held.len() - from > FEW { self.first_twin(from) } else { None };
        self.held.truncate(from);
        again.map_or(Ok(()), Err)
    }

    fn first_twin(&mut self, from: usize) -> Option<Range<usize>> {
        let document = self.document;
        let ended = self.held.get_mut(from..)?;
        ended.sort_unstable_by(|a, b| {
            let by_name = || a.name(document).cmp(&b.name(document)).then(a.start.cmp(&b.start));
            a.hash.cmp(&b.hash).then_with(by_name)
        });
        let neighbours = ended.iter().zip(ended.iter().skip(1));
        let twins = neighbours.filter(|(a, b)| a.hash == b.hash && a.name(document) == b.name(document));
        twins.map(|(_, b)| b.start..b.end).min_by_key(|span| span.start)
    }
}

impl Key {
    fn name<'a>(&self, document: &'a [u8]) -> std::borrow::Cow<'a, [u8]> {
        Text::written(document.get(self.start..self.end).unwrap_or_default()).bytes()
    }
}

/// Eight bytes at a time; it need not resist anybody, only tell usual keys apart.
#[inline]
fn hash(name: &[u8]) -> u64 {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(ODD).rotate_left(29);
    let (words, rest) = name.as_chunks::<8>();
    let whole = words.iter().fold(name.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let last = rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    mix(whole, last)
}
