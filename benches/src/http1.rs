//! As much of HTTP/1.1 as the benches need: heads by `httparse`, bodies by length, by chunks or to the end.

use bytes::{Buf, BytesMut};
use std::fmt;
use tokio::io::{AsyncRead, AsyncReadExt};

#[cfg(test)]
mod tests;

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `content-length`.
    Length(usize),
    /// `transfer-encoding: chunked`.
    Chunked,
    /// The end of the connection.
    ToEnd,
}

/// What is kept of a message's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Of an answer; 0 for a request.
    pub status: u16,
    pub framing: Framing,
    /// Bytes that the head took.
    pub bytes: usize,
}

/// Why a message could not be read.
#[derive(Debug)]
pub enum Broken {
    /// Reading failed.
    Io(std::io::Error),
    /// The connection ended inside a message.
    Cut,
    /// The bytes are not HTTP/1.1.
    Garbled,
}

impl fmt::Display for Broken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(out, "i/o: {}", error.kind()),
            Self::Cut => out.write_str("cut"),
            Self::Garbled => out.write_str("garbled HTTP"),
        }
    }
}

impl std::error::Error for Broken {}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads the head of an answer; `None` until it is complete.
pub fn answer_head(bytes: &[u8]) -> Result<Option<Head>, Broken> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut answer = httparse::Response::new(&mut headers);
    match answer.parse(bytes).map_err(|_| Broken::Garbled)? {
        httparse::Status::Partial => Ok(None),
        httparse::Status::Complete(length) => {
            let framing = framing(answer.headers, Framing::ToEnd)?;
            Ok(Some(Head { status: answer.code.unwrap_or(0), framing, bytes: length }))
        }
    }
}

/// Reads the head of a request; `None` until it is complete.
pub fn request_head(bytes: &[u8]) -> Result<Option<Head>, Broken> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes).map_err(|_| Broken::Garbled)? {
        httparse::Status::Partial => Ok(None),
        httparse::Status::Complete(length) => {
            let framing = framing(request.headers, Framing::Length(0))?;
            Ok(Some(Head { status: 0, framing, bytes: length }))
        }
    }
}

fn framing(headers: &[httparse::Header<'_>], otherwise: Framing) -> Result<Framing, Broken> {
    let mut found = otherwise;
    for header in headers {
        if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Ok(Framing::Chunked);
        }
        if header.name.eq_ignore_ascii_case("content-length") {
            let text = std::str::from_utf8(header.value).map_err(|_| Broken::Garbled)?;
            found = Framing::Length(text.trim().parse().map_err(|_| Broken::Garbled)?);
        }
    }
    Ok(found)
}

/// Appends what the peer sends next to `inbox`.
pub async fn fill(stream: &mut (impl AsyncRead + Unpin), inbox: &mut BytesMut) -> Result<usize, Broken> {
    inbox.reserve(16 * 1024);
    Ok(stream.read_buf(inbox).await?)
}

/// Takes the framing off a body, piece by piece.
#[derive(Debug)]
pub struct BodyReader {
    state: State,
}

#[derive(Debug)]
enum State {
    Length { left: usize },
    ChunkSize,
    ChunkData { left: usize },
    ChunkEnd,
    Trailers,
    ToEnd,
    Ended,
}

impl BodyReader {
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Length(0) => State::Ended,
            Framing::Length(left) => State::Length { left },
            Framing::Chunked => State::ChunkSize,
            Framing::ToEnd => State::ToEnd,
        };
        Self { state }
    }

    /// Whether the whole body has been read.
    #[must_use]
    pub fn ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Hands each piece of body in `inbox` to `sink` and consumes it. What is left over is incomplete framing, or the
    /// next message.
    pub fn read(&mut self, inbox: &mut BytesMut, mut sink: impl FnMut(&[u8])) -> Result<(), Broken> {
        loop {
            let before = inbox.len();
            match self.state {
                State::Ended => return Ok(()),
                State::ToEnd => {
                    sink(inbox);
                    inbox.clear();
                }
                State::Length { left } => {
                    let taken = take(inbox, left, &mut sink);
                    self.state =
                        if taken == left { State::Ended } else { State::Length { left: left - taken } };
                }
                State::ChunkData { left } => {
                    let taken = take(inbox, left, &mut sink);
                    self.state =
                        if taken == left { State::ChunkEnd } else { State::ChunkData { left: left - taken } };
                }
                State::ChunkSize => self.chunk_size(inbox)?,
                State::ChunkEnd => {
                    if let Some(line) = line(inbox) {
                        self.state = if line == 0 { State::ChunkSize } else { return Err(Broken::Garbled) };
                    }
                }
                State::Trailers => {
                    if line(inbox) == Some(0) {
                        self.state = State::Ended;
                    }
                }
            }
            if inbox.len() == before && !self.ended() {
                return Ok(());
            }
        }
    }

    fn chunk_size(&mut self, inbox: &mut BytesMut) -> Result<(), Broken> {
        match httparse::parse_chunk_size(inbox).map_err(|_| Broken::Garbled)? {
            httparse::Status::Partial => {}
            httparse::Status::Complete((head, size)) => {
                inbox.advance(head);
                let left = usize::try_from(size).map_err(|_| Broken::Garbled)?;
                self.state = if left == 0 { State::Trailers } else { State::ChunkData { left } };
            }
        }
        Ok(())
    }
}

fn take(inbox: &mut BytesMut, most: usize, sink: &mut impl FnMut(&[u8])) -> usize {
    let piece = inbox.split_to(most.min(inbox.len()));
    if !piece.is_empty() {
        sink(&piece);
    }
    piece.len()
}

/// Consumes a line; its length without the line's end.
fn line(inbox: &mut BytesMut) -> Option<usize> {
    let end = memchr::memchr(b'\n', inbox)?;
    let text = inbox.split_to(end + 1);
    Some(text.trim_ascii_end().len())
}

/// A piece as one HTTP chunk.
#[must_use]
pub fn chunk(piece: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()
}

/// The chunk that ends a body.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
