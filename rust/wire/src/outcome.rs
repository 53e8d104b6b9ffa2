//! How one attempt at a provider ended: enough to decide what comes next, to bill it, and to learn from it.

use std::time::Duration;

use bytes::Bytes;
use dragoman_core::frames::answer::{AnswerError, Usage};
use http::HeaderMap;
use tokio::time::Instant;

/// Why an attempt did not end with a whole answer in the client's hands.
#[derive(Debug, Clone)]
pub enum Failure {
    /// No connection, or one reset before it answered. `sent` says whether bytes of the request may have left.
    Unreachable { detail: String, sent: bool },
    /// The certificate or the handshake is bad; nothing was sent.
    Tls(String),
    /// The address policy or the URL forbids the connection.
    Refused(String),
    /// What came back is no proper answer (not HTTP, not JSON, too large, redirected, empty).
    Protocol(String),
    /// A status outside 2xx; the body is in the outcome.
    Status,
    /// An error object inside a 200.
    Reported(AnswerError),
    /// A stage took too long.
    Timeout(Stage),
    /// The stream ended before its end.
    Cut(String),
    /// The client hung up, or read too slowly for too long.
    ClientGone(&'static str),
    /// Another attempt of the same request was the first to answer.
    Beaten,
}

impl Failure {
    /// Whether the connection it came by is not to be trusted again.
    pub fn is_of_connection(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Protocol(_) | Self::Cut(_) | Self::Timeout(_))
    }
}

/// The stages that have a limit of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    FirstByte,
    Idle,
    Total,
}

/// How much of an answer has reached the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Written {
    /// Nothing: another attempt may follow unseen.
    #[default]
    Nothing,
    /// The head and some of the body: nothing may be retried.
    Partly,
    /// All of it.
    Whole,
}

/// What is known of an attempt, filled in as it goes, so that a cancelled one is accounted for as well.
#[derive(Debug)]
pub struct Progress {
    pub started: Instant,
    pub first_byte: Option<Instant>,
    pub first_content: Option<Instant>,
    pub ended: Instant,
    pub status: u16,
    pub headers: HeaderMap,
    /// The whole body, where the relay did not write it: an answer to write, or an error to read.
    pub body: Bytes,
    pub written: Written,
    pub usage: Option<Usage>,
    pub finish_reason: Option<String>,
    pub served_model: Option<String>,
    /// Text of the answer so far, kept (bounded) to count the tokens of a cut stream.
    pub text: String,
    pub text_truncated: bool,
    pub content_events: u64,
    /// A stream that ended well, but without `[DONE]`.
    pub missing_done: bool,
}

/// An attempt that is over.
#[derive(Debug)]
pub struct Outcome {
    pub progress: Progress,
    pub failure: Option<Failure>,
}

impl Progress {
    /// An attempt that starts now.
    pub fn starting(now: Instant) -> Self {
        Self {
            started: now,
            first_byte: None,
            first_content: None,
            ended: now,
            status: 0,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            written: Written::Nothing,
            usage: None,
            finish_reason: None,
            served_model: None,
            text: String::new(),
            text_truncated: false,
            content_events: 0,
            missing_done: false,
        }
    }

    /// Time since the start, of a moment that may not have come.
    pub fn since_start(&self, moment: Option<Instant>) -> Option<Duration> {
        moment.map(|at| at.saturating_duration_since(self.started))
    }
}
