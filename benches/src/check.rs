//! Whether an answer is the one that the model's name asked for: every byte of a whole answer, every event of a stream.

use crate::behaviour::{Behaviour, whole_body};
use std::fmt;

#[cfg(test)]
mod tests;

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The bytes of a whole answer differ.
    Body,
    /// An event is missing, doubled, out of order or unreadable.
    Event,
    /// Something follows `[DONE]`, or it never came.
    Done,
    /// The answer ended before its last event.
    Short,
}

impl fmt::Display for Wrong {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Body => "wrong body",
            Self::Event => "wrong event",
            Self::Done => "wrong end",
            Self::Short => "too few events",
        })
    }
}

/// The dialect that answers are told in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// The upstream's own: whole answers are compared byte by byte.
    Chat,
    /// Anthropic's, translated: whole answers are compared by their text.
    Messages,
}

impl Words {
    /// The dialect of a path's answers.
    #[must_use]
    pub fn of(path: &str) -> Self {
        if path.ends_with("/messages") { Self::Messages } else { Self::Chat }
    }

    /// What stands before the text of an event.
    fn field(self) -> &'static [u8] {
        match self {
            Self::Chat => b"\"content\":\"",
            Self::Messages => b"\"type\":\"text_delta\",\"text\":\"",
        }
    }

    /// How the data of the last event begins.
    fn last(self) -> &'static [u8] {
        match self {
            Self::Chat => b"[DONE]",
            Self::Messages => b"{\"type\":\"message_stop\"",
        }
    }
}

/// Reads one answer after the other. Delays of timed events are handed out as they are found.
#[derive(Debug)]
pub struct Check {
    behaviour: Behaviour,
    words: Words,
    whole: Vec<u8>,
    /// The body so far; of a stream the last, unfinished line.
    held: Vec<u8>,
    events: u32,
    done: bool,
    /// The first fault.
    wrong: Option<Wrong>,
}

impl Check {
    #[must_use]
    pub fn new(behaviour: Behaviour, words: Words) -> Self {
        let whole = match words {
            Words::Chat => whole_body(),
            Words::Messages => text_of(&whole_body()).to_vec(),
        };
        Self { behaviour, words, whole, held: Vec::new(), events: 0, done: false, wrong: None }
    }

    /// Forgets the last answer.
    pub fn start(&mut self) {
        self.held.clear();
        (self.events, self.done, self.wrong) = (0, false, None);
    }

    /// Content events seen so far.
    #[must_use]
    pub fn events(&self) -> u32 {
        self.events
    }

    /// Takes a piece of body that arrived at `now_ns`; `delay` gets the nanoseconds since each timed event was sent.
    pub fn feed(&mut self, piece: &[u8], now_ns: u64, mut delay: impl FnMut(u64)) {
        if self.behaviour == Behaviour::Whole {
            self.held.extend_from_slice(piece);
            return;
        }
        let mut rest = piece;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end + 1);
            if self.held.is_empty() {
                self.line(line, now_ns, &mut delay);
            } else {
                let mut whole = std::mem::take(&mut self.held);
                whole.extend_from_slice(line);
                self.line(&whole, now_ns, &mut delay);
                whole.clear();
                self.held = whole;
            }
            rest = after;
        }
        self.held.extend_from_slice(rest);
    }

    /// The verdict once the body has ended.
    pub fn end(&self) -> Result<(), Wrong> {
        if self.behaviour == Behaviour::Whole {
            let good = match self.words {
                Words::Chat => self.held == self.whole,
                Words::Messages => memchr::memmem::find(&self.held, &self.whole).is_some(),
            };
            return if good { Ok(()) } else { Err(Wrong::Body) };
        }
        match self.wrong {
            Some(wrong) => Err(wrong),
            None if self.events != self.behaviour.events() => Err(Wrong::Short),
            None if !self.done => Err(Wrong::Done),
            None => Ok(()),
        }
    }

    fn line(&mut self, line: &[u8], now_ns: u64, delay: &mut impl FnMut(u64)) {
        let Some(data) = line.strip_prefix(b"data: ") else { return };
        if self.done {
            self.wrong.get_or_insert(Wrong::Done);
        }
        if data.starts_with(self.words.last()) {
            self.done = true;
            return;
        }
        match content(data, self.words.field()) {
            Content::None => {}
            Content::Timed { sequence, sent_ns } if sequence == self.events => {
                self.events += 1;
                if sent_ns > 0 {
                    delay(now_ns.saturating_sub(sent_ns));
                }
            }
            Content::Timed { .. } | Content::Unreadable => {
                self.wrong.get_or_insert(Wrong::Event);
            }
        }
    }
}

enum Content {
    None,
    Timed { sequence: u32, sent_ns: u64 },
    Unreadable,
}

/// The text of a whole answer, between the quotes.
fn text_of(whole: &[u8]) -> &[u8] {
    let field = Words::Chat.field();
    let start = memchr::memmem::find(whole, field).map_or(0, |found| found + field.len());
    let text = whole.get(start..).unwrap_or_default();
    text.split(|byte| *byte == b'"').next().unwrap_or_default()
}

/// Reads `{sequence}@{time} word` out of an event, from behind that field.
fn content(data: &[u8], field: &[u8]) -> Content {
    let Some(found) = memchr::memmem::find(data, field) else { return Content::None };
    let text = data.get(found + field.len()..).unwrap_or_default();
    let (sequence, rest) = number(text);
    let Some(rest) = rest.strip_prefix(b"@") else { return Content::Unreadable };
    let (sent_ns, rest) = number(rest);
    match (u32::try_from(sequence), rest.starts_with(b" word\"")) {
        (Ok(sequence), true) => Content::Timed { sequence, sent_ns },
        _ => Content::Unreadable,
    }
}

fn number(text: &[u8]) -> (u64, &[u8]) {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(digits);
    let value =
        digits.iter().fold(0u64, |sum, digit| sum.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')));
    (value, rest)
}
