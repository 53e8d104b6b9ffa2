//! Watches the events of a stream as they pass to the client.
//!
//! An event is scanned once and shallowly; no tree is built and in the usual case nothing is allocated. What the tap
//! does not know it lets through.

use super::choice::{Choice, Shape, Sink};
use super::error::{AnswerError, read_error};
use super::glance::Glance;
use super::text::Joiner;
use super::usage::Usage;

/// Choices that are told apart; more than any provider offers.
const MAX_CHOICES: usize = 1024;
/// Bytes kept of an error that is not JSON.
const MAX_MESSAGE_BYTES: usize = 2048;

/// What to do with an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Pass it on.
    Forward,
    /// Pass it on; it carries content (the first of these is the first token).
    Content,
    /// It is only there because the gateway asked for usage.
    Drop,
    /// Pass on this data instead, which lacks the usage that the client did not ask for.
    Replace { data: Vec<u8>, has_content: bool },
    /// `[DONE]`.
    Done,
    /// The provider failed in the midst of its answer.
    Error(AnswerError),
}

/// What is known of a stream so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    pub usage: Option<Usage>,
    /// For each choice, in the order in which they began.
    pub finish_reasons: Vec<Option<String>>,
    /// Choices that began and have no finish reason.
    pub choices_open: usize,
    /// The model that served, in the provider's words.
    pub model: Option<String>,
    pub content_events: u64,
    /// What was generated, with reasoning and the arguments of tool calls, in order of arrival.
    pub text: String,
    pub text_truncated: bool,
    /// How much of it was generated, kept or not, in bytes as the events have them.
    pub generated_bytes: u64,
    /// Events whose data is not JSON.
    pub malformed: u64,
    /// The stream said itself that it is complete.
    pub done: bool,
}

/// Looks into each event of one stream.
#[derive(Debug)]
pub struct Tap {
    hide_usage: bool,
    keep_text_bytes: usize,
    summary: Summary,
    /// The index of each choice of the summary.
    indexes: Vec<u64>,
    joiner: Joiner,
    /// Text and choices of the event at hand, kept for their memory.
    piece: Vec<u8>,
    choices: Vec<Choice>,
}

impl Tap {
    /// A tap that hides usage from a client that did not ask for it, and keeps that much of the text.
    pub fn new(hide_usage: bool, keep_text_bytes: usize) -> Self {
        Self {
            hide_usage,
            keep_text_bytes,
            summary: Summary::default(),
            indexes: Vec::new(),
            joiner: Joiner::new(keep_text_bytes),
            piece: Vec::new(),
            choices: Vec::new(),
        }
    }

    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Looks into one event: its `data`, and its name if it has one.
    pub fn see(&mut self, data: &[u8], event: Option<&str>) -> Seen {
        if data.trim_ascii_start().starts_with(b"[DONE]") {
            self.summary.done = true;
            return Seen::Done;
        }
        if data.trim_ascii().is_empty() {
            return Seen::Forward;
        }
        self.piece.clear();
        self.choices.clear();
        let limit = self.room();
        let mut sink = Sink { shape: Shape::Event, text: &mut self.piece, limit, given: 0 };
        let Ok(glance) = Glance::read(data, &mut self.choices, &mut sink) else {
            return self.see_broken(data, event);
        };
        self.summary.generated_bytes += sink.given as u64;
        let has_content = self.note(&glance);
        if event == Some("error") || glance.is_suspicious {
            let named = (event == Some("error")).then(|| unknown_error(data));
            if let Some(error) = read_error(data).or(named) {
                return Seen::Error(error);
            }
        }
        match glance.usage_cut {
            Some(_) if self.hide_usage && glance.counts_tokens && glance.choices == 0 => Seen::Drop,
            Some(cut) if self.hide_usage => {
                let (before, after) = (data.get(..cut.start), data.get(cut.end..));
                Seen::Replace {
                    data: [before.unwrap_or_default(), after.unwrap_or_default()].concat(),
                    has_content,
                }
            }
            _ if has_content => Seen::Content,
            _ => Seen::Forward,
        }
    }

    fn see_broken(&mut self, data: &[u8], event: Option<&str>) -> Seen {
        self.summary.malformed += 1;
        if event == Some("error") { Seen::Error(unknown_error(data)) } else { Seen::Forward }
    }

    /// How much text of this event to take: one byte more than there is room for shows that some was lost.
    fn room(&self) -> usize {
        match self.keep_text_bytes {
            0 => 0,
            most => most.saturating_sub(self.summary.text.len()).saturating_add(1),
        }
    }

    /// Adds a sound event to the summary; says whether it carries content.
    fn note(&mut self, glance: &Glance<'_>) -> bool {
        let mut has_content = glance.has_delta;
        let mut choices = std::mem::take(&mut self.choices);
        for choice in choices.drain(..) {
            has_content |= choice.has_content;
            self.note_choice(choice);
        }
        self.choices = choices;
        let summary = &mut self.summary;
        summary.content_events += u64::from(has_content);
        summary.text_truncated |= !self.joiner.push(&self.piece, &mut summary.text);
        if let (None, Some(model)) = (&summary.model, glance.model) {
            summary.model = Some(model.to_text()).filter(|model| !model.is_empty());
        }
        if let Some(usage) = glance.usage {
            summary.usage = Some(summary.usage.map_or(usage, |before| before.then(usage)));
        }
        let kind = glance.kind.map(|kind| kind.raw);
        summary.done |=
            matches!(kind, Some(b"response.completed" | b"response.incomplete" | b"response.failed"));
        has_content
    }

    fn note_choice(&mut self, choice: Choice) {
        let known = self.indexes.iter().position(|index| *index == choice.index);
        let place = known.unwrap_or(self.indexes.len());
        if known.is_none() {
            if place >= MAX_CHOICES {
                return;
            }
            self.indexes.push(choice.index);
            self.summary.finish_reasons.push(None);
            self.summary.choices_open += 1;
        }
        if let (Some(slot), Some(reason)) = (self.summary.finish_reasons.get_mut(place), choice.finish_reason)
        {
            self.summary.choices_open -= usize::from(slot.is_none());
            *slot = Some(reason);
        }
    }
}

/// An event named `error` whose data has no shape that is known.
fn unknown_error(data: &[u8]) -> AnswerError {
    let message = String::from_utf8_lossy(data.get(..MAX_MESSAGE_BYTES).unwrap_or(data)).into_owned();
    AnswerError { message, ..AnswerError::default() }
}
