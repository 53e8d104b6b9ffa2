//! The encodings whose vocabularies are built in: text to ids, exactly as tiktoken does it.
//!
//! Counting is the hot path and does less than encoding: most pieces of ordinary text are entries themselves, and one
//! look-up says so. Text is never searched for special tokens: it comes from strangers.

use super::known::{self, KnownPieces};
use super::merge::{Source, parts};
use super::split::{Pattern, piece_end};
use super::vocabulary::{CL100K, O200K, P50K, Probe, Vocabulary};

/// A built-in encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    O200kBase,
    /// The same as `O200kBase` for ordinary text; only the special tokens differ.
    O200kHarmony,
    Cl100kBase,
    P50kBase,
}

impl Encoding {
    pub const ALL: [Encoding; 4] =
        [Encoding::O200kBase, Encoding::O200kHarmony, Encoding::Cl100kBase, Encoding::P50kBase];

    /// The encoding of this name, as tiktoken spells it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|encoding| encoding.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Encoding::O200kBase => "o200k_base",
            Encoding::O200kHarmony => "o200k_harmony",
            Encoding::Cl100kBase => "cl100k_base",
            Encoding::P50kBase => "p50k_base",
        }
    }

    /// Whether both treat ordinary text the same.
    pub fn is_like(self, other: Encoding) -> bool {
        std::ptr::eq(self.vocabulary(), other.vocabulary())
    }

    fn pattern(self) -> Pattern {
        match self {
            Encoding::O200kBase | Encoding::O200kHarmony => Pattern::O200k,
            Encoding::Cl100kBase => Pattern::Cl100k,
            Encoding::P50kBase => Pattern::P50k,
        }
    }

    fn vocabulary(self) -> &'static Vocabulary {
        match self {
            Encoding::O200kBase | Encoding::O200kHarmony => &O200K,
            Encoding::Cl100kBase => &CL100K,
            Encoding::P50kBase => &P50K,
        }
    }

    /// How many tokens `text` is. `known` must have served this encoding alone.
    pub fn count(self, text: &str, known: &mut KnownPieces) -> usize {
        let mut tokens = 0;
        self.walk(text, &mut |found| match found {
            Found::Entry(_) => tokens += 1,
            Found::Unknown(source, probe) => tokens += count_parts(source, probe, known),
        });
        tokens
    }

    /// The ids of the tokens of `text`.
    pub fn encode(self, text: &str) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 4);
        self.walk(text, &mut |found| match found {
            Found::Entry(id) => ids.push(id),
            Found::Unknown(source, probe) => {
                parts(source, probe.range(), |part| ids.extend(source.vocabulary.id(source.text, part)));
            }
        });
        ids
    }

    /// Tells `see` every piece of `text`, in order. The pattern is made known to the compiler here.
    fn walk(self, text: &str, see: &mut impl FnMut(Found<'_>)) {
        match self.pattern() {
            Pattern::O200k => walk(&O200K, text, |start| piece_end(Pattern::O200k, text, start), see),
            Pattern::Cl100k => walk(&CL100K, text, |start| piece_end(Pattern::Cl100k, text, start), see),
            Pattern::P50k => walk(&P50K, text, |start| piece_end(Pattern::P50k, text, start), see),
        }
    }

    /// The bytes that these ids stand for (not always whole characters), or `None` when one is no entry.
    pub fn decode(self, ids: &[u32]) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(ids.len() * 4);
        for id in ids {
            bytes.extend(self.vocabulary().bytes(*id)?);
        }
        Some(bytes)
    }

    /// One more than the last id that stands for text.
    pub fn limit(self) -> u32 {
        self.vocabulary().limit()
    }
}

/// A piece of text, looked up.
enum Found<'a> {
    Entry(u32),
    Unknown(Source<'a>, &'a Probe),
}

/// How many tokens a piece is that is no entry.
fn count_parts(source: Source<'_>, probe: &Probe, known: &mut KnownPieces) -> usize {
    let memorable = probe.range().len() <= known::LONGEST;
    let key = if memorable { probe.key(source.text) } else { 0 };
    if memorable && let Some(count) = known.get(key, probe.range().len(), probe.hash()) {
        return count;
    }
    let mut count = 0;
    parts(source, probe.range(), |_| count += 1);
    if memorable {
        known.put(key, probe.range().len(), probe.hash(), count);
    }
    count
}

#[inline]
fn walk(
    vocabulary: &Vocabulary,
    text: &str,
    piece_end: impl Fn(usize) -> usize,
    see: &mut impl FnMut(Found<'_>),
) {
    let source = Source { vocabulary, text: text.as_bytes() };
    let mut start = 0;
    while start < text.len() {
        let end = piece_end(start);
        let probe = Probe::new(source.text, start..end);
        match vocabulary.find(source.text, &probe) {
            Some(id) => see(Found::Entry(id)),
            None => see(Found::Unknown(source, &probe)),
        }
        start = end;
    }
}

#[cfg(test)]
mod tests;
