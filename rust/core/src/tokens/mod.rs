//! Counts tokens: of a text, and of a whole request as the provider will bill it.
//!
//! Text is cut into pieces (`split`), most of which are one entry of a vocabulary (`vocabulary`), and the rest merged
//! (`merge`); the result is tiktoken's, id for id. A request is more than its texts: `chat` adds what the provider
//! writes around them, `definitions` renders tools as the models read them, `image` applies the published prices. The
//! rules that nobody publishes were found in recorded usage; a count says whether it follows such rules throughout,
//! is `exact`, or is an estimate.

mod chat;
mod correction;
mod definitions;
mod document;
mod encoding;
mod image;
mod known;
mod memo;
mod merge;
mod model;
mod request;
#[allow(dead_code, reason = "the build script needs what the look-up does not")]
mod slot;
mod split;
mod tally;
mod tokenizer;
mod vocabulary;

pub use correction::Correction;
pub use encoding::Encoding;
pub use known::KnownPieces;
pub use memo::Memo;
pub use model::{Layout, Model, Vision};
pub use request::{Endpoint, count_request};
pub use tokenizer::Tokenizer;

/// What a request's prompt is counted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenCount {
    pub text_tokens: usize,
    pub image_tokens: usize,
    /// Whether the rules that were followed are known to be the provider's.
    pub exact: bool,
}

impl TokenCount {
    /// All tokens of the prompt.
    pub fn tokens(&self) -> usize {
        self.text_tokens + self.image_tokens
    }
}

/// Why something cannot be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountError {
    pub message: String,
}

impl CountError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        CountError { message: message.into() }
    }
}

impl std::fmt::Display for CountError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for CountError {}
