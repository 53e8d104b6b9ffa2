//! What answers look like on the wire.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{BufMut, BytesMut};
use http::StatusCode;

#[cfg(test)]
mod tests;

/// Fields that say how an answer is framed, which is not for those to say who give it.
const FRAMING: [&str; 4] = ["connection", "content-length", "date", "transfer-encoding"];

/// The fields of an answer's head, as they go out.
#[derive(Debug, Clone)]
pub struct Lines {
    text: Vec<u8>,
    /// The length that whoever answers has declared.
    declared: Option<u64>,
}

/// Of most heads.
const LINES_BYTES: usize = 768;

impl Default for Lines {
    fn default() -> Self {
        Self { text: Vec::with_capacity(LINES_BYTES), declared: None }
    }
}

impl Lines {
    /// Adds a field. False: it is none that can be written, and is left out.
    pub fn add(&mut self, name: &str, value: &str) -> bool {
        let is_name = !name.is_empty() && name.bytes().all(is_token);
        if !is_name || !value.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f)) {
            return false;
        }
        if FRAMING.iter().any(|framing| name.eq_ignore_ascii_case(framing)) {
            if name.eq_ignore_ascii_case("content-length") {
                self.declared = value.parse().ok();
            }
            return true;
        }
        for part in [name.as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            self.text.extend_from_slice(part);
        }
        true
    }

    pub(super) fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// The fields, one by one.
    pub fn each(&self) -> impl Iterator<Item = (&str, &str)> {
        let text = std::str::from_utf8(&self.text).unwrap_or_default();
        text.split_terminator("\r\n").filter_map(|line| line.split_once(": "))
    }
}

/// The characters of a name (RFC 9110, 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// How the end of an answer is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunks,
    /// It has no body.
    None,
}

impl Framing {
    /// That of an answer of that status and length; of none: a stream.
    pub(super) fn of(status: u16, length: Option<u64>) -> Self {
        match length {
            _ if status < 200 || matches!(status, 204 | 304) => Self::None,
            Some(length) => Self::Length(length),
            None => Self::Chunks,
        }
    }
}

/// Writes the head of an answer.
pub(super) fn head(out: &mut BytesMut, (status, lines): (u16, &Lines), framing: Framing, closes: bool) {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    // Writing to memory does not fail.
    let _ = write!(out, "HTTP/1.1 {status} {}\r\n", reason.unwrap_or_default());
    out.put_slice(&lines.text);
    let _ = match framing {
        Framing::Length(length) => write!(out, "content-length: {length}\r\n"),
        Framing::Chunks => out.write_str("transfer-encoding: chunked\r\n"),
        Framing::None => Ok(()),
    };
    if closes {
        out.put_slice(b"connection: close\r\n");
    }
    out.put_slice(b"date: ");
    put_date(out);
    out.put_slice(b"\r\n\r\n");
}

/// Writes the time, which is the same for all answers of a second.
fn put_date(out: &mut BytesMut) {
    thread_local! {
        static LAST: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
    }
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    LAST.with_borrow_mut(|(of, text)| {
        if *of != second {
            (*of, *text) = (second, httpdate::fmt_http_date(now));
        }
        out.put_slice(text.as_bytes());
    });
}

/// Writes a piece of a stream.
pub(super) fn chunk(out: &mut BytesMut, data: &[u8]) {
    let _ = write!(out, "{:x}\r\n", data.len());
    out.put_slice(data);
    out.put_slice(b"\r\n");
}

/// What follows the last.
pub(super) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
