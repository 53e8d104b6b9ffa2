//! Strings, numbers and literals.

use std::borrow::Cow;

use super::{Fault, Problem, Scanner};

/// A number of fewer bytes without an exponent cannot exceed a double.
const SURELY_FINITE_BYTES: usize = 300;

/// A string as it stands between its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text<'a> {
    pub raw: &'a [u8],
    /// How many escapes it holds. A count and no flag: a struct without padding is copied by whole words, and with the
    /// flag's padding the copies, stalled by their own stores, took half the time of a scan.
    pub escapes: usize,
}

impl<'a> Text<'a> {
    /// A string that was checked before, known only by what is between its quotes.
    pub fn written(raw: &'a [u8]) -> Self {
        Self { raw, escapes: usize::from(memchr::memchr(b'\\', raw).is_some()) }
    }

    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The bytes that the string means. A lone surrogate becomes three bytes as if it were a character (WTF-8), so
    /// that its other half may still join it.
    #[inline]
    pub fn bytes(&self) -> Cow<'a, [u8]> {
        if self.escapes > 0 { Cow::Owned(unescape(self.raw)) } else { Cow::Borrowed(self.raw) }
    }

    /// The characters that the string means; what is no character becomes U+FFFD.
    pub fn to_text(self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

impl<'a> Scanner<'a> {
    /// Reads the string that is next.
    pub(crate) fn text(&mut self) -> Result<Text<'a>, Fault> {
        let start = self.at + 1;
        self.at = start;
        let mut escapes = 0;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            self.at += plain_bytes(rest);
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escapes += 1;
                    self.escape()?;
                }
                Some(_) => return Err(self.fault(Problem::ControlCharacter)),
                None => return Err(self.fault(Problem::Truncated)),
            }
        }
        let raw = self.bytes.get(start..self.at).unwrap_or_default();
        self.at += 1;
        Ok(Text { raw, escapes })
    }

    /// Reads the number that is next.
    pub(crate) fn number(&mut self) -> Result<&'a [u8], Fault> {
        let start = self.at;
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        match self.bytes.get(self.at) {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            Some(b'I') => return Err(Fault { problem: Problem::NotFinite, offset: start }),
            _ => return Err(self.fault(Problem::BadNumber)),
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        let exponent = matches!(self.bytes.get(self.at), Some(b'e' | b'E'));
        if exponent {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        let number = self.bytes.get(start..self.at).unwrap_or_default();
        let doubtful = exponent || number.len() > SURELY_FINITE_BYTES;
        if doubtful && self.keys.is_some() && !float(number).is_finite() {
            return Err(Fault { problem: Problem::NotFinite, offset: start });
        }
        Ok(number)
    }

    pub(super) fn literal(&mut self, word: &'static [u8]) -> Result<(), Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(self.fault(Problem::NoValue));
        }
        self.at += word.len();
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let count = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        if count == 0 {
            return Err(self.fault(Problem::BadNumber));
        }
        self.at += count;
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        match rest.get(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let unit = code_unit(rest).ok_or_else(|| self.fault(Problem::BadEscape))?;
                let low = rest.get(6..).and_then(code_unit).filter(|low| (0xDC00..0xE000).contains(low));
                let paired = (0xD800..0xDC00).contains(&unit) && low.is_some();
                if !paired && (0xD800..0xE000).contains(&unit) && self.keys.is_some() {
                    return Err(self.fault(Problem::LoneSurrogate));
                }
                self.at += if paired { 12 } else { 6 };
            }
            Some(_) => return Err(self.fault(Problem::BadEscape)),
            None => return Err(self.fault(Problem::Truncated)),
        }
        Ok(())
    }
}

/// As much of the front of `text` as fits, characters whole.
pub(crate) fn clip(text: &str, max_bytes: usize) -> &str {
    let fits = (0..=max_bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..fits.unwrap_or(0)).unwrap_or_default()
}

/// The double nearest to a JSON number; infinite when there is none.
pub(crate) fn float(number: &[u8]) -> f64 {
    std::str::from_utf8(number).ok().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}

/// How many bytes come before a quote, a backslash or a control character, eight at a time.
fn plain_bytes(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let (words, _) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ (ONES * b'"' as u64);
        let slash = word ^ (ONES * b'\\' as u64);
        // A borrow can mark a byte wrongly only above one that is marked rightly: the lowest mark is true.
        let marks = (quote.wrapping_sub(ONES) & !quote)
            | (slash.wrapping_sub(ONES) & !slash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        if marks & HIGHS != 0 {
            return index * 8 + (marks & HIGHS).trailing_zeros() as usize / 8;
        }
    }
    let whole = words.len() * 8;
    let rest = bytes.get(whole..).unwrap_or_default();
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    whole + rest.iter().position(special).unwrap_or(rest.len())
}

/// The UTF-16 unit of the `\u` and its four digits at the front.
fn code_unit(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | (*digit as char).to_digit(16)?))
}

fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at(at);
        out.extend_from_slice(plain);
        rest = escape.get(unescape_one(escape, &mut out)..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

/// Writes what the escape at the front means and says how long the escape is.
fn unescape_one(escape: &[u8], out: &mut Vec<u8>) -> usize {
    let plain = match escape.get(1) {
        Some(b'b') => 0x08,
        Some(b'f') => 0x0c,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'u') => return unescape_unit(escape, out),
        Some(other) => *other,
        None => b'\\',
    };
    out.push(plain);
    2
}

fn unescape_unit(escape: &[u8], out: &mut Vec<u8>) -> usize {
    let unit = code_unit(escape).unwrap_or(0xFFFD);
    let low = escape.get(6..).and_then(code_unit).filter(|low| (0xDC00..0xE000).contains(low));
    if let (0xD800..0xDC00, Some(low)) = (unit, low) {
        push_code_point(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00), out);
        return 12;
    }
    push_code_point(unit, out);
    6
}

fn push_code_point(point: u32, out: &mut Vec<u8>) {
    match char::from_u32(point) {
        Some(character) => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        None => out.extend_from_slice(&[0xED, 0x80 | (point >> 6 & 0x3F) as u8, 0x80 | (point & 0x3F) as u8]),
    }
}
