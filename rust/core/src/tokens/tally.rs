//! The running count of one request: what every text in it goes through.

use std::str;

use super::definitions::Rendered;
use super::memo::{MEMORABLE_BYTES, Memo};
use super::tokenizer::Tokenizer;
use super::{CountError, TokenCount};
use crate::body::json::Text;

/// Kinds of texts that are the same bytes but not the same count.
#[derive(Clone, Copy)]
pub enum Kind {
    Plain = 0,
    /// A system message with the tools that are written into it.
    SystemAndTools = 1,
    ChatMlTools = 2,
    ReasoningTools = 3,
    ResponseFormat = 4,
}

/// Counts texts, with the help of a memo, until the work allowed is done.
pub struct Tally<'t> {
    tokenizer: &'t Tokenizer,
    memo: &'t mut Memo,
    /// How many bytes may still be counted afresh.
    fresh_bytes: usize,
    text_tokens: usize,
    image_tokens: usize,
    exact: bool,
}

impl<'t> Tally<'t> {
    /// Without `max_fresh_bytes`, everything is counted.
    pub fn new(tokenizer: &'t Tokenizer, memo: &'t mut Memo, max_fresh_bytes: Option<usize>) -> Self {
        let fresh_bytes = max_fresh_bytes.unwrap_or(usize::MAX);
        Tally { tokenizer, memo, fresh_bytes, text_tokens: 0, image_tokens: 0, exact: true }
    }

    pub fn total(self) -> TokenCount {
        TokenCount { text_tokens: self.text_tokens, image_tokens: self.image_tokens, exact: self.exact }
    }

    /// Adds tokens that stand for no text.
    pub fn add(&mut self, tokens: usize) {
        self.text_tokens += tokens;
    }

    pub fn add_image(&mut self, tokens: usize) {
        self.image_tokens += tokens;
    }

    /// Takes back a token: a few texts, put together, are one fewer than the sum.
    pub fn take(&mut self, tokens: usize) {
        self.text_tokens = self.text_tokens.saturating_sub(tokens);
    }

    /// Says that the count is no more than an estimate.
    pub fn doubt(&mut self) {
        self.exact = false;
    }

    /// Adds a text that was put together here, a role or a name as a rule; those are always counted.
    pub fn add_own(&mut self, text: &str) -> Result<(), CountError> {
        if text.len() < MEMORABLE_BYTES {
            self.text_tokens += self.tokenizer.count(text, &mut self.memo.pieces);
            return Ok(());
        }
        let rendered = || Ok(Rendered { text: text.to_owned(), sure: true });
        self.add_segment(Kind::Plain, &[text.as_bytes()], rendered)
    }

    /// Adds a string of the request.
    pub fn add_text(&mut self, text: Text<'_>) -> Result<(), CountError> {
        self.add_segment(Kind::Plain, &[text.raw], || {
            Ok(Rendered {
                text: String::from_utf8(text.bytes().into_owned()).map_err(|_| not_text(text))?,
                sure: true,
            })
        })
    }

    /// Adds what `render` makes of parts of the request, unless the memo knows it or it is too much work now.
    pub fn add_segment(
        &mut self,
        kind: Kind,
        parts: &[&[u8]],
        render: impl FnOnce() -> Result<Rendered, CountError>,
    ) -> Result<(), CountError> {
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        let key = (bytes >= MEMORABLE_BYTES).then(|| self.memo.key(kind as u8, parts));
        if let Some(known) = key.and_then(|key| self.memo.get(key)) {
            self.text_tokens += known as usize >> 1;
            self.exact &= known & 1 == 1;
            return Ok(());
        }
        if bytes > self.fresh_bytes {
            self.text_tokens += self.memo.guess(bytes);
            self.exact = false;
            return Ok(());
        }
        self.fresh_bytes -= bytes;
        let rendered = render()?;
        let tokens = self.tokenizer.count(&rendered.text, &mut self.memo.pieces);
        if let Some(key) = key {
            self.memo.saw(bytes, tokens);
            self.memo.put(key, u32::try_from(tokens << 1 | usize::from(rendered.sure)).unwrap_or(u32::MAX));
        }
        self.text_tokens += tokens;
        self.exact &= rendered.sure;
        Ok(())
    }
}

/// Why a string of the request is no text.
pub fn not_text(text: Text<'_>) -> CountError {
    match str::from_utf8(text.raw) {
        Ok(_) => CountError::new("a string holds half of a surrogate pair, which is no character"),
        Err(_) => CountError::new("the request is not valid UTF-8"),
    }
}
