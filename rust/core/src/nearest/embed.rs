//! Texts as vectors, without a network of many layers: words as they are spelt, or a table of tokens' meanings.

use kitoken::Kitoken;
use xxhash_rust::xxh3::xxh3_64;

use super::words::{Question, stem};

/// What makes vectors.
pub enum Embedder {
    /// Words and their letters, hashed into so many places: needs nothing, and knows no synonyms.
    Spelling { dimensions: usize },
    /// The mean of tokens' vectors.
    Tokens(Box<TokenTable>),
}

/// Vectors of tokens.
pub struct TokenTable {
    tokenizer: Kitoken,
    dimensions: usize,
    rows: Vec<f32>,
}

/// Why a table of tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("the tokenizer cannot be read: {0}")]
    Tokenizer(String),
    #[error("the weights are not rows of {dimensions} half-precision numbers")]
    Weights { dimensions: usize },
}

/// Of what is longer no more is read.
const MOST_BYTES: usize = 8 * 1024;
/// What the words, their letters and the words between them weigh.
const OF_STEM: f32 = 1.0;
const OF_LETTERS: f32 = 0.25;
const OF_FUNCTION: f32 = 0.15;

impl Embedder {
    /// A table of tokens: its weights as 16-bit floating point numbers, row by row, and the tokenizer as Hugging Face's
    /// `tokenizer.json` has it.
    pub fn tokens(weights: &[u8], dimensions: usize, tokenizer: &[u8]) -> Result<Self, TableError> {
        let tokenizer = Kitoken::from_tokenizers_slice(tokenizer)
            .map_err(|error| TableError::Tokenizer(error.to_string()))?;
        if dimensions == 0 || weights.is_empty() || !weights.len().is_multiple_of(dimensions * 2) {
            return Err(TableError::Weights { dimensions });
        }
        let rows =
            weights.as_chunks::<2>().0.iter().map(|half| from_half(u16::from_le_bytes(*half))).collect();
        Ok(Self::Tokens(Box::new(TokenTable { tokenizer, dimensions, rows })))
    }

    pub fn dimensions(&self) -> usize {
        match self {
            Self::Spelling { dimensions } => *dimensions,
            Self::Tokens(table) => table.dimensions,
        }
    }

    /// The vector of a text; all zeros where it says nothing.
    pub fn embed(&self, text: &str) -> Vec<f32> {
        let end = (0..=text.len().min(MOST_BYTES)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        let text = text.get(..end).unwrap_or(text);
        match self {
            Self::Spelling { dimensions } => spelling(text, *dimensions),
            Self::Tokens(table) => table.mean(text),
        }
    }

    /// How alike two words are, from 0 to 1.
    pub fn alike(&self, one: &str, other: &str) -> f32 {
        let spelt = shared_letters(one, other);
        match self {
            Self::Spelling { .. } => spelt,
            Self::Tokens(table) => spelt.max(cosine(&table.mean(one), &table.mean(other))),
        }
    }
}

impl TokenTable {
    fn mean(&self, text: &str) -> Vec<f32> {
        let mut sum = vec![0.0; self.dimensions];
        let tokens = self.tokenizer.encode(text.to_lowercase(), false).unwrap_or_default();
        for token in tokens {
            let at = token as usize * self.dimensions;
            for (total, value) in
                sum.iter_mut().zip(self.rows.get(at..at + self.dimensions).unwrap_or_default())
            {
                *total += value;
            }
        }
        sum
    }
}

fn spelling(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.0; dimensions];
    let mut add = |what: &[u8], weight: f32| {
        let hash = xxh3_64(what);
        let sign = if hash >> 63 == 0 { weight } else { -weight };
        if let Some(place) = vector.get_mut(usize::try_from(hash % dimensions.max(1) as u64).unwrap_or(0)) {
            *place += sign;
        }
    };
    let question = Question::read(text);
    for word in &question.content {
        add(word.stem.as_bytes(), OF_STEM);
        for letters in format!("^{}$", word.stem).as_bytes().windows(3) {
            add(letters, OF_LETTERS);
        }
    }
    for (word, times) in &question.function {
        add(word.as_bytes(), OF_FUNCTION * *times as f32);
    }
    vector
}

/// The share of pairs of letters that two words have in common, where they are nearly the same: spellings of one word,
/// not words that look alike.
fn shared_letters(one: &str, other: &str) -> f32 {
    let (one, other) = (stem(one), stem(other));
    if one == other {
        return 1.0;
    }
    let pairs = |word: &str| -> Vec<[u8; 2]> {
        word.as_bytes().windows(2).filter_map(|two| two.try_into().ok()).collect()
    };
    let (ours, mut theirs) = (pairs(&one), pairs(&other));
    let total = ours.len() + theirs.len();
    let shared = ours
        .iter()
        .filter(|pair| {
            theirs.iter().position(|their| their == *pair).map(|at| theirs.swap_remove(at)).is_some()
        })
        .count();
    let share = if total == 0 { 0.0 } else { 2.0 * shared as f32 / total as f32 };
    if share >= 0.75 && one.as_bytes().first() == other.as_bytes().first() { share } else { 0.0 }
}

fn cosine(one: &[f32], other: &[f32]) -> f32 {
    let dot: f32 = one.iter().zip(other).map(|(a, b)| a * b).sum();
    let norm = |vector: &[f32]| vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    let norms = norm(one) * norm(other);
    if norms > 0.0 { dot / norms } else { 0.0 }
}

/// A number of IEEE 754's 16 bits.
fn from_half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff) / 1024.0);
    sign * match exponent {
        0 => fraction * 2f32.powi(-14),
        _ => (1.0 + fraction) * 2f32.powi(exponent - 15),
    }
}
