//! One keep-alive connection of the load generator.

use crate::check::{Check, Wrong};
use crate::clock::monotonic_ns;
use crate::http1::{BodyReader, Broken, Framing, Head, answer_head, fill};
use bytes::{Buf, BytesMut};
use std::fmt;
use std::net::SocketAddr;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

#[cfg(test)]
mod tests;

/// A request that was answered rightly.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// From the first byte sent to the last byte of the answer.
    pub total_ns: u64,
    /// To the first byte of the answer's body.
    pub first_byte_ns: u64,
}

/// A request that was not.
#[derive(Debug)]
pub enum Failure {
    Broken(Broken),
    Status(u16),
    Wrong(Wrong),
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(broken) => broken.fmt(out),
            Self::Status(status) => write!(out, "status {status}"),
            Self::Wrong(wrong) => wrong.fmt(out),
        }
    }
}

impl std::error::Error for Failure {}

impl<E: Into<Broken>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Broken(error.into())
    }
}

/// Connects when it must, and again after each failure.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    stream: Option<TcpStream>,
    inbox: BytesMut,
}

impl Client {
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address, stream: None, inbox: BytesMut::with_capacity(64 * 1024) }
    }

    /// Sends a request and reads its answer through `check`.
    pub async fn exchange(
        &mut self,
        request: &[u8],
        check: &mut Check,
        delay: impl FnMut(u64),
    ) -> Result<Exchange, Failure> {
        let outcome = self.try_exchange(request, check, delay).await;
        if outcome.is_err() {
            self.hang_up();
        }
        outcome
    }

    /// Sends a request, reads `events` of its stream and hangs up.
    pub async fn cut_short(
        &mut self,
        request: &[u8],
        check: &mut Check,
        events: u32,
    ) -> Result<Exchange, Failure> {
        let outcome = self.read_some(request, check, events).await;
        self.hang_up();
        outcome
    }

    fn hang_up(&mut self) {
        self.stream = None;
        self.inbox.clear();
    }

    async fn try_exchange(
        &mut self,
        request: &[u8],
        check: &mut Check,
        mut delay: impl FnMut(u64),
    ) -> Result<Exchange, Failure> {
        let (started_ns, head) = self.send(request).await?;
        let mut body = BodyReader::new(head.framing);
        let first_byte_ns = monotonic_ns();
        let mut now_ns = first_byte_ns;
        check.start();
        let mut closed = false;
        loop {
            body.read(&mut self.inbox, |piece| check.feed(piece, now_ns, &mut delay))?;
            if body.ended() {
                break;
            }
            if self.fill().await? == 0 {
                closed = true;
                break;
            }
            now_ns = monotonic_ns();
        }
        if closed {
            self.hang_up();
            if head.framing != Framing::ToEnd {
                return Err(Failure::Broken(Broken::Cut));
            }
        }
        verdict(head, check)?;
        Ok(Exchange { total_ns: now_ns - started_ns, first_byte_ns: first_byte_ns - started_ns })
    }

    async fn read_some(
        &mut self,
        request: &[u8],
        check: &mut Check,
        events: u32,
    ) -> Result<Exchange, Failure> {
        let (started_ns, head) = self.send(request).await?;
        if head.status != 200 {
            return Err(Failure::Status(head.status));
        }
        let first_byte_ns = monotonic_ns();
        let mut body = BodyReader::new(head.framing);
        check.start();
        while check.events() < events {
            body.read(&mut self.inbox, |piece| check.feed(piece, 0, |_| {}))?;
            if check.events() < events && self.fill().await? == 0 {
                return Err(Failure::Broken(Broken::Cut));
            }
        }
        Ok(Exchange { total_ns: monotonic_ns() - started_ns, first_byte_ns: first_byte_ns - started_ns })
    }

    async fn send(&mut self, request: &[u8]) -> Result<(u64, Head), Failure> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            self.stream = Some(stream);
        }
        let started_ns = monotonic_ns();
        self.stream()?.write_all(request).await?;
        loop {
            if self.fill().await? == 0 {
                return Err(Failure::Broken(Broken::Cut));
            }
            if let Some(head) = answer_head(&self.inbox)? {
                self.inbox.advance(head.bytes);
                return Ok((started_ns, head));
            }
        }
    }

    fn stream(&mut self) -> Result<&mut TcpStream, Broken> {
        self.stream.as_mut().ok_or(Broken::Cut)
    }

    async fn fill(&mut self) -> Result<usize, Broken> {
        let stream = self.stream.as_mut().ok_or(Broken::Cut)?;
        fill(stream, &mut self.inbox).await
    }
}

fn verdict(head: Head, check: &Check) -> Result<(), Failure> {
    if head.status != 200 {
        return Err(Failure::Status(head.status));
    }
    check.end().map_err(Failure::Wrong)
}
