//! Amazon's binary event stream (`application/vnd.amazon.eventstream`), read and written.
//!
//! A message is a prelude (total length, length of the headers, checksum of both), headers, a payload, and a checksum of
//! all before it; integers are big-endian, checksums CRC-32 as in zlib. There is no end marker: a stream ends with its
//! body. The layout: <https://smithy.io/2.0/aws/amazon-eventstream.html>.

use thiserror::Error;

/// Prelude and both checksums: a message is at least that long.
const LEAST: usize = 16;
const PRELUDE: usize = 12;
const MAX_HEADER_BYTES: usize = 128 * 1024;

/// Why a stream cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MessageError {
    #[error("a message of {0} bytes")]
    Length(usize),
    #[error("headers of {0} bytes in a message of {1}")]
    HeaderLength(usize, usize),
    #[error("the checksum of a prelude is wrong")]
    PreludeChecksum,
    #[error("the checksum of a message is wrong")]
    Checksum,
    #[error("a header cannot be read")]
    Header,
}

/// What a message is, by its `:message-type`, and its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The `:event-type`; `exception:` and the `:exception-type`; `error:` and the `:error-code`.
    pub name: String,
    pub payload: Vec<u8>,
}

/// Cuts a byte stream into messages, however the network split it.
#[derive(Debug)]
pub struct MessageReader {
    buffer: Vec<u8>,
    start: usize,
    /// Where the message before that begins.
    last: usize,
    max_bytes: usize,
    is_broken: bool,
}

impl MessageReader {
    /// A reader that takes messages of at most `max_bytes`.
    pub fn new(max_bytes: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, last: 0, max_bytes, is_broken: false }
    }

    /// Takes more bytes.
    pub fn push(&mut self, data: &[u8]) {
        if self.start == self.buffer.len() {
            self.buffer.clear();
        } else if self.start > 0 {
            self.buffer.drain(..self.start);
        }
        (self.start, self.last) = (0, 0);
        self.buffer.extend_from_slice(data);
    }

    /// The next whole message. An error is the last that comes.
    pub fn next_message(&mut self) -> Option<Result<Message, MessageError>> {
        if self.is_broken {
            return None;
        }
        let message = self.read()?;
        self.is_broken = message.is_err();
        Some(message)
    }

    fn read(&mut self) -> Option<Result<Message, MessageError>> {
        let unread = self.buffer.get(self.start..)?;
        let length = match self.length(unread) {
            Ok(length) => length?,
            Err(error) => return Some(Err(error)),
        };
        let message = unread.get(..length)?;
        self.last = self.start;
        self.start += length;
        Some(parse(message))
    }

    /// The bytes of the message that was read last.
    pub fn last_raw(&self) -> &[u8] {
        self.buffer.get(self.last..self.start).unwrap_or_default()
    }

    /// Whether bytes are left that are no whole message.
    pub fn is_amid(&self) -> bool {
        self.start < self.buffer.len()
    }

    /// The length that a prelude names, once it is there and proved.
    fn length(&self, unread: &[u8]) -> Result<Option<usize>, MessageError> {
        let Some(prelude) = unread.get(..PRELUDE) else { return Ok(None) };
        let (length, headers) = (number(prelude, 0), number(prelude, 4));
        if number(prelude, 8) != checksum(prelude.get(..8).unwrap_or_default()) as usize {
            return Err(MessageError::PreludeChecksum);
        }
        if length < LEAST || length > self.max_bytes {
            return Err(MessageError::Length(length));
        }
        if headers > MAX_HEADER_BYTES || headers > length - LEAST {
            return Err(MessageError::HeaderLength(headers, length));
        }
        Ok(Some(length))
    }
}

/// A whole message whose prelude is good.
fn parse(message: &[u8]) -> Result<Message, MessageError> {
    let end = message.len().saturating_sub(4);
    let (all, told) = message.split_at_checked(end).ok_or(MessageError::Checksum)?;
    if number(told, 0) != checksum(all) as usize {
        return Err(MessageError::Checksum);
    }
    let body = all.get(PRELUDE..).ok_or(MessageError::Header)?;
    let (headers, payload) = body.split_at_checked(number(all, 4)).ok_or(MessageError::Header)?;
    Ok(Message { name: name(headers)?, payload: payload.to_vec() })
}

/// The name of a message, from its headers.
fn name(mut headers: &[u8]) -> Result<String, MessageError> {
    let (mut kind, mut event, mut exception, mut error) = (None, None, None, None);
    while !headers.is_empty() {
        let (key, value, rest) = header(headers).ok_or(MessageError::Header)?;
        headers = rest;
        match key {
            b":message-type" => kind = value,
            b":event-type" => event = value,
            b":exception-type" => exception = value,
            b":error-code" => error = value,
            _ => {}
        }
    }
    let named = |prefix: &str, value: Option<&[u8]>| {
        let value = std::str::from_utf8(value.unwrap_or_default()).map_err(|_| MessageError::Header)?;
        Ok(format!("{prefix}{value}"))
    };
    match kind {
        Some(b"exception") => named("exception:", exception),
        Some(b"error") => named("error:", error),
        _ => named("", event),
    }
}

/// Key, value and rest.
type Header<'a> = (&'a [u8], Option<&'a [u8]>, &'a [u8]);

/// The first header. Values that are no strings are passed over.
fn header(headers: &[u8]) -> Option<Header<'_>> {
    let (&length, rest) = headers.split_first()?;
    let (key, rest) = rest.split_at_checked(usize::from(length))?;
    let (&kind, rest) = rest.split_first()?;
    let size = match kind {
        0 | 1 => 0,
        2 => 1,
        3 => 2,
        4 => 4,
        5 | 8 => 8,
        9 => 16,
        6 | 7 => {
            let (size, rest) = rest.split_at_checked(2)?;
            let (value, rest) = rest.split_at_checked(short(size))?;
            return Some((key, (kind == 7).then_some(value), rest));
        }
        _ => return None,
    };
    let (_, rest) = rest.split_at_checked(size)?;
    Some((key, None, rest))
}

/// One message as bytes: an event, or an exception, with a payload of JSON.
pub fn write_message(name: &str, payload: &[u8], is_exception: bool) -> Vec<u8> {
    let (key, kind) = if is_exception { (":exception-type", "exception") } else { (":event-type", "event") };
    let mut headers = Vec::with_capacity(96);
    for (key, value) in [(key, name), (":content-type", "application/json"), (":message-type", kind)] {
        let value = value.get(..value.len().min(usize::from(u16::MAX))).unwrap_or_default();
        headers.push(key.len() as u8);
        headers.extend_from_slice(key.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&(value.len() as u16).to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let length = LEAST + headers.len() + payload.len();
    let mut message = Vec::with_capacity(length);
    message.extend_from_slice(&(length as u32).to_be_bytes());
    message.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    message.extend_from_slice(&checksum(&message).to_be_bytes());
    message.extend_from_slice(&headers);
    message.extend_from_slice(payload);
    message.extend_from_slice(&checksum(&message).to_be_bytes());
    message
}

fn checksum(data: &[u8]) -> u32 {
    crc32fast::hash(data)
}

fn number(data: &[u8], at: usize) -> usize {
    let bytes = data.get(at..at + 4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()).unwrap_or_default();
    u32::from_be_bytes(bytes) as usize
}

fn short(data: &[u8]) -> usize {
    usize::from(u16::from_be_bytes(<[u8; 2]>::try_from(data).unwrap_or_default()))
}

#[cfg(test)]
mod tests;
