//! Edits a body by splicing: what no edit names is copied as it stands.

use std::ops::Range;

use super::fields::UsageOption;
use super::{Field, RequestBody};

/// What policy changes in a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Edits<'a> {
    /// The model to name instead.
    pub model: Option<&'a str>,
    /// Set `stream_options.include_usage`, keeping the rest of `stream_options`.
    pub ask_usage: bool,
    /// Fields to take away, before the others are set.
    pub remove: &'a [&'a str],
}

/// A rewritten body that grows member by member.
struct Draft<'a> {
    request: &'a RequestBody,
    body: &'a [u8],
    out: Vec<u8>,
    /// Edits that no member has taken yet.
    model: Option<&'a str>,
    ask_usage: bool,
    is_empty: bool,
}

pub(super) fn rewrite(request: &RequestBody, body: &[u8], edits: &Edits<'_>) -> Vec<u8> {
    let out = Vec::with_capacity(body.len() + 64);
    let mut draft =
        Draft { request, body, out, model: edits.model, ask_usage: edits.ask_usage, is_empty: true };
    let inside = after_brace(request, body);
    let first = request.fields.first().map_or(inside, |field| field.key.start);
    draft.copy(request.start..first);
    let mut end = first;
    for field in &request.fields {
        let separator = end..field.key.start;
        end = field.value.end;
        if edits.remove.iter().any(|name| field.is_named(body, name)) {
            continue;
        }
        // Every separator holds one comma; the one before the first member that stays goes with those removed.
        if !draft.is_empty {
            draft.copy(separator);
        }
        draft.member(field);
    }
    draft.missing_members();
    draft.copy(end..body.len());
    draft.out
}

impl Draft<'_> {
    fn copy(&mut self, span: Range<usize>) {
        self.out.extend_from_slice(self.body.get(span).unwrap_or_default());
    }

    fn member(&mut self, field: &Field) {
        self.is_empty = false;
        self.copy(field.key.start..field.value.start);
        if field.is_named(self.body, "model")
            && let Some(model) = self.model.take()
        {
            write_string(model, &mut self.out);
        } else if field.is_named(self.body, "stream_options") && std::mem::take(&mut self.ask_usage) {
            self.stream_options(&field.value);
        } else {
            self.copy(field.value.clone());
        }
    }

    fn stream_options(&mut self, value: &Range<usize>) {
        match &self.request.usage_option {
            UsageOption::NoOptions => self.out.extend_from_slice(b"{\"include_usage\":true}"),
            UsageOption::Unset { after_brace, is_empty } => {
                self.copy(value.start..*after_brace);
                let member: &[u8] =
                    if *is_empty { b"\"include_usage\":true" } else { b"\"include_usage\":true," };
                self.out.extend_from_slice(member);
                self.copy(*after_brace..value.end);
            }
            UsageOption::Set(span) => {
                self.copy(value.start..span.start);
                self.out.extend_from_slice(b"true");
                self.copy(span.end..value.end);
            }
        }
    }

    fn missing_members(&mut self) {
        if let Some(model) = self.model.take() {
            self.key(b"\"model\":");
            write_string(model, &mut self.out);
        }
        if std::mem::take(&mut self.ask_usage) {
            self.key(b"\"stream_options\":{\"include_usage\":true}");
        }
    }

    fn key(&mut self, key: &[u8]) {
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(b',');
        }
        self.out.extend_from_slice(key);
    }
}

fn after_brace(request: &RequestBody, body: &[u8]) -> usize {
    let document = body.get(request.start..).unwrap_or_default();
    request.start + memchr::memchr(b'{', document).map_or(0, |at| at + 1)
}

/// Writes `text` as a JSON string.
fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend_from_slice(&[b'\\', character as u8]),
            '\0'..='\x1f' => out.extend_from_slice(format!("\\u{:04x}", character as u32).as_bytes()),
            _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}
