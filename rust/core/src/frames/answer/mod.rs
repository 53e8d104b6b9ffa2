//! What a provider's answer says about itself: usage, finish reasons, the model that served, an error in disguise.
//!
//! The dialect is OpenAI's, in all its variants: chat, legacy completions, embeddings, and the usage of responses,
//! images and transcriptions. Reading is lenient, since an answer that a client could use must not die here: unknown
//! members are passed over, odd numbers are bent into range, keys may repeat. It is never lax about grammar: half a
//! document is no answer.

use crate::body::BodyError;
use crate::body::json::Text;

mod choice;
mod error;
mod glance;
mod tap;
mod text;
mod unasked;
mod usage;

#[cfg(test)]
mod tests;

pub use error::{AnswerError, read_error};
pub use tap::{Seen, Summary, Tap};
pub use unasked::without_usage;
pub use usage::Usage;

use choice::{Shape, Sink};
use glance::Glance;
use text::Joiner;

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub usage: Option<Usage>,
    /// Of the first choice that has one.
    pub finish_reason: Option<String>,
    /// The model that served, in the provider's words.
    pub model: Option<String>,
    /// An error that came with a status of success.
    pub error: Option<AnswerError>,
    pub choices: usize,
    /// Vectors in an answer to an embeddings request.
    pub vectors: usize,
    /// The length that every vector has; `None` when they differ, are encoded or there are none.
    pub dimensions: Option<usize>,
    /// Some vectors are encoded, and were not measured.
    pub encoded: bool,
    /// What was generated, with reasoning and tool calls; empty unless asked for.
    pub text: String,
}

/// Reads a whole answer without its text.
///
/// # Errors
/// The body is no complete JSON document.
pub fn read_answer(body: &[u8]) -> Result<Answer, BodyError> {
    read_answer_text(body, 0)
}

/// Reads a whole answer and up to `keep_text_bytes` of its text.
///
/// # Errors
/// The body is no complete JSON document.
pub fn read_answer_text(body: &[u8], keep_text_bytes: usize) -> Result<Answer, BodyError> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let (mut choices, mut piece) = (Vec::new(), Vec::new());
    let mut sink = Sink { shape: Shape::Whole, text: &mut piece, limit: keep_text_bytes, given: 0 };
    let glance =
        Glance::read(body, &mut choices, &mut sink).map_err(|(fault, path)| BodyError::at(fault, path))?;
    let mut text = String::new();
    Joiner::new(keep_text_bytes).push(&piece, &mut text);
    Ok(Answer {
        usage: glance.usage,
        finish_reason: choices.into_iter().find_map(|choice| choice.finish_reason),
        model: glance.model.map(Text::to_text),
        error: if glance.is_suspicious { read_error(body) } else { None },
        choices: glance.choices,
        vectors: glance.vectors,
        dimensions: glance.dimensions.flatten(),
        encoded: glance.encoded,
        text,
    })
}
