//! A pull scanner over JSON bytes: the one reader that request bodies, whole answers and stream events share.
//!
//! A gateway needs a dozen scalars and a few spans of a document, and the rest only to be well formed. A tree costs
//! ten times the scan, and a deserialiser cannot say where a member lies, which byte-exact edits need. So the caller
//! walks: it enters the objects it knows, takes the scalars it wants, and lets [`Scanner::skip`] check the rest.
//! Nothing recurses; open containers are a vector, so depth is bounded by a number and never by the stack.
//!
//! Two readings. [`Scanner::strict`] is for what clients send: a key twice in one object, a lone surrogate, a number
//! beyond a double or a NUL in a key is refused, because parsers further down disagree on them, and what was inspected
//! must be what is understood. [`Scanner::lenient`] is for what providers send: the grammar holds, those four do not.

use std::ops::Range;

mod fault;
mod keys;
mod lexis;

#[cfg(test)]
mod tests;

pub(crate) use fault::{Fault, Problem};
pub(crate) use lexis::{Text, clip, float};

use keys::Keys;

/// Containers an answer may nest; no provider comes near it.
const LENIENT_MAX_DEPTH: usize = 512;
/// Bytes of the path that an error names.
const MAX_PATH_BYTES: usize = 256;

/// What the next value is, by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

/// A container that was entered and not yet left.
#[derive(Debug)]
struct Level {
    closer: u8,
    /// Members or items begun so far.
    begun: usize,
    /// Where this object's keys begin among all that are held.
    keys_from: usize,
    /// The key last read, without its quotes.
    key: Range<usize>,
}

/// Walks a document once, from front to back.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    max_depth: usize,
    levels: Vec<Level>,
    /// Only a strict reading holds keys.
    keys: Option<Keys<'a>>,
}

impl<'a> Scanner<'a> {
    /// Reads what a client sent, which must be UTF-8 already, from the byte at `start`.
    pub fn strict(bytes: &'a [u8], start: usize, max_depth: usize) -> Self {
        Self { bytes, at: start, max_depth, levels: Vec::with_capacity(8), keys: Some(Keys::of(bytes)) }
    }

    /// Reads what a provider sent, or again what was read strictly, from the byte at `start`.
    pub fn lenient(bytes: &'a [u8], start: usize) -> Self {
        Self { bytes, at: start, max_depth: LENIENT_MAX_DEPTH, levels: Vec::with_capacity(8), keys: None }
    }

    /// The offset of the byte that is read next.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// What the next value is.
    #[inline]
    pub fn kind(&mut self) -> Result<Kind, Fault> {
        match self.peek() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't') => Ok(Kind::True),
            Some(b'f') => Ok(Kind::False),
            Some(b'n') => Ok(Kind::Null),
            Some(b'N' | b'I') => Err(self.fault(Problem::NotFinite)),
            Some(_) => Err(self.fault(Problem::NoValue)),
            None => Err(self.fault(Problem::Truncated)),
        }
    }

    /// Enters the next value if it is an object; else passes over it and says `false`.
    pub fn object_or_skip(&mut self) -> Result<bool, Fault> {
        self.container_or_skip(Kind::Object)
    }

    /// Enters the next value if it is an array; else passes over it and says `false`.
    pub fn array_or_skip(&mut self) -> Result<bool, Fault> {
        self.container_or_skip(Kind::Array)
    }

    /// The next value if it is a string; else passes over it.
    pub fn text_or_skip(&mut self) -> Result<Option<Text<'a>>, Fault> {
        if self.kind()? == Kind::String {
            return self.text().map(Some);
        }
        self.skip().map(|_| None)
    }

    /// The next key of the object entered last, its colon passed; `None` once the object is left.
    pub fn next_key(&mut self) -> Result<Option<Text<'a>>, Fault> {
        if !self.advance(b'}')? {
            return Ok(None);
        }
        if self.peek() != Some(b'"') {
            return Err(self.fault(Problem::NoKey));
        }
        let start = self.at;
        let key = self.text()?;
        self.hold_key(key, start)?;
        match self.peek() {
            Some(b':') => self.at += 1,
            Some(_) => return Err(self.fault(Problem::NoColon)),
            None => return Err(self.fault(Problem::Truncated)),
        }
        Ok(Some(key))
    }

    /// Where the key read last lies, with its quotes.
    pub fn key_span(&self) -> Range<usize> {
        self.levels.last().map_or(0..0, |level| level.key.start.saturating_sub(1)..level.key.end + 1)
    }

    /// Whether the array entered last has another item, which is then next; `false` once the array is left.
    pub fn next_item(&mut self) -> Result<bool, Fault> {
        self.advance(b']')
    }

    /// Passes over the next value, checking it.
    pub fn pass(&mut self) -> Result<(), Fault> {
        self.skip().map(|_| ())
    }

    /// Passes over the next value, checking it, and says where it lies.
    pub fn skip(&mut self) -> Result<Range<usize>, Fault> {
        self.walk(|_, _| {})
    }

    /// Passes over the next value, showing every string in it with the key it hangs on (empty at the root).
    pub fn walk(&mut self, mut see: impl FnMut(&[u8], Text<'a>)) -> Result<Range<usize>, Fault> {
        let kind = self.kind()?;
        let start = self.at;
        let floor = self.levels.len();
        self.enter_or_pass(kind, &mut see)?;
        while self.levels.len() > floor {
            let within_object = self.levels.last().is_some_and(|level| level.closer == b'}');
            let more = if within_object { self.next_key()?.is_some() } else { self.next_item()? };
            if more {
                let kind = self.kind()?;
                self.enter_or_pass(kind, &mut see)?;
            }
        }
        Ok(start..self.at)
    }

    /// Whether nothing but white space stands there.
    pub fn is_blank(&self, span: Range<usize>) -> bool {
        self.bytes.get(span).is_none_or(|bytes| bytes.trim_ascii().is_empty())
    }

    /// Where the member `name` of the object that is next has its value.
    pub fn member(&mut self, name: &[u8]) -> Result<Option<Range<usize>>, Fault> {
        let mut found = None;
        if self.object_or_skip()? {
            while let Some(key) = self.next_key()? {
                let value = self.skip()?;
                if &*key.bytes() == name {
                    found = Some(value);
                }
            }
        }
        Ok(found)
    }

    /// Checks that nothing but white space is left.
    pub fn end(&mut self) -> Result<(), Fault> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.fault(Problem::Trailing)),
        }
    }

    /// Where in the document the scanner stands: `messages[3].content`.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for level in &self.levels {
            if level.closer == b']' {
                path.push_str(&format!("[{}]", level.begun.saturating_sub(1)));
            } else if let Some(key) = self.bytes.get(level.key.clone()).filter(|key| !key.is_empty()) {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&Text::written(key.get(..MAX_PATH_BYTES).unwrap_or(key)).to_text());
            }
            if path.len() > MAX_PATH_BYTES {
                path.truncate(clip(&path, MAX_PATH_BYTES).len());
                path.push('…');
                break;
            }
        }
        path
    }

    fn container_or_skip(&mut self, wanted: Kind) -> Result<bool, Fault> {
        let kind = self.kind()?;
        if kind == wanted {
            self.enter(kind)?;
            return Ok(true);
        }
        self.skip().map(|_| false)
    }

    fn enter_or_pass(&mut self, kind: Kind, see: &mut impl FnMut(&[u8], Text<'a>)) -> Result<(), Fault> {
        match kind {
            Kind::Object | Kind::Array => self.enter(kind),
            Kind::String => {
                let text = self.text()?;
                let key = self.levels.iter().rev().find(|level| level.closer == b'}');
                let key = key.and_then(|level| self.bytes.get(level.key.clone())).unwrap_or_default();
                see(key, text);
                Ok(())
            }
            Kind::Number => self.number().map(|_| ()),
            Kind::True => self.literal(b"true"),
            Kind::False => self.literal(b"false"),
            Kind::Null => self.literal(b"null"),
        }
    }

    fn enter(&mut self, kind: Kind) -> Result<(), Fault> {
        if self.levels.len() >= self.max_depth {
            return Err(self.fault(Problem::TooDeep));
        }
        let closer = if kind == Kind::Object { b'}' } else { b']' };
        let keys_from = self.keys.as_ref().map_or(0, Keys::len);
        self.levels.push(Level { closer, begun: 0, keys_from, key: 0..0 });
        self.at += 1;
        Ok(())
    }

    /// Moves to the next member or item of the innermost container, or leaves it and says `false`.
    #[inline]
    fn advance(&mut self, closer: u8) -> Result<bool, Fault> {
        let next = self.peek();
        let here = Fault { problem: Problem::NoSeparator, offset: self.at };
        let Some(level) = self.levels.last_mut().filter(|level| level.closer == closer) else {
            return Err(here);
        };
        match next {
            Some(byte) if byte == closer => {
                self.at += 1;
                self.leave()?;
                return Ok(false);
            }
            Some(b',') if level.begun > 0 => self.at += 1,
            Some(_) if level.begun == 0 => {}
            Some(_) => return Err(here),
            None => return Err(self.fault(Problem::Truncated)),
        }
        level.begun += 1;
        Ok(true)
    }

    fn leave(&mut self) -> Result<(), Fault> {
        if let (Some(keys), Some(level)) = (&mut self.keys, self.levels.last_mut())
            && let Err(again) = keys.release(level.keys_from)
        {
            level.key = again.clone();
            return Err(Fault { problem: Problem::DuplicateKey, offset: again.start.saturating_sub(1) });
        }
        self.levels.pop();
        Ok(())
    }

    fn hold_key(&mut self, key: Text<'a>, start: usize) -> Result<(), Fault> {
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        level.key = start + 1..self.at.saturating_sub(1);
        let Some(keys) = &mut self.keys else { return Ok(()) };
        keys.hold(level.keys_from, key, level.key.clone()).map_err(|problem| Fault { problem, offset: start })
    }

    /// The next byte that is not white space.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    fn fault(&self, problem: Problem) -> Fault {
        Fault { problem, offset: self.at }
    }
}
