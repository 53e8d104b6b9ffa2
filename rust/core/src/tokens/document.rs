//! A request's body as a tree.
//!
//! Counting looks at most of a body and at some of it twice, as the definitions of tools, whose order matters; so
//! here, other than on the relay's way, a tree earns its cost. Strings stay as they were written: a long prompt that
//! was counted before is known by its raw bytes and never unescaped.

use crate::body::json::{Fault, Kind, Scanner, Text};

/// A JSON value; containers keep the bytes they were read from.
#[derive(Debug)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    Number(&'a [u8]),
    Text(Text<'a>),
    List(Vec<Value<'a>>, &'a [u8]),
    Object(Vec<(Text<'a>, Value<'a>)>, &'a [u8]),
}

/// Reads a whole document.
pub fn read(bytes: &[u8]) -> Result<Value<'_>, Fault> {
    let mut scanner = Scanner::lenient(bytes, 0);
    let value = read_value(&mut scanner, bytes)?;
    scanner.end()?;
    Ok(value)
}

/// Recursion is bounded by the depth that the scanner allows.
fn read_value<'a>(scanner: &mut Scanner<'a>, bytes: &'a [u8]) -> Result<Value<'a>, Fault> {
    let kind = scanner.kind()?;
    let start = scanner.offset();
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
                members.push((key, read_value(scanner, bytes)?));
            }
            Ok(Value::Object(members, bytes.get(start..scanner.offset()).unwrap_or_default()))
        }
        Kind::Array => {
            let mut items = Vec::new();
            scanner.array_or_skip()?;
            while scanner.next_item()? {
                items.push(read_value(scanner, bytes)?);
            }
            Ok(Value::List(items, bytes.get(start..scanner.offset()).unwrap_or_default()))
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
        if let Value::List(items, _) = self { items } else { &[] }
    }

    pub fn members(&self) -> &[(Text<'a>, Value<'a>)] {
        if let Value::Object(members, _) = self { members } else { &[] }
    }

    /// The bytes of a container as they were written.
    pub fn raw(&self) -> &'a [u8] {
        match self {
            Value::List(_, raw) | Value::Object(_, raw) => raw,
            Value::Number(raw) => raw,
            Value::Text(text) => text.raw,
            Value::Null | Value::Bool(_) => b"",
        }
    }

    /// Writes the value without white space, leaving out the members that `omit` names.
    pub fn write_compact(&self, omit: &[&str], out: &mut String) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(true) => out.push_str("true"),
            Value::Bool(false) => out.push_str("false"),
            Value::Number(raw) => out.push_str(&String::from_utf8_lossy(raw)),
            Value::Text(text) => write_string(&text.to_text(), out),
            Value::List(items, _) => {
                write_between(out, ['[', ']'], items, |item, out| item.write_compact(omit, out));
            }
            Value::Object(members, _) => {
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
