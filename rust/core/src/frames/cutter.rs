//! One way to cut a stream of any dialect into its events: a name, and the data that belongs to it.

use super::eventstream::MessageReader;
use super::{SseReader, Tail};

/// How a dialect's events are cut out of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Sse,
    /// Amazon's binary messages.
    EventStream,
    /// A JSON value a line.
    Lines,
}

/// An event's name (empty where it has none), and its data.
pub type Event = (String, Vec<u8>);

/// Events as they were cut.
#[derive(Debug, Default)]
pub struct Cut {
    pub events: Vec<Event>,
    /// The same as it came, comments included, where a cutter is to keep that.
    pub raw: Vec<u8>,
}

/// Cuts a stream.
#[derive(Debug)]
pub struct Cutter {
    reader: Reader,
    keep_raw: bool,
}

#[derive(Debug)]
enum Reader {
    Sse(SseReader),
    EventStream(MessageReader),
    Lines { buffer: Vec<u8>, max_bytes: usize },
}

impl Cutter {
    /// A cutter of events of at most `max_bytes`.
    pub fn new(framing: Framing, max_bytes: usize, keep_raw: bool) -> Self {
        let reader = match framing {
            Framing::Sse => Reader::Sse(SseReader::new(max_bytes)),
            Framing::EventStream => Reader::EventStream(MessageReader::new(max_bytes)),
            Framing::Lines => Reader::Lines { buffer: Vec::new(), max_bytes },
        };
        Self { reader, keep_raw }
    }

    /// Takes more bytes and adds the events that they complete. The error says why there will be no more.
    pub fn push(&mut self, data: &[u8], cut: &mut Cut) -> Result<(), String> {
        match &mut self.reader {
            Reader::Sse(reader) => {
                reader.push(data);
                drain_sse(reader, cut, self.keep_raw)
            }
            Reader::EventStream(reader) => {
                reader.push(data);
                drain_messages(reader, cut, self.keep_raw)
            }
            Reader::Lines { buffer, max_bytes } => {
                buffer.extend_from_slice(data);
                take_lines(buffer, cut, self.keep_raw);
                if buffer.len() > *max_bytes { Err(format!("a line over {max_bytes} bytes")) } else { Ok(()) }
            }
        }
    }

    /// The end of the body. The error says what was cut off.
    pub fn finish(&mut self, cut: &mut Cut) -> Result<(), String> {
        match &mut self.reader {
            Reader::Sse(reader) => {
                // What no blank line ended is dropped, as the standard says; a last frame may have waited for its CR.
                let _ = matches!(reader.finish(), Tail::Clean);
                drain_sse(reader, cut, self.keep_raw)
            }
            Reader::EventStream(reader) if reader.is_amid() => Err("a message was cut".into()),
            Reader::EventStream(_) => Ok(()),
            Reader::Lines { buffer, .. } => {
                if !buffer.is_empty() {
                    buffer.push(b'\n');
                    take_lines(buffer, cut, self.keep_raw);
                }
                Ok(())
            }
        }
    }
}

fn drain_sse(reader: &mut SseReader, cut: &mut Cut, keep_raw: bool) -> Result<(), String> {
    while let Some(frame) = reader.next() {
        let frame = frame.map_err(|error| error.to_string())?;
        if keep_raw {
            cut.raw.extend_from_slice(frame.raw);
        }
        if !frame.is_comment {
            cut.events.push((frame.event.as_deref().unwrap_or_default().to_owned(), frame.data.to_vec()));
        }
    }
    Ok(())
}

fn drain_messages(reader: &mut MessageReader, cut: &mut Cut, keep_raw: bool) -> Result<(), String> {
    while let Some(message) = reader.next_message() {
        let message = message.map_err(|error| error.to_string())?;
        if keep_raw {
            cut.raw.extend_from_slice(reader.last_raw());
        }
        cut.events.push((message.name, message.payload));
    }
    Ok(())
}

/// Takes whole lines out of the buffer; empty ones say nothing.
fn take_lines(buffer: &mut Vec<u8>, cut: &mut Cut, keep_raw: bool) {
    let Some(end) = memchr::memrchr(b'\n', buffer) else { return };
    if keep_raw {
        cut.raw.extend_from_slice(buffer.get(..=end).unwrap_or_default());
    }
    for line in buffer.get(..end).unwrap_or_default().split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.trim_ascii().is_empty() {
            cut.events.push((String::new(), line.to_vec()));
        }
    }
    buffer.drain(..=end);
}

#[cfg(test)]
mod tests;
