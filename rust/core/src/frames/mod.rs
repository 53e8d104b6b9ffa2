//! Reads what providers send back: server-sent events as they arrive, and the JSON inside them.
//!
//! [`SseReader`] cuts a byte stream into events without changing a byte, [`answer`] looks into an event or a whole
//! answer for what metering and routing need to know.

pub mod answer;
mod sse;

pub use sse::{Frame, FrameError, SseReader, Tail, write_event};
