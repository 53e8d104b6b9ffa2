//! The encodings whose vocabularies are built in: text to ids, exactly as tiktoken does it.
//!
//! Counting is the hot path and does less than encoding: most pieces of ordinary text are entries themselves, and one
//! look-up says so. Text is never searched for special tokens: it comes from strangers.

use super::merge::{Source, parts};
use super::split::{Pattern, piece_end};
use super::vocabulary::{CL100K, O200K, P50K, Vocabulary};

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

    /// How many tokens `text` is.
    pub fn count(self, text: &str) -> usize {
        match self.pattern() {
            Pattern::O200k => count(&O200K, text, |start| piece_end(Pattern::O200k, text, start)),
            Pattern::Cl100k => count(&CL100K, text, |start| piece_end(Pattern::Cl100k, text, start)),
            Pattern::P50k => count(&P50K, text, |start| piece_end(Pattern::P50k, text, start)),
        }
    }

    /// The ids of the tokens of `text`.
    pub fn encode(self, text: &str) -> Vec<u32> {
        let source = Source { vocabulary: self.vocabulary(), text: text.as_bytes() };
        let (mut ids, mut start) = (Vec::with_capacity(text.len() / 4), 0);
        while start < text.len() {
            let end = piece_end(self.pattern(), text, start);
            match source.vocabulary.id(source.text, start..end) {
                Some(id) => ids.push(id),
                None => parts(source, start..end, |part| {
                    ids.extend(source.vocabulary.id(source.text, part));
                }),
            }
            start = end;
        }
        ids
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
    pub fn len(self) -> u32 {
        self.vocabulary().len()
    }
}

/// `Encoding::count` with the pattern known to the compiler.
#[inline]
fn count(vocabulary: &'static Vocabulary, text: &str, piece_end: impl Fn(usize) -> usize) -> usize {
    let source = Source { vocabulary, text: text.as_bytes() };
    let (mut tokens, mut start) = (0, 0);
    while start < text.len() {
        let end = piece_end(start);
        match vocabulary.id(source.text, start..end) {
            Some(_) => tokens += 1,
            None => parts(source, start..end, |_| tokens += 1),
        }
        start = end;
    }
    tokens
}

#[cfg(test)]
mod tests;
