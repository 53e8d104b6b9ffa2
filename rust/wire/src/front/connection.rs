//! One client's connection: its requests, one after the other.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::oneshot;
use tokio::sync::watch::Receiver;
use tokio::time::{timeout, timeout_at};

use super::answer::{Framing, LAST_CHUNK, chunk, head};
use super::relay::{linger, relay};
use super::{Answer, Came, Door, Front, Head, Lines, Patience, Room, Serves, Stage, Trouble};

#[cfg(test)]
mod tests;

/// Room for a head and a short body, and what is taken at once: for some of these.
const SHORT_BYTES: usize = 2 * 1024;
const READ_BYTES: usize = 8 * 1024;
/// Room is made for a body as it comes.
const MORE_BYTES: usize = 64 * 1024;
/// A client may send so much before it has been answered.
const AHEAD_BYTES: usize = 64 * 1024;
/// A body up to this size is sent together with its head.
const TOGETHER_BYTES: usize = 16 * 1024;
/// So much of a stream is gathered before it leaves.
const GATHER_BYTES: usize = 64 * 1024;

/// What comes after a request.
enum Next {
    /// Another one.
    Request,
    /// Nothing: the client is gone, or has nothing to say.
    Nothing,
    /// Nothing, though the client may be sending still.
    Close,
    /// The connection is the server's behind.
    Relay,
}

/// Serves a connection to its end.
pub(super) async fn serve<S: Serves>(front: &Front<S>, mut stream: TcpStream, peer: SocketAddr) {
    let (reader, writer) = stream.split();
    let stage = front.stage.subscribe();
    let mut connection = Connection { front, reader, writer, peer, stage, buffer: BytesMut::new() };
    let next = loop {
        let next = connection.next().await;
        if !matches!(next, Ok(Next::Request)) {
            break next.unwrap_or(Next::Nothing);
        }
    };
    let read = std::mem::take(&mut connection.buffer);
    match next {
        Next::Relay => relay(front, stream, peer, read).await,
        Next::Close => linger(stream).await,
        Next::Request | Next::Nothing => {}
    }
}

struct Connection<'a, S> {
    front: &'a Front<S>,
    reader: ReadHalf<'a>,
    writer: WriteHalf<'a>,
    peer: SocketAddr,
    stage: Receiver<Stage>,
    /// What has been read and is not used yet.
    buffer: BytesMut,
}

impl<'a, S: Serves> Connection<'a, S> {
    /// Serves the next request.
    async fn next(&mut self) -> io::Result<Next> {
        if self.buffer.is_empty() && !self.wakes().await? {
            return Ok(Next::Nothing);
        }
        let arrived = Instant::now();
        let Some((head, (patience, room))) = self.head() else { return Ok(Next::Relay) };
        let body = self.body(head.length, &patience, arrived).await;
        drop(room);
        let is_whole = body.is_ok();
        let (door, mut answer) = Door::new();
        // Whoever lets go of it has nothing to answer.
        let known = Arc::downgrade(&door);
        self.front.serves.serve(Came { head, body, peer: self.peer, arrived, door });
        let next = self.answer(&mut answer, is_whole).await;
        if !matches!(next, Ok(Next::Request | Next::Close))
            && let Some(door) = known.upgrade()
        {
            door.leave();
        }
        next
    }

    /// Waits for a request. False: none comes.
    async fn wakes(&mut self) -> io::Result<bool> {
        let (idle, mut stage) = (self.front.bounds.idle, self.stage.clone());
        let wakes = async {
            // One that has never sent anything needs no room. What is told to be readable may have nothing to read.
            self.reader.readable().await?;
            let spare = self.buffer.capacity() - self.buffer.len();
            self.read(if spare < SHORT_BYTES { READ_BYTES } else { 1 }).await
        };
        tokio::select! {
            wakes = timeout(idle, wakes) => wakes.unwrap_or(Ok(false)),
            _ = stage.wait_for(|stage| *stage != Stage::Open) => Ok(false),
        }
    }

    /// Reads what there is. False: nothing comes any more.
    async fn read(&mut self, room: usize) -> io::Result<bool> {
        self.buffer.reserve(room);
        Ok(self.reader.read_buf(&mut self.buffer).await? > 0)
    }

    /// The head of a request that is for here.
    fn head(&mut self) -> Option<(Head, (Patience, Room<'a>))> {
        let front = self.front;
        Head::take(&mut self.buffer, front.bounds.head_bytes, |head| {
            front.serves.admits(head).zip(front.room(head.length))
        })
    }

    async fn body(&mut self, length: usize, patience: &Patience, arrived: Instant) -> Result<Bytes, Trouble> {
        while self.buffer.len() < length {
            let until = patience.until(arrived, self.buffer.len());
            let room = (length - self.buffer.len()).min(MORE_BYTES);
            let mut stage = self.stage.clone();
            let has_come = tokio::select! {
                read = timeout_at(until.into(), self.read(room)) => read.map_err(|_| Trouble::Late)?,
                _ = stage.wait_for(|stage| *stage == Stage::Stopping) => return Err(Trouble::Late),
            };
            if !has_come.unwrap_or(false) {
                return Err(Trouble::Broken);
            }
        }
        Ok(self.buffer.split_to(length).freeze())
    }

    /// Writes the answer once it is there.
    async fn answer(&mut self, answer: &mut oneshot::Receiver<Answer>, is_whole: bool) -> io::Result<Next> {
        let answer = tokio::select! {
            biased;
            answer = answer => answer,
            () = self.ahead() => return Ok(Next::Nothing),
        };
        let closes = answer.is_err() || !is_whole || *self.stage.borrow() != Stage::Open;
        let next = if closes { Next::Close } else { Next::Request };
        match answer {
            Ok(Answer::Whole(status, lines, body)) => self.whole((status, &lines), &body, closes).await?,
            Ok(Answer::Stream(status, lines, pieces)) => {
                if !self.stream((status, &lines), pieces, closes).await? {
                    return Ok(Next::Nothing);
                }
            }
            Err(_) => self.whole((500, &Lines::default()), &[], closes).await?,
        }
        Ok(next)
    }

    /// Reads what the client sends before it is answered, and returns once it is gone.
    async fn ahead(&mut self) {
        while self.buffer.len() < AHEAD_BYTES && self.reader.readable().await.is_ok() {
            if !self.read(1).await.unwrap_or(false) {
                return;
            }
        }
        std::future::pending().await
    }

    async fn whole(&mut self, top: (u16, &Lines), body: &[u8], closes: bool) -> io::Result<()> {
        let framing = Framing::of(top.0, Some(body.len() as u64));
        let body = if framing == Framing::None { &[] } else { body };
        let together = if body.len() > TOGETHER_BYTES { 0 } else { body.len() };
        let mut out = BytesMut::with_capacity(1024 + together);
        head(&mut out, top, framing, closes);
        if together == body.len() {
            out.extend_from_slice(body);
            return self.put(&out).await;
        }
        self.put(&out).await?;
        self.put(body).await
    }

    /// Writes a stream. False: it came to no proper end.
    async fn stream(
        &mut self,
        top: (u16, &Lines),
        mut pieces: UnboundedReceiver<Bytes>,
        closes: bool,
    ) -> io::Result<bool> {
        let framing = Framing::of(top.0, top.1.declared());
        let mut out = Stream { out: BytesMut::with_capacity(READ_BYTES), framing };
        head(&mut out.out, top, framing, closes);
        loop {
            let is_over = out.gather(&mut pieces);
            self.put(&out.out).await?;
            out.out.clear();
            if is_over {
                return Ok(!matches!(out.framing, Framing::Length(1..)));
            }
            tokio::select! {
                biased;
                piece = pieces.recv() => if let Some(piece) = piece { out.add(&piece) },
                () = self.ahead() => return Ok(false),
            }
        }
    }

    /// Writes all of it, as long as the client reads.
    async fn put(&self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            match self.writer.try_write(data) {
                Ok(written) => data = data.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    timeout(self.front.bounds.write, self.writer.writable()).await??;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What is to be written of a stream.
struct Stream {
    out: BytesMut,
    /// With the length that is left of it.
    framing: Framing,
}

impl Stream {
    /// Takes what there is. True: that is the last of it.
    fn gather(&mut self, pieces: &mut UnboundedReceiver<Bytes>) -> bool {
        while self.out.len() < GATHER_BYTES {
            match pieces.try_recv() {
                Ok(piece) => self.add(&piece),
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => {
                    if self.framing == Framing::Chunks {
                        self.out.extend_from_slice(LAST_CHUNK);
                    }
                    return true;
                }
            }
        }
        false
    }

    fn add(&mut self, piece: &[u8]) {
        match &mut self.framing {
            Framing::Chunks if piece.is_empty() => {}
            Framing::Chunks => chunk(&mut self.out, piece),
            Framing::Length(left) => {
                let fits = piece.get(..usize::try_from(*left).unwrap_or(usize::MAX)).unwrap_or(piece);
                *left -= fits.len() as u64;
                self.out.extend_from_slice(fits);
            }
            Framing::None => {}
        }
    }
}
