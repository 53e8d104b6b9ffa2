//! Shows hidden values again in a text that comes in pieces.

use std::collections::HashMap;

use super::placeholder::{LONGEST, MOST_SPELLINGS};

#[cfg(test)]
mod tests;

/// One text's way back. Holds back what may be the start of a placeholder, and never more than one's length.
#[derive(Debug)]
pub struct Unmasker {
    /// Placeholder and value, sorted by placeholder.
    values: Vec<(String, String)>,
    held: String,
}

impl Unmasker {
    pub(super) fn new(values: HashMap<String, String>, in_json: bool) -> Self {
        let written = |value: String| if in_json { in_string(&value) } else { value };
        let mut values: Vec<_> = values.into_iter().map(|(name, value)| (name, written(value))).collect();
        values.sort();
        Self { values, held: String::new() }
    }

    /// The next piece, as far as it can be told yet.
    pub fn push(&mut self, piece: &str) -> String {
        if self.values.is_empty() {
            return piece.to_owned();
        }
        self.held.push_str(piece);
        self.shown(false)
    }

    /// What was held back when the text is over.
    pub fn finish(&mut self) -> String {
        self.shown(true)
    }

    fn shown(&mut self, over: bool) -> String {
        let held = std::mem::take(&mut self.held);
        let mut shown = String::with_capacity(held.len());
        let mut copied = 0;
        let mut at = 0;
        while let Some(found) =
            held.get(at..).and_then(|rest| rest.find(|sign: char| sign.is_ascii_uppercase()))
        {
            let start = at + found;
            let rest = held.get(start..).unwrap_or_default();
            match self.at_start(rest) {
                _ if !over && self.may_begin(rest) => {
                    shown.push_str(held.get(copied..start).unwrap_or_default());
                    self.held = rest.to_owned();
                    return shown;
                }
                Some((name, value)) => {
                    shown.push_str(held.get(copied..start).unwrap_or_default());
                    shown.push_str(value);
                    at = start + name.len();
                    copied = at;
                }
                None => at = start + 1,
            }
        }
        shown.push_str(held.get(copied..).unwrap_or_default());
        shown
    }

    /// The longest placeholder that the text starts with. Other spellings of it may stand between them in order.
    fn at_start(&self, text: &str) -> Option<&(String, String)> {
        let after = self.values.partition_point(|(name, _)| name.as_str() <= text);
        let before = self.values.get(..after)?.iter().rev().take(MOST_SPELLINGS as usize + 1);
        before.into_iter().find(|(name, _)| text.starts_with(name.as_str()))
    }

    /// Whether the whole text is the start of a longer placeholder.
    fn may_begin(&self, text: &str) -> bool {
        if text.len() >= LONGEST {
            return false;
        }
        let at = self.values.partition_point(|(name, _)| name.as_str() <= text);
        self.values.get(at).is_some_and(|(name, _)| name.starts_with(text))
    }
}

/// A value as it stands inside a string of JSON.
pub(super) fn in_string(value: &str) -> String {
    let mut written = String::with_capacity(value.len());
    for sign in value.chars() {
        match sign {
            '"' => written.push_str("\\\""),
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            sign if sign < ' ' => written.push_str(&format!("\\u{:04x}", u32::from(sign))),
            sign => written.push(sign),
        }
    }
    written
}
