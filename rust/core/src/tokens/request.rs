//! Counts the prompt of a request from the bytes of its body.

use super::chat;
use super::document::{Request, Value};
use super::memo::Memo;
use super::model::Model;
use super::tally::Tally;
use super::tokenizer::Tokenizer;
use super::{CountError, TokenCount};

/// What a body is a request for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Chat,
    Completions,
    Embeddings,
}

impl Endpoint {
    /// What an endpoint may be called.
    pub const NAMES: [&str; 3] = ["chat", "completions", "embeddings"];

    /// The endpoint of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "chat" => Some(Endpoint::Chat),
            "completions" => Some(Endpoint::Completions),
            "embeddings" => Some(Endpoint::Embeddings),
            _ => None,
        }
    }
}

/// Counts the prompt of `body`, a request to `model`.
///
/// Long texts that are not in the memo are estimated once `max_fresh_bytes` were counted; without it, never.
pub fn count_request(
    body: &[u8],
    endpoint: Endpoint,
    model: &Model,
    tokenizer: &Tokenizer,
    memo: &mut Memo,
    max_fresh_bytes: Option<usize>,
) -> Result<TokenCount, CountError> {
    let request = Request::read(body)?;
    let mut tally = Tally::new(tokenizer, memo, max_fresh_bytes);
    if !model.verified || !tokenizer.is(model.encoding) {
        tally.doubt();
    }
    match endpoint {
        Endpoint::Chat => chat::count(&request, model, &mut tally)?,
        Endpoint::Completions => count_inputs(&request.value("prompt")?, &mut tally)?,
        Endpoint::Embeddings => count_inputs(&request.value("input")?, &mut tally)?,
    }
    let mut count = tally.total();
    if endpoint == Endpoint::Embeddings {
        // An empty text is billed as one token.
        count.text_tokens = count.text_tokens.max(1);
    }
    Ok(count)
}

/// A text, a list of ids, or a list of such.
fn count_inputs(inputs: &Value<'_>, tally: &mut Tally<'_>) -> Result<(), CountError> {
    match inputs {
        Value::Text(text) => tally.add_text(*text)?,
        Value::Number(_) => tally.add(1),
        Value::List(inputs) => {
            for input in inputs {
                count_inputs(input, tally)?;
            }
        }
        _ => tally.doubt(),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
