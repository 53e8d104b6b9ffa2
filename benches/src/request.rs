//! The chat request that a run sends again and again, built once, with numbers that change.
//!
//! Real requests are never equal: a conversation is sent again with one new message. Equal bodies would let every cache
//! answer, so a nine-digit number in the last message (or in all of them) counts the requests of a run.

use crate::behaviour::prose;
use clap::ValueEnum;
use std::fmt;
use std::net::SocketAddr;

#[cfg(test)]
mod tests;

/// Which messages differ from request to request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Vary {
    /// None: each request is the same.
    Nothing,
    /// The last, as in a conversation that goes on.
    Last,
    /// All, as in requests that have nothing in common.
    All,
}

/// Where requests go: an `http://` address on loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub address: SocketAddr,
    pub path: String,
}

/// A target that is not plain HTTP on loopback.
#[derive(Debug)]
pub struct NotLoopback(String);

impl fmt::Display for NotLoopback {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: want http://127.0.0.1:PORT/PATH", self.0)
    }
}

impl std::error::Error for NotLoopback {}

impl std::str::FromStr for Target {
    type Err = NotLoopback;

    fn from_str(url: &str) -> Result<Self, NotLoopback> {
        let refused = || NotLoopback(url.to_owned());
        let rest = url.strip_prefix("http://").ok_or_else(refused)?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let address: SocketAddr = host.parse().map_err(|_| refused())?;
        if !address.ip().is_loopback() {
            return Err(refused());
        }
        Ok(Self { address, path: format!("/{path}") })
    }
}

/// What to ask for.
#[derive(Clone, Debug)]
pub struct Shape {
    pub model: String,
    /// Bytes of the JSON body.
    pub body_bytes: usize,
    pub stream: bool,
    pub vary: Vary,
    /// Whole header lines, without their ends.
    pub headers: Vec<String>,
}

/// A request as bytes, ready to be sent.
#[derive(Clone, Debug)]
pub struct Request {
    wire: Vec<u8>,
    numbers: Vec<usize>,
}

const DIGITS: usize = 9;
const MARK: &str = "No. 000000000: ";
/// Bytes of each message before the last.
const HISTORY_BYTES: usize = 2048;
/// Bytes of the message that comes last in a conversation; all else is history.
const LAST_BYTES: usize = 240;

impl Request {
    /// A conversation of messages of about 2 KB, as long as the shape asks.
    #[must_use]
    pub fn new(target: &Target, shape: &Shape) -> Self {
        let body = body(shape);
        let mut wire = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\naccept: application/json\r\n\
             user-agent: bench\r\ncontent-length: {}\r\n",
            target.path,
            target.address,
            body.len()
        );
        for header in &shape.headers {
            wire.push_str(header);
            wire.push_str("\r\n");
        }
        wire.push_str("\r\n");
        wire.push_str(&body);
        let mark = memchr::memmem::Finder::new(MARK);
        let mut numbers: Vec<usize> =
            mark.find_iter(wire.as_bytes()).map(|found| found + "No. ".len()).collect();
        match shape.vary {
            Vary::Nothing => numbers.clear(),
            Vary::Last => numbers = numbers.split_off(numbers.len().saturating_sub(1)),
            Vary::All => {}
        }
        Self { wire: wire.into_bytes(), numbers }
    }

    /// The bytes of the request with this number.
    pub fn numbered(&mut self, number: u64) -> &[u8] {
        let digits = format!("{:0DIGITS$}", number % 1_000_000_000);
        for &at in &self.numbers {
            if let Some(place) = self.wire.get_mut(at..at + DIGITS) {
                place.copy_from_slice(digits.as_bytes());
            }
        }
        &self.wire
    }
}

fn body(shape: &Shape) -> String {
    let stream = if shape.stream { r#","stream":true,"stream_options":{"include_usage":true}"# } else { "" };
    let head =
        format!(r#"{{"model":"{}","temperature":0.2,"max_tokens":256{stream},"messages":["#, shape.model);
    let system = r#"{"role":"system","content":"You are a terse interpreter. Answer in one paragraph."}"#;
    let mut body = head + system;
    let left = |body: &str| shape.body_bytes.saturating_sub(body.len() + "]}".len());
    let mut roles = ["user", "assistant"].into_iter().cycle();
    while let (true, Some(role)) = (left(&body) > HISTORY_BYTES + LAST_BYTES, roles.next()) {
        body.push_str(&message(role, HISTORY_BYTES));
    }
    let history = left(&body).saturating_sub(LAST_BYTES);
    body.push_str(&message("assistant", history));
    let rest = left(&body);
    body.push_str(&message("user", rest));
    body.push_str("]}");
    body
}

/// A message whose JSON, with the comma before it, takes `bytes` (or as few as it can).
fn message(role: &str, bytes: usize) -> String {
    let frame = |content: &str| format!(r#",{{"role":"{role}","content":"{MARK}{content}"}}"#);
    frame(&prose(bytes.saturating_sub(frame("").len())))
}
