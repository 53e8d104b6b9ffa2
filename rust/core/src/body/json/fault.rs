//! What may be wrong with a document.

/// A fault, and the offset of the byte where it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub problem: Problem,
    pub offset: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    Truncated,
    NoValue,
    NoKey,
    NoColon,
    NoSeparator,
    Trailing,
    BadNumber,
    BadEscape,
    ControlCharacter,
    NotUtf8,
    Utf16,
    LoneSurrogate,
    NulInKey,
    DuplicateKey,
    TooDeep,
    NotFinite,
}

impl Problem {
    /// The stable code that clients see.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotUtf8 | Self::Utf16 | Self::LoneSurrogate | Self::NulInKey => "invalid_encoding",
            Self::DuplicateKey => "duplicate_key",
            Self::TooDeep => "too_deep",
            Self::NotFinite => "not_finite",
            _ => "invalid_json",
        }
    }

    /// The fault in words.
    pub fn message(self) -> &'static str {
        match self {
            Self::Truncated => "the JSON ends before it is complete",
            Self::NoValue => "a JSON value is expected",
            Self::NoKey => "a key in double quotes is expected",
            Self::NoColon => "a colon is expected after the key",
            Self::NoSeparator => "a comma or the end of the object or array is expected",
            Self::Trailing => "there is something after the end of the JSON value",
            Self::BadNumber => "this is not a JSON number",
            Self::BadEscape => "this is not a JSON escape",
            Self::ControlCharacter => "a control character stands unescaped in a string",
            Self::NotUtf8 => "the body is not valid UTF-8",
            Self::Utf16 => "the body looks like UTF-16 or UTF-32; send UTF-8",
            Self::LoneSurrogate => "a string holds half of a surrogate pair",
            Self::NulInKey => "a key holds a NUL character",
            Self::DuplicateKey => "the same key stands twice in one object",
            Self::TooDeep => "the JSON nests too deep",
            Self::NotFinite => "a number is not finite",
        }
    }
}
