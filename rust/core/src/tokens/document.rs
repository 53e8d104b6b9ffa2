//! A request's body: its members as they were written, and those that are looked at as a tree.
//!
//! What counting looks at it looks at closely, at definitions of tools even twice; so here, other than on the relay's
//! way, a tree earns its cost. Strings stay as they were written: a long prompt that was counted before is known by
//! its raw bytes and never unescaped.

use super::CountError;
use crate::body::json::{Fault, Kind, Scanner, Text};

/// A JSON value.
#[derive(Debug)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    Number(&'a [u8]),
    Text(Text<'a>),
    List(Vec<Value<'a>>),
    Object(Vec<(Text<'a>, Value<'a>)>),
}

/// Reads a whole document.
pub fn read(bytes: &[u8]) -> Result<Value<'_>, CountError> {
    let mut scanner = Scanner::lenient(bytes, 0);
    let value = read_value(&mut scanner).and_then(|value| scanner.end().map(|()| value));
    value.map_err(not_json)
}

/// The members of a document that is an object, each as it was written.
///
/// Most of a request is not looked at when its counts are remembered; a tree of it all would be most of the work.
pub struct Request<'a>(Vec<(Text<'a>, &'a [u8])>);

impl<'a> Request<'a> {
    /// Reads the outermost object; of any other value, nothing is a member.
    pub fn read(bytes: &'a [u8]) -> Result<Self, CountError> {
        let mut scanner = Scanner::lenient(bytes, 0);
        Self::members(&mut scanner, bytes).map(Request).map_err(not_json)
    }

    fn members(scanner: &mut Scanner<'a>, bytes: &'a [u8]) -> Result<Vec<(Text<'a>, &'a [u8])>, Fault> {
        let mut members = Vec::with_capacity(16);
        if scanner.object_or_skip()? {
            while let Some(key) = scanner.next_key()? {
                let value = scanner.skip()?;
                members.push((key, bytes.get(value).unwrap_or_default()));
            }
        }
        scanner.end()?;
        Ok(members)
    }

    /// A member as it was written; nothing when it is absent, null or empty.
    pub fn raw(&self, name: &str) -> &'a [u8] {
        let found = self.0.iter().rev().find(|(key, _)| key.raw == name.as_bytes());
        let says_something =
            |raw: &&[u8]| *raw != b"null" && raw.iter().any(|byte| !b"[]{} \t\r\n".contains(byte));
        found.map(|(_, raw)| *raw).filter(says_something).unwrap_or_default()
    }

    /// A member; `Null` when there is nothing to it.
    pub fn value(&self, name: &str) -> Result<Value<'a>, CountError> {
        let raw = self.raw(name);
        if raw.is_empty() { Ok(Value::Null) } else { read(raw) }
    }

    /// Whether a member is there at all, and a list.
    pub fn has_list(&self, name: &str) -> bool {
        self.0.iter().any(|(key, raw)| key.raw == name.as_bytes() && raw.first() == Some(&b'['))
    }
}

fn not_json(fault: Fault) -> CountError {
    CountError::new(format!("the request is no JSON: {} (byte {})", fault.problem.message(), fault.offset))
}

/// Recursion is bounded by the depth that the scanner allows.
fn read_value<'a>(scanner: &mut Scanner<'a>) -> Result<Value<'a>, Fault> {
    let kind = scanner.kind()?;
    match kind {
        Kind::String => scanner.text().map(Value::Text),
        Kind::Number => scanner.number().map(Value::Number),
        Kind::True => scanner.pass().map(|()| Value::Bool(true)),
        Kind::False => scanner.pass().map(|()| Value::Bool(false)),
        Kind::Null => scanner.pass().map(|()| Value::Null),
        Kind::Object => {
            let mut members = Vec::new();
            scanner.object_or_skip()?;
            while let Some(key) = scanner.next_key()? {
                members.push((key, read_value(scanner)?));
            }
            Ok(Value::Object(members))
        }
        Kind::Array => {
            let mut items = Vec::new();
            scanner.array_or_skip()?;
            while scanner.next_item()? {
                items.push(read_value(scanner)?);
            }
            Ok(Value::List(items))
        }
    }
}

impl<'a> Value<'a> {
    /// The member of this name, the last if there are several; `None` too when it is null.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        let found = self.members().iter().rev().find(|(key, _)| key.raw == name.as_bytes());
        found.map(|(_, value)| value).filter(|value| !matches!(value, Value::Null))
    }

    /// The member of this name if it is a string.
    pub fn text(&self, name: &str) -> Option<Text<'a>> {
        self.get(name).and_then(Value::as_text)
    }

    /// The items of the member of this name; none when it is no list.
    pub fn list(&self, name: &str) -> &[Value<'a>] {
        self.get(name).map_or(&[], Value::items)
    }

    pub fn as_text(&self) -> Option<Text<'a>> {
        if let Value::Text(text) = self { Some(*text) } else { None }
    }

    /// Whether this is the string `word`.
    pub fn is(&self, word: &str) -> bool {
        self.as_text().is_some_and(|text| text.raw == word.as_bytes())
    }

    pub fn items(&self) -> &[Value<'a>] {
        if let Value::List(items) = self { items } else { &[] }
    }

    pub fn members(&self) -> &[(Text<'a>, Value<'a>)] {
        if let Value::Object(members) = self { members } else { &[] }
    }

    /// Writes the value without white space, leaving out the members that `omit` names.
    pub fn write_compact(&self, omit: &[&str], out: &mut String) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(true) => out.push_str("true"),
            Value::Bool(false) => out.push_str("false"),
            Value::Number(raw) => out.push_str(&String::from_utf8_lossy(raw)),
            Value::Text(text) => write_string(&text.to_text(), out),
            Value::List(items) => {
                write_between(out, ['[', ']'], items, |item, out| item.write_compact(omit, out));
            }
            Value::Object(members) => {
                let kept =
                    members.iter().filter(|(key, _)| !omit.iter().any(|name| key.raw == name.as_bytes()));
                write_between(out, ['{', '}'], kept, |(key, value), out| {
                    write_string(&key.to_text(), out);
                    out.push(':');
                    // Inside `properties` the keys are the caller's own names.
                    let names = key.raw == b"properties" && !omit.is_empty();
                    if names { value.write_names(omit, out) } else { value.write_compact(omit, out) }
                });
            }
        }
    }

    /// `write_compact` for an object all of whose keys are kept.
    fn write_names(&self, omit: &[&str], out: &mut String) {
        write_between(out, ['{', '}'], self.members(), |(key, value), out| {
            write_string(&key.to_text(), out);
            out.push(':');
            value.write_compact(omit, out);
        });
    }
}

fn write_between<T>(
    out: &mut String,
    [open, close]: [char; 2],
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(T, &mut String),
) {
    out.push(open);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(close);
}

/// Writes a JSON string, escaping only what must be.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{0}'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", character as u32)),
            _ => out.push(character),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests;
