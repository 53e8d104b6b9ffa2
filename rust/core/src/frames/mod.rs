//! Reads what providers send back: events as they arrive, and the JSON inside them.
//!
//! [`SseReader`] cuts a byte stream into server-sent events without changing a byte, [`eventstream`] reads and writes
//! Amazon's binary messages, [`Cutter`] cuts any of them; [`answer`] looks into an event or a whole answer for what
//! metering and routing need to know.

pub mod answer;
mod cutter;
pub mod eventstream;
mod sse;

pub use cutter::{Cut, Cutter, Event, Framing};
pub use sse::{Frame, FrameError, SseReader, Tail, write_event};
