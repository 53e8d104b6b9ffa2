//! Reads a client's request body and edits it without touching a byte that no policy changes.
//!
//! A body is not parsed into a tree and written anew: that would lose what we do not know (big integers, the order of
//! keys, fields of next year) and costs more than all else the gateway does. One strict pass checks the whole document
//! and notes where each top-level member lies; an edit splices between those places.

use std::ops::Range;

mod fields;
pub(crate) mod json;
mod rewrite;

#[cfg(test)]
mod tests;

use fields::{UsageOption, Value};
use json::{Fault, Problem, Scanner};
pub use rewrite::Edits;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The members of a request and the few of them that the gateway itself reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestBody {
    /// `None` when absent or null.
    pub model: Option<String>,
    pub stream: bool,
    /// `stream_options.include_usage`.
    pub include_usage: bool,
    /// `max_completion_tokens`, else `max_tokens`.
    pub max_tokens: Option<u64>,
    /// How many choices are asked for; never 0.
    pub n: Option<u64>,
    /// `user`, else `safety_identifier`.
    pub end_user: Option<String>,
    /// Where the document begins: after the byte order mark, if there is one.
    start: usize,
    fields: Vec<Field>,
    usage_option: UsageOption,
}

/// Why a body is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyError {
    /// `invalid_json`, `not_an_object`, `duplicate_key`, `invalid_encoding`, `too_deep`, `not_finite` or
    /// `invalid_value`.
    pub code: &'static str,
    /// The byte where it shows.
    pub offset: usize,
    /// The field at fault, as `messages[3].content`; empty when none is.
    pub path: String,
    pub message: String,
}

impl std::fmt::Display for BodyError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.path.as_str() {
            "" => write!(formatter, "{} (at byte {})", self.message, self.offset),
            path => write!(formatter, "{path}: {} (at byte {})", self.message, self.offset),
        }
    }
}

impl std::error::Error for BodyError {}

/// A top-level member.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    /// What the key means, when it is written with escapes.
    name: Option<Box<[u8]>>,
    /// With its quotes.
    key: Range<usize>,
    value: Range<usize>,
}

/// Reads a request body, checking all of it.
///
/// # Errors
/// The first fault found; `max_depth` is how many containers may nest.
pub fn read(body: &[u8], max_depth: usize) -> Result<RequestBody, BodyError> {
    let start = if body.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    check_encoding(body).map_err(|fault| BodyError::at(fault, String::new()))?;
    let mut scanner = Scanner::strict(body, start, max_depth);
    let mut request = RequestBody { start, ..RequestBody::default() };
    match request.scan(&mut scanner) {
        Ok(true) => request.interpret(body).map(|()| request),
        Ok(false) => Err(BodyError {
            code: "not_an_object",
            offset: start,
            path: String::new(),
            message: "the body must be a JSON object".to_owned(),
        }),
        Err(fault) => Err(BodyError::at(fault, scanner.path())),
    }
}

impl RequestBody {
    /// The value of a top-level field, as it stands in `body`, which must be the one that was read.
    pub fn field<'a>(&self, body: &'a [u8], name: &str) -> Option<&'a [u8]> {
        let field = self.fields.iter().find(|field| field.is_named(body, name))?;
        body.get(field.value.clone())
    }

    /// The body with `edits` made and every other byte as it was (a byte order mark goes).
    pub fn rewrite(&self, body: &[u8], edits: &Edits<'_>) -> Vec<u8> {
        rewrite::rewrite(self, body, edits)
    }

    /// Notes the members; `false` when the document is no object.
    fn scan(&mut self, scanner: &mut Scanner<'_>) -> Result<bool, Fault> {
        let is_object = scanner.object_or_skip()?;
        if is_object {
            self.fields.reserve(16);
            while let Some(key) = scanner.next_key()? {
                let name = (key.escapes > 0).then(|| key.bytes().into());
                self.fields.push(Field { name, key: scanner.key_span(), value: scanner.skip()? });
            }
        }
        scanner.end()?;
        Ok(is_object)
    }

    fn interpret(&mut self, body: &[u8]) -> Result<(), BodyError> {
        let (mut older_max, mut newer_end_user) = (None, None);
        for field in &self.fields {
            let value = Value { body, span: field.value.clone() };
            match field.name(body) {
                b"model" => self.model = value.string("model")?,
                b"stream" => self.stream = value.boolean("stream")?,
                b"stream_options" => (self.include_usage, self.usage_option) = value.stream_options()?,
                b"max_completion_tokens" => self.max_tokens = value.count("max_completion_tokens")?,
                b"max_tokens" => older_max = value.count("max_tokens")?,
                b"n" => self.n = value.positive("n")?,
                b"user" => self.end_user = value.string("user")?,
                b"safety_identifier" => newer_end_user = value.string("safety_identifier")?,
                _ => {}
            }
        }
        self.max_tokens = self.max_tokens.or(older_max);
        self.end_user = self.end_user.take().or(newer_end_user);
        Ok(())
    }
}

impl Field {
    fn name<'a>(&'a self, body: &'a [u8]) -> &'a [u8] {
        let written = self.key.start + 1..self.key.end.saturating_sub(1);
        self.name.as_deref().unwrap_or_else(|| body.get(written).unwrap_or_default())
    }

    fn is_named(&self, body: &[u8], name: &str) -> bool {
        self.name(body) == name.as_bytes()
    }
}

impl BodyError {
    pub(crate) fn at(fault: Fault, path: String) -> Self {
        let Fault { problem, offset } = fault;
        Self { code: problem.code(), offset, path, message: problem.message().to_owned() }
    }
}

/// UTF-8 is checked once, here, so that every slice of the body between two ASCII bytes is text.
fn check_encoding(body: &[u8]) -> Result<(), Fault> {
    // The first character of a JSON document is ASCII: a zero beside it betrays a wider encoding.
    if body.iter().take(4).any(|byte| *byte == 0)
        || body.starts_with(b"\xFF\xFE")
        || body.starts_with(b"\xFE\xFF")
    {
        return Err(Fault { problem: Problem::Utf16, offset: 0 });
    }
    std::str::from_utf8(body)
        .map(|_| ())
        .map_err(|error| Fault { problem: Problem::NotUtf8, offset: error.valid_up_to() })
}
