//! The relay: an upstream's stream written to the client as it comes, and tapped on the way.
//!
//! Nothing is written before the first event that carries content, so that a stream that fails before it can be taken
//! up elsewhere without the client's noticing. After it, a failure can only be told: the caller ends the stream with an
//! error event. While the upstream is silent a comment keeps the client's connection alive.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use dragoman_core::frames::answer::{Seen, Summary, Tap};
use dragoman_core::frames::{SseReader, Tail, write_event};
use tokio::time::{Instant, timeout, timeout_at};

use crate::attempt::{Body, Lane, Limits, decode, decoder_of};
use crate::outcome::{Failure, Progress, Stage, Written};

/// Text kept of a stream to count its tokens should it be cut.
const TEXT_BYTES: usize = 256 * 1024;
/// Comments and empty deltas held back until the first content; when there are more, the answer begins without it.
const HELD_BYTES: usize = 64 * 1024;
/// More of a burst than this is not gathered before it leaves.
const BURST_BYTES: usize = 16 * 1024;
/// How long the end of a finished stream is waited for, so that its connection can be used again.
const DRAIN: Duration = Duration::from_millis(250);
const PING: &[u8] = b": ping\n\n";
const DONE: &[u8] = b"data: [DONE]\n\n";

/// What came of beginning an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    Yes,
    /// The client is gone.
    Gone,
    /// Another attempt has begun to answer.
    Beaten,
}

/// The way to the client.
pub trait Reply: Send {
    /// Sends the head.
    fn start(&mut self, progress: &Progress) -> Begun;
    /// Sends a piece of the body. `false`: the client is gone.
    fn send(&mut self, data: &[u8]) -> bool;
    /// Waits until few enough bytes are outstanding. `false`: the client has not read for too long.
    fn ready(&mut self) -> impl Future<Output = bool> + Send;
    /// Ends the body.
    fn finish(&mut self);
    /// Hears how much text was generated so far, and what of it is kept.
    fn generated(&mut self, bytes: u64, text: &str);
}

/// Relays server-sent events.
pub(crate) async fn events(
    body: Body,
    limits: &Limits,
    lane: Lane,
    progress: &mut Progress,
    reply: &mut impl Reply,
) -> Result<(), Failure> {
    let decoder = decoder_of(&progress.headers, usize::MAX)?;
    let hide_usage = lane == Lane::Stream { hide_usage: true };
    let relay = Relay {
        reader: SseReader::new(limits.event_bytes),
        tap: Tap::new(hide_usage, TEXT_BYTES),
        pending: Vec::new(),
        finished: false,
        eager: lane == Lane::Raw,
        hold: limits.hold,
    };
    let mut upstream = Upstream { body, decoder, idle: limits.idle, heartbeat: limits.heartbeat };
    let first_byte_by = progress.started + limits.first_byte;
    let mut noting = Noting { relay, progress };
    let Noting { relay, progress } = &mut noting;
    relay.run(&mut upstream, first_byte_by, progress, reply).await?;
    relay.close(progress, reply)?;
    upstream.drain().await;
    Ok(())
}

/// Notes what was learnt of a stream however its relay ends: it is dropped in the middle when the client leaves.
struct Noting<'a> {
    relay: Relay,
    progress: &'a mut Progress,
}

impl Drop for Noting<'_> {
    fn drop(&mut self) {
        note(self.relay.tap.summary(), self.progress);
    }
}

struct Relay {
    reader: SseReader,
    tap: Tap,
    /// Bytes not yet written.
    pending: Vec<u8>,
    /// `[DONE]` has been seen.
    finished: bool,
    /// Write from the first byte instead of the first content.
    eager: bool,
    /// Leave the end of the stream to the caller, who has something to add.
    hold: bool,
}

impl Relay {
    async fn run(
        &mut self,
        upstream: &mut Upstream,
        first_byte_by: Instant,
        progress: &mut Progress,
        reply: &mut impl Reply,
    ) -> Result<(), Failure> {
        let mut silent_by = first_byte_by;
        while !self.finished {
            let next = upstream.next(silent_by, progress, reply).await;
            if !matches!(next, Ok(Some(_))) {
                // What was gathered before a fault reaches the client as well.
                self.flush(progress, reply).await?;
            }
            let Some(data) = next? else { return self.end_of_body(progress) };
            let taken = self.take(&data, progress);
            let summary = self.tap.summary();
            reply.generated(summary.generated_bytes, &summary.text);
            if matches!(taken, Ok(true)) {
                silent_by = Instant::now() + upstream.idle;
            }
            // A burst comes in many frames: what is there already leaves at once.
            let gathers = taken.is_ok() && !self.finished && self.pending.len() < BURST_BYTES;
            if gathers && upstream.body.is_ready().await {
                continue;
            }
            // What came before a fault reaches the client, however the network had cut it.
            self.flush(progress, reply).await?;
            taken?;
        }
        Ok(())
    }

    /// Reads what has come. Says whether an event was completed by it.
    fn take(&mut self, data: &[u8], progress: &mut Progress) -> Result<bool, Failure> {
        let Self { reader, tap, pending, finished, hold, .. } = self;
        reader.push(data);
        let mut any = false;
        while let Some(frame) = reader.next() {
            let frame = frame.map_err(|error| Failure::Protocol(error.to_string()))?;
            any = true;
            if frame.is_comment {
                pending.extend_from_slice(frame.raw);
                continue;
            }
            match tap.see(&frame.data, frame.event.as_deref()) {
                Seen::Forward => pending.extend_from_slice(frame.raw),
                Seen::Content => {
                    progress.first_content.get_or_insert_with(Instant::now);
                    pending.extend_from_slice(frame.raw);
                }
                Seen::Drop => {}
                Seen::Replace { data, has_content } => {
                    if has_content {
                        progress.first_content.get_or_insert_with(Instant::now);
                    }
                    write_event(frame.event.as_deref(), &data, pending);
                }
                Seen::Done => {
                    if !*hold {
                        pending.extend_from_slice(frame.raw);
                    }
                    *finished = true;
                    break;
                }
                Seen::Error(error) => return Err(Failure::Reported(error)),
            }
        }
        Ok(any)
    }

    /// The body has ended without `[DONE]`: well, if every choice has its reason.
    fn end_of_body(&mut self, progress: &mut Progress) -> Result<(), Failure> {
        let unterminated = matches!(self.reader.finish(), Tail::Unterminated(_));
        // A last frame may have waited for the byte after its CR.
        self.take(&[], progress)?;
        if self.finished || (self.eager && !unterminated) {
            return Ok(());
        }
        let summary = self.tap.summary();
        // What no blank line ended is dropped, as the standard says; a `[DONE]` among it is not missed.
        if summary.choices_open > 0 || summary.finish_reasons.is_empty() {
            return Err(Failure::Cut("the stream ended before its end".into()));
        }
        progress.missing_done = true;
        if !self.hold {
            self.pending.extend_from_slice(DONE);
        }
        Ok(())
    }

    async fn flush(&mut self, progress: &mut Progress, reply: &mut impl Reply) -> Result<(), Failure> {
        let begun = self.eager || self.finished || progress.written == Written::Partly;
        let due = begun || progress.first_content.is_some() || self.pending.len() > HELD_BYTES;
        if self.pending.is_empty() || !due {
            return Ok(());
        }
        write(&mut self.pending, progress, reply)?;
        if !reply.ready().await {
            return Err(Failure::ClientGone("the client did not read for too long"));
        }
        Ok(())
    }

    fn close(&mut self, progress: &mut Progress, reply: &mut impl Reply) -> Result<(), Failure> {
        write(&mut self.pending, progress, reply)?;
        if !self.hold {
            reply.finish();
            progress.written = Written::Whole;
        }
        Ok(())
    }
}

/// Relays bytes as they are, from the first.
pub(crate) async fn bytes(
    body: Body,
    limits: &Limits,
    progress: &mut Progress,
    reply: &mut impl Reply,
) -> Result<(), Failure> {
    let mut upstream = Upstream { body, decoder: None, idle: limits.idle, heartbeat: Duration::MAX };
    let mut pending = Vec::new();
    let mut silent_by = progress.started + limits.first_byte;
    write(&mut pending, progress, reply)?;
    while let Some(data) = upstream.next(silent_by, progress, reply).await? {
        progress.first_content.get_or_insert_with(Instant::now);
        silent_by = Instant::now() + limits.idle;
        pending.extend_from_slice(&data);
        write(&mut pending, progress, reply)?;
        if !reply.ready().await {
            return Err(Failure::ClientGone("the client did not read for too long"));
        }
    }
    reply.finish();
    progress.written = Written::Whole;
    Ok(())
}

/// Writes what is pending, with the head before the first of it.
fn write(pending: &mut Vec<u8>, progress: &mut Progress, reply: &mut impl Reply) -> Result<(), Failure> {
    let gone = Failure::ClientGone("the client hung up");
    if progress.written == Written::Nothing {
        match reply.start(progress) {
            Begun::Yes => progress.written = Written::Partly,
            Begun::Gone => return Err(gone),
            Begun::Beaten => return Err(Failure::Beaten),
        }
    }
    if !pending.is_empty() && !reply.send(pending) {
        return Err(gone);
    }
    pending.clear();
    Ok(())
}

pub(crate) struct Upstream {
    pub(crate) body: Body,
    pub(crate) decoder: Option<crate::decode::Decoder>,
    pub(crate) idle: Duration,
    pub(crate) heartbeat: Duration,
}

impl Upstream {
    /// The next bytes, or `None` at the end; a comment to the client at every heartbeat of silence.
    async fn next(
        &mut self,
        silent_by: Instant,
        progress: &mut Progress,
        reply: &mut impl Reply,
    ) -> Result<Option<Bytes>, Failure> {
        loop {
            match self.heard(silent_by).await {
                Heard::Quiet => {
                    if progress.written == Written::Partly && !reply.send(PING) {
                        return Err(Failure::ClientGone("the client hung up"));
                    }
                }
                heard => {
                    if let Some(data) = self.data(heard, progress)? {
                        return Ok(data);
                    }
                }
            }
        }
    }

    /// What was heard: data, `Some(None)` at the end of the body, `None` where it says nothing.
    pub(crate) fn data(
        &mut self,
        heard: Heard,
        progress: &Progress,
    ) -> Result<Option<Option<Bytes>>, Failure> {
        let frame = match heard {
            Heard::Frame(frame) => frame,
            Heard::Quiet => return Ok(None),
            Heard::Silence => {
                let none = progress.first_content.is_none() && progress.written == Written::Nothing;
                return Err(Failure::Timeout(if none { Stage::FirstByte } else { Stage::Idle }));
            }
        };
        let Some(frame) = frame else {
            if let Some(decoder) = &mut self.decoder {
                decoder.finish().map_err(|error| Failure::Cut(error.to_string()))?;
            }
            return Ok(Some(None));
        };
        let frame = frame.map_err(|error| Failure::Cut(format!("the stream was cut: {error}")))?;
        let Ok(data) = frame.into_data() else { return Ok(None) };
        decode(self.decoder.as_mut(), data).map(|data| Some(Some(data)))
    }

    pub(crate) async fn heard(&mut self, silent_by: Instant) -> Heard {
        let quiet_by = Instant::now().checked_add(self.heartbeat).unwrap_or(silent_by);
        match timeout_at(quiet_by.min(silent_by), self.body.frame()).await {
            Ok(frame) => Heard::Frame(frame),
            Err(_) if quiet_by < silent_by => Heard::Quiet,
            Err(_) => Heard::Silence,
        }
    }

    /// Reads the end of a finished body, so that the pool may keep the connection; more data, and it may not.
    async fn drain(mut self) {
        let _ = timeout(DRAIN, self.body.frame()).await;
    }
}

pub(crate) enum Heard {
    Frame(Option<Result<hyper::body::Frame<Bytes>, hyper::Error>>),
    Quiet,
    Silence,
}

fn note(summary: &Summary, progress: &mut Progress) {
    progress.usage.clone_from(&summary.usage);
    progress.finish_reason = summary.finish_reasons.iter().flatten().next().cloned();
    progress.served_model.clone_from(&summary.model);
    progress.content_events = summary.content_events;
    progress.text.clone_from(&summary.text);
    progress.text_truncated = summary.text_truncated;
}
