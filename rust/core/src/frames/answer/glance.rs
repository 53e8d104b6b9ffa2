//! The top level of a whole answer or of one event: one shallow pass, shared by both.

use std::ops::Range;

use crate::body::json::{Fault, Kind, Scanner, Text};

use super::choice::{self, Choice, Sink};
use super::usage::{self, Usage};

/// What a document says about itself.
#[derive(Debug, Default)]
pub(super) struct Glance<'a> {
    pub model: Option<Text<'a>>,
    pub usage: Option<Usage>,
    /// The top level itself counts tokens.
    pub counts_tokens: bool,
    /// Cutting these bytes removes the top-level `usage` and one comma.
    pub usage_cut: Option<Range<usize>>,
    pub choices: usize,
    /// The `type` of an event of the responses dialect.
    pub kind: Option<Text<'a>>,
    /// An event of the responses dialect that carries a piece of the output.
    pub has_delta: bool,
    /// There may be an error in it: worth another look.
    pub is_suspicious: bool,
    pub vectors: usize,
    /// The length of all vectors so far; `None` inside when they differ.
    pub dimensions: Option<Option<usize>>,
    /// Some vectors are strings, whose numbers cannot be told from outside.
    pub encoded: bool,
    /// There is something that only an answer which succeeded has.
    has_payload: bool,
    /// There is a `message` or `detail` where none belongs.
    has_complaint: bool,
}

impl<'a> Glance<'a> {
    /// Reads the document; each choice goes to `choices`, text to `sink`.
    pub fn read(
        document: &'a [u8],
        choices: &mut Vec<Choice>,
        sink: &mut Sink<'_>,
    ) -> Result<Self, (Fault, String)> {
        let mut scanner = Scanner::lenient(document, 0);
        let mut glance = Self::default();
        match glance.document(&mut scanner, choices, sink) {
            Ok(()) => Ok(glance),
            Err(fault) => Err((fault, scanner.path())),
        }
    }

    fn document(
        &mut self,
        scanner: &mut Scanner<'a>,
        choices: &mut Vec<Choice>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Fault> {
        // Google wraps an error in a list.
        self.is_suspicious = scanner.kind()? == Kind::Array;
        if scanner.object_or_skip()? {
            let mut cut = Cut::default();
            while let Some(key) = scanner.next_key()? {
                let start = scanner.key_span().start;
                let name = key.bytes();
                if *name == *b"choices" {
                    self.choices(scanner, choices, sink)?;
                } else {
                    self.member(&name, scanner, sink)?;
                }
                cut.member(&name, start..scanner.offset());
            }
            self.usage_cut = cut.finished();
        }
        self.is_suspicious |= self.has_complaint && !self.has_payload;
        scanner.end()
    }

    fn choices(
        &mut self,
        scanner: &mut Scanner<'a>,
        choices: &mut Vec<Choice>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Fault> {
        self.has_payload = true;
        if !scanner.array_or_skip()? {
            return Ok(());
        }
        while scanner.next_item()? {
            let Some(choice) = choice::read(scanner, sink)? else { continue };
            self.choices += 1;
            self.add_usage(choice.usage);
            choices.push(choice);
        }
        Ok(())
    }

    fn member(&mut self, name: &[u8], scanner: &mut Scanner<'a>, sink: &mut Sink<'_>) -> Result<(), Fault> {
        match name {
            b"model" => self.model = scanner.text_or_skip()?.or(self.model),
            b"usage" => {
                let usage = usage::read(scanner)?;
                self.counts_tokens |= usage.is_some();
                self.add_usage(usage);
            }
            b"x_groq" | b"response" => self.envelope(scanner)?,
            b"type" => {
                self.kind = scanner.text_or_skip()?;
                self.is_suspicious |= self.kind.is_some_and(|kind| kind.raw == b"error");
            }
            b"object" => {
                self.is_suspicious |= scanner.text_or_skip()?.is_some_and(|object| object.raw == b"error")
            }
            b"delta" => {
                if let Some(delta) = scanner.text_or_skip()? {
                    self.has_delta = !delta.is_empty();
                    sink.take(delta);
                }
            }
            b"error" => self.is_suspicious |= is_truthy(scanner)?,
            b"errors" | b"base_resp" => {
                self.is_suspicious = true;
                scanner.pass()?;
            }
            b"data" => self.data(scanner)?,
            b"message" | b"detail" => {
                self.has_complaint |= is_truthy(scanner)?;
            }
            b"id" | b"output" | b"results" | b"embeddings" | b"text" | b"content" => {
                self.has_payload = true;
                scanner.pass()?;
            }
            _ => scanner.pass()?,
        }
        Ok(())
    }

    /// Groq's and the responses dialect's objects that hold usage, model and error one level down.
    fn envelope(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Fault> {
        self.has_payload = true;
        if !scanner.object_or_skip()? {
            return Ok(());
        }
        while let Some(key) = scanner.next_key()? {
            match &*key.bytes() {
                b"usage" => {
                    let usage = usage::read(scanner)?;
                    self.add_usage(usage);
                }
                b"model" => self.model = scanner.text_or_skip()?.or(self.model),
                b"error" => self.is_suspicious |= is_truthy(scanner)?,
                _ => scanner.pass()?,
            }
        }
        Ok(())
    }

    fn data(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Fault> {
        self.has_payload = true;
        if !scanner.array_or_skip()? {
            return Ok(());
        }
        while scanner.next_item()? {
            if !scanner.object_or_skip()? {
                continue;
            }
            while let Some(key) = scanner.next_key()? {
                if &*key.bytes() == b"embedding" {
                    self.vector(scanner)?;
                } else {
                    scanner.pass()?;
                }
            }
        }
        Ok(())
    }

    fn vector(&mut self, scanner: &mut Scanner<'a>) -> Result<(), Fault> {
        let kind = scanner.kind()?;
        let mut length = None;
        if scanner.array_or_skip()? {
            let (mut numbers, mut others) = (0, 0);
            while scanner.next_item()? {
                if scanner.kind()? == Kind::Number {
                    scanner.number()?;
                    numbers += 1;
                } else {
                    scanner.pass()?;
                    others += 1;
                }
            }
            length = Some(numbers).filter(|_| others == 0);
        }
        self.encoded |= kind == Kind::String;
        if matches!(kind, Kind::Array | Kind::String) {
            self.vectors += 1;
            let agreed = self.dimensions.unwrap_or(length);
            self.dimensions = Some(agreed.filter(|_| agreed == length));
        }
        Ok(())
    }

    fn add_usage(&mut self, usage: Option<Usage>) {
        self.usage = match (self.usage, usage) {
            (Some(before), Some(usage)) => Some(before.then(usage)),
            (before, usage) => usage.or(before),
        };
    }
}

/// Finds the bytes to cut so that a member and one comma beside it go.
#[derive(Default)]
struct Cut {
    previous_end: Option<usize>,
    found: Option<Range<usize>>,
    /// The member is the first, so the comma after it goes.
    is_first: bool,
}

impl Cut {
    fn member(&mut self, name: &[u8], span: Range<usize>) {
        if let (Some(found), true) = (&mut self.found, std::mem::take(&mut self.is_first)) {
            found.end = span.start;
        }
        if name == b"usage" && self.found.is_none() {
            self.is_first = self.previous_end.is_none();
            self.found = Some(self.previous_end.unwrap_or(span.start)..span.end);
        }
        self.previous_end = Some(span.end);
    }

    fn finished(self) -> Option<Range<usize>> {
        self.found
    }
}

/// Whether the value that is next is an object or text that is not empty.
fn is_truthy(scanner: &mut Scanner<'_>) -> Result<bool, Fault> {
    let kind = scanner.kind()?;
    let span = scanner.skip()?;
    Ok(match kind {
        Kind::String => span.len() > 2,
        Kind::Object | Kind::Array => !scanner.is_blank(span.start + 1..span.end - 1),
        _ => false,
    })
}
