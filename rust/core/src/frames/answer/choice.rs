//! One choice of an answer, or of an event of a stream.

use crate::body::json::{Fault, Kind, Scanner, Text};

use super::usage::{self, Usage};

/// What one choice holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Choice {
    pub index: u64,
    pub finish_reason: Option<String>,
    /// There is something for the client to show or do: text, reasoning, a refusal, a tool call, audio.
    pub has_content: bool,
    /// Moonshot puts it here.
    pub usage: Option<Usage>,
}

/// Where the message is in a choice. Perplexity and Writer send both in one event: the delta, and all that was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Whole,
    Event,
}

impl Shape {
    fn key(self) -> &'static [u8] {
        match self {
            Self::Whole => b"message",
            Self::Event => b"delta",
        }
    }
}

/// Where generated text is put.
pub(super) struct Sink<'s> {
    pub shape: Shape,
    pub text: &'s mut Vec<u8>,
    /// Beyond this the rest is let go.
    pub limit: usize,
    /// All that was given, let go or not, in bytes as they are escaped.
    pub given: usize,
}

impl Sink<'_> {
    pub fn take(&mut self, text: Text<'_>) {
        self.given = self.given.saturating_add(text.raw.len());
        if self.text.len() < self.limit {
            self.text.extend_from_slice(&text.bytes());
        }
    }
}

/// Reads the choice that is next; `None` if it is no object.
pub(super) fn read(scanner: &mut Scanner<'_>, sink: &mut Sink<'_>) -> Result<Option<Choice>, Fault> {
    if !scanner.object_or_skip()? {
        return Ok(None);
    }
    let mut choice = Choice::default();
    let mut legacy_text = None;
    while let Some(key) = scanner.next_key()? {
        match &*key.bytes() {
            b"index" => choice.index = index(scanner)?,
            // Snowflake sends an empty one with every event.
            b"finish_reason" => {
                let reason = scanner.text_or_skip()?.filter(|reason| !reason.is_empty());
                choice.finish_reason = reason.map(Text::to_text);
            }
            name if name == sink.shape.key() => choice.has_content |= message(scanner, sink)?,
            b"text" => legacy_text = scanner.text_or_skip()?.filter(|text| !text.is_empty()),
            b"usage" => choice.usage = usage::read(scanner)?,
            _ => scanner.pass()?,
        }
    }
    // Together says the same in both dialects.
    if let (Some(text), false) = (legacy_text, choice.has_content) {
        sink.take(text);
        choice.has_content = true;
    }
    Ok(Some(choice))
}

/// Reads a message or its delta; says whether it carries anything.
fn message(scanner: &mut Scanner<'_>, sink: &mut Sink<'_>) -> Result<bool, Fault> {
    if !scanner.object_or_skip()? {
        return Ok(false);
    }
    let mut has_content = false;
    // Some send the same reasoning under both of its names.
    let mut has_reasoning = false;
    while let Some(key) = scanner.next_key()? {
        has_content |= match &*key.bytes() {
            b"content" | b"refusal" => content(scanner, sink)?,
            b"reasoning_content" | b"reasoning" if !has_reasoning => {
                has_reasoning = content(scanner, sink)?;
                has_reasoning
            }
            b"tool_calls" | b"function_call" => parts(scanner, sink, &[b"name", b"arguments", b"input"])?,
            b"audio" => parts(scanner, sink, &[b"transcript"])?,
            b"reasoning_content" | b"reasoning" | b"reasoning_details" | b"thinking_blocks" => {
                parts(scanner, sink, &[])?
            }
            _ => {
                scanner.pass()?;
                false
            }
        };
    }
    Ok(has_content)
}

/// Text, or Mistral's list of parts that hold text.
fn content(scanner: &mut Scanner<'_>, sink: &mut Sink<'_>) -> Result<bool, Fault> {
    parts(scanner, sink, &[b"text", b"thinking", b"refusal"])
}

/// A string, or any structure whose strings under `names` are text; says whether it is more than empty.
fn parts(scanner: &mut Scanner<'_>, sink: &mut Sink<'_>, names: &[&[u8]]) -> Result<bool, Fault> {
    match scanner.kind()? {
        Kind::String => {
            let text = scanner.text()?;
            if !names.is_empty() {
                sink.take(text);
            }
            Ok(!text.is_empty())
        }
        Kind::Object | Kind::Array => {
            let span = scanner.walk(|key, text| {
                if names.contains(&key) {
                    sink.take(text);
                }
            })?;
            // Beyond `{}` and `[]` only white space may stand in an empty one.
            Ok(!scanner.is_blank(span.start + 1..span.end - 1))
        }
        _ => scanner.skip().map(|_| false),
    }
}

fn index(scanner: &mut Scanner<'_>) -> Result<u64, Fault> {
    if scanner.kind()? != Kind::Number {
        return scanner.skip().map(|_| 0);
    }
    let number = scanner.number()?;
    Ok(std::str::from_utf8(number).ok().and_then(|number| number.parse().ok()).unwrap_or(0))
}
