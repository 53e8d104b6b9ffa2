//! Whatever turns text into tokens: a built-in encoding, or one read from a file.

use kitoken::Kitoken;

use super::CountError;
use super::encoding::Encoding;
use super::known::KnownPieces;

/// A tokeniser.
pub enum Tokenizer {
    BuiltIn(Encoding),
    /// From a `tokenizer.json`.
    File(Box<Kitoken>),
}

impl Tokenizer {
    /// Reads the contents of a Hugging Face `tokenizer.json`.
    pub fn from_json(json: &[u8]) -> Result<Self, CountError> {
        let tokenizer = Kitoken::from_tokenizers_slice(json);
        let tokenizer =
            tokenizer.map_err(|error| CountError::new(format!("no usable tokenizer.json: {error}")))?;
        Ok(Tokenizer::File(Box::new(tokenizer)))
    }

    /// Whether this is the built-in `encoding`, or one that treats ordinary text the same.
    pub fn is(&self, encoding: Encoding) -> bool {
        matches!(self, Tokenizer::BuiltIn(own) if own.is_like(encoding))
    }

    /// How many tokens `text` is. A file's tokeniser counts nothing for what it cannot encode. `known` must have served
    /// this tokeniser alone.
    pub fn count(&self, text: &str, known: &mut KnownPieces) -> usize {
        match self {
            Tokenizer::BuiltIn(encoding) => encoding.count(text, known),
            Tokenizer::File(tokenizer) => tokenizer.encode(text, false).map_or(0, |ids| ids.len()),
        }
    }

    /// The ids of the tokens of `text`.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, CountError> {
        match self {
            Tokenizer::BuiltIn(encoding) => Ok(encoding.encode(text)),
            Tokenizer::File(tokenizer) => {
                tokenizer.encode(text, false).map_err(|error| CountError::new(error.to_string()))
            }
        }
    }

    /// The bytes that ids stand for.
    pub fn decode(&self, ids: &[u32]) -> Result<Vec<u8>, CountError> {
        match self {
            Tokenizer::BuiltIn(encoding) => {
                encoding.decode(ids).ok_or_else(|| CountError::new("an id is no entry of the vocabulary"))
            }
            Tokenizer::File(tokenizer) => {
                tokenizer.decode(ids, false).map_err(|error| CountError::new(error.to_string()))
            }
        }
    }
}

#[cfg(test)]
mod tests;
