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

/// Cuts a stream.
#[derive(Debug)]
pub enum Cutter {
    Sse(SseReader),
    EventStream(MessageReader),
    Lines { buffer: Vec<u8>, max_bytes: usize },
}

impl Cutter {
    /// A cutter of events of at most `max_bytes`.
    pub fn new(framing: Framing, max_bytes: usize) -> Self {
        match framing {
            Framing::Sse => Self::Sse(SseReader::new(max_bytes)),
            Framing::EventStream => Self::EventStream(MessageReader::new(max_bytes)),
            Framing::Lines => Self::Lines { buffer: Vec::new(), max_bytes },
        }
    }

    /// Takes more bytes and adds the events that they complete. The error says why there will be no more.
    pub fn push(&mut self, data: &[u8], events: &mut Vec<Event>) -> Result<(), String> {
        match self {
            Self::Sse(reader) => {
                reader.push(data);
                drain_sse(reader, events)
            }
            Self::EventStream(reader) => {
                reader.push(data);
                while let Some(message) = reader.next_message() {
                    let message = message.map_err(|error| error.to_string())?;
                    events.push((message.name, message.payload));
                }
                Ok(())
            }
            Self::Lines { buffer, max_bytes } => {
                buffer.extend_from_slice(data);
                take_lines(buffer, events);
                if buffer.len() > *max_bytes { Err(format!("a line over {max_bytes} bytes")) } else { Ok(()) }
            }
        }
    }

    /// The end of the body. The error says what was cut off.
    pub fn finish(&mut self, events: &mut Vec<Event>) -> Result<(), String> {
        match self {
            Self::Sse(reader) => {
                // What no blank line ended is dropped, as the standard says; a last frame may have waited for its CR.
                let _ = matches!(reader.finish(), Tail::Clean);
                drain_sse(reader, events)
            }
            Self::EventStream(reader) if reader.is_amid() => Err("a message was cut".into()),
            Self::EventStream(_) => Ok(()),
            Self::Lines { buffer, .. } => {
                buffer.push(b'\n');
                take_lines(buffer, events);
                Ok(())
            }
        }
    }
}

fn drain_sse(reader: &mut SseReader, events: &mut Vec<Event>) -> Result<(), String> {
    while let Some(frame) = reader.next() {
        let frame = frame.map_err(|error| error.to_string())?;
        if !frame.is_comment {
            events.push((frame.event.as_deref().unwrap_or_default().to_owned(), frame.data.to_vec()));
        }
    }
    Ok(())
}

/// Takes whole lines out of the buffer; empty ones say nothing.
fn take_lines(buffer: &mut Vec<u8>, events: &mut Vec<Event>) {
    let Some(end) = memchr::memrchr(b'\n', buffer) else { return };
    for line in buffer.get(..end).unwrap_or_default().split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.trim_ascii().is_empty() {
            events.push((String::new(), line.to_vec()));
        }
    }
    buffer.drain(..=end);
}

#[cfg(test)]
mod tests;
