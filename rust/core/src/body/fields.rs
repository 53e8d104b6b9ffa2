//! The fields of a request that the gateway reads, each with its type and range. Null is absent, as OpenAI has it.

use std::ops::Range;

use super::BodyError;
use super::json::{Kind, Scanner};

/// Where `stream_options.include_usage` is or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum UsageOption {
    /// `stream_options` is absent or null.
    #[default]
    NoOptions,
    /// `stream_options` is an object without it, which begins here.
    Unset {
        after_brace: usize,
        is_empty: bool,
    },
    Set(Range<usize>),
}

/// A value of the body, which is known to be well formed.
pub(super) struct Value<'a> {
    pub body: &'a [u8],
    pub span: Range<usize>,
}

impl Value<'_> {
    /// Text that may become a name in a log, a header or a database: a NUL is refused.
    pub fn string(&self, path: &str) -> Result<Option<String>, BodyError> {
        let mut scanner = self.scanner();
        match scanner.kind() {
            Ok(Kind::Null) => Ok(None),
            Ok(Kind::String) => {
                let text = scanner.text().map_err(|fault| BodyError::at(fault, path.to_owned()))?.to_text();
                if text.contains('\0') {
                    return Err(self.error("invalid_encoding", path, "must not hold a NUL character"));
                }
                Ok(Some(text))
            }
            _ => Err(self.wrong(path, "must be a string")),
        }
    }

    pub fn boolean(&self, path: &str) -> Result<bool, BodyError> {
        match self.scanner().kind() {
            Ok(Kind::True) => Ok(true),
            Ok(Kind::False | Kind::Null) => Ok(false),
            _ => Err(self.wrong(path, "must be true or false")),
        }
    }

    /// A whole number that is not negative, written without a point or an exponent.
    pub fn count(&self, path: &str) -> Result<Option<u64>, BodyError> {
        match self.scanner().kind() {
            Ok(Kind::Null) => Ok(None),
            Ok(Kind::Number) => {
                self.whole().map(Some).ok_or_else(|| self.wrong(path, "must be a whole number, 0 or more"))
            }
            _ => Err(self.wrong(path, "must be a whole number")),
        }
    }

    pub fn positive(&self, path: &str) -> Result<Option<u64>, BodyError> {
        match self.count(path)? {
            Some(0) => Err(self.wrong(path, "must be 1 or more")),
            count => Ok(count),
        }
    }

    pub fn stream_options(&self) -> Result<(bool, UsageOption), BodyError> {
        let mut scanner = self.scanner();
        match scanner.kind() {
            Ok(Kind::Null) => return Ok((false, UsageOption::NoOptions)),
            Ok(Kind::Object) => {}
            _ => return Err(self.wrong("stream_options", "must be an object")),
        }
        let path = "stream_options.include_usage";
        let found =
            scanner.member(b"include_usage").map_err(|fault| BodyError::at(fault, path.to_owned()))?;
        let Some(span) = found else {
            let after_brace = self.span.start + 1;
            let inner = self.body.get(after_brace..self.span.end.saturating_sub(1)).unwrap_or_default();
            return Ok((false, UsageOption::Unset { after_brace, is_empty: inner.trim_ascii().is_empty() }));
        };
        let asked = Value { body: self.body, span: span.clone() }.boolean(path)?;
        Ok((asked, UsageOption::Set(span)))
    }

    fn whole(&self) -> Option<u64> {
        std::str::from_utf8(self.body.get(self.span.clone())?).ok()?.parse().ok()
    }

    fn scanner(&self) -> Scanner<'_> {
        Scanner::lenient(self.body, self.span.start)
    }

    fn wrong(&self, path: &str, message: &str) -> BodyError {
        self.error("invalid_value", path, message)
    }

    fn error(&self, code: &'static str, path: &str, message: &str) -> BodyError {
        BodyError { code, offset: self.span.start, path: path.to_owned(), message: message.to_owned() }
    }
}
