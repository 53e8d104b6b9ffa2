//! One attempt: a request sent to one deployment, and its answer followed to the end.
//!
//! A whole answer is read, checked and left in [`Progress`] for the caller to write. A stream is written as it comes
//! (see [`crate::relay`]). Whatever ends the attempt (an answer, a fault, a limit, the client) ends it here, and what
//! was learnt until then is kept.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use dragoman_core::frames::Framing;
use dragoman_core::frames::answer::{Answer, read_answer};
use http::response::Parts;
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame, Incoming};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout};

use crate::batches::{self, Feed};
use crate::client::{Call, Client, Connection};
use crate::decode::Decoder;
use crate::outcome::{Failure, Outcome, Progress, Stage, Written};
use crate::relay::{self, Reply};

/// An error body is kept up to this size.
const ERROR_BODY_BYTES: usize = 1024 * 1024;

/// What bounds an attempt.
#[derive(Debug, Clone)]
pub struct Limits {
    pub first_byte: Duration,
    pub idle: Duration,
    pub total: Duration,
    pub heartbeat: Duration,
    pub answer_bytes: usize,
    pub event_bytes: usize,
    /// The caller ends the answer itself: the end of a stream, all of a whole answer.
    pub hold: bool,
}

/// What the answer is expected to be, and so what may be done with it on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// A JSON answer, checked before it is passed on.
    Whole,
    /// The same, with a vector for each of `count` inputs.
    Vectors { count: usize, dimensions: Option<usize> },
    /// Server-sent events in the OpenAI dialect; `hide_usage` where the client did not ask for usage.
    Stream { hide_usage: bool },
    /// Any answer, passed on from its first byte.
    Raw,
    /// A whole answer that the caller reads, and writes in another dialect.
    Json,
    /// A stream that the caller reads event by event.
    Events { framing: Framing, keep_raw: bool },
}

/// Sends `call` and follows the answer. `cancel` is notified when the client is gone.
pub async fn attempt(
    client: &Client,
    call: Call,
    limits: &Limits,
    lane: Lane,
    reply: &mut (impl Reply + Feed),
    cancel: Arc<Notify>,
) -> Outcome {
    let started = Instant::now();
    let mut progress = Progress::starting(started);
    let mut connection = Connection::default();
    let result = tokio::select! {
        biased;
        result = follow((client, &mut connection), call, limits, lane, (&mut progress, reply)) => result,
        () = cancel.notified() => Err(Failure::ClientGone("the client hung up")),
        () = sleep_until(started + limits.total) => Err(Failure::Timeout(Stage::Total)),
    };
    progress.ended = Instant::now();
    // Whoever has it all may leave while the end of the provider's body is still awaited.
    let failure = result.err().filter(|_| progress.written != Written::Whole);
    if failure.as_ref().is_some_and(Failure::is_of_connection) {
        connection.poison();
    }
    Outcome { progress, failure }
}

async fn follow(
    (client, connection): (&Client, &mut Connection),
    call: Call,
    limits: &Limits,
    lane: Lane,
    (progress, reply): (&mut Progress, &mut (impl Reply + Feed)),
) -> Result<(), Failure> {
    let response = client.send(call, limits.first_byte, connection).await?;
    let (head, body) = response.into_parts();
    let is_success = head.status.is_success();
    accept_head(head, lane, progress)?;
    let mut body = Body { ahead: None, rest: body };
    if !is_success {
        progress.body =
            collect(&progress.headers, body, ERROR_BODY_BYTES, limits.idle).await.unwrap_or_default();
        return Err(Failure::Status);
    }
    let is_stream = match lane {
        Lane::Whole | Lane::Vectors { .. } | Lane::Json => false,
        Lane::Events { framing, keep_raw } if !is_json(&progress.headers) || framing == Framing::Lines => {
            return batches::events(body, limits, (framing, keep_raw), progress, reply).await;
        }
        Lane::Events { framing, keep_raw } => {
            // Some servers send a stream as `application/json`; what is no event is an error told in a 200.
            if framing == Framing::Sse && body.begins_with_event(limits.idle).await? {
                return batches::events(body, limits, (framing, keep_raw), progress, reply).await;
            }
            progress.body = collect(&progress.headers, body, limits.answer_bytes, limits.idle).await?;
            return Err(not_a_stream(progress));
        }
        Lane::Raw => is_event_stream(&progress.headers),
        Lane::Stream { .. } => {
            is_event_stream(&progress.headers) || body.begins_with_event(limits.idle).await?
        }
    };
    if is_stream {
        return relay::events(body, limits, lane, progress, reply).await;
    }
    if lane == Lane::Raw && !is_json(&progress.headers) && !body.rest.is_end_stream() {
        return relay::bytes(body, limits, progress, reply).await;
    }
    progress.body = collect(&progress.headers, body, limits.answer_bytes, limits.idle).await?;
    match lane {
        Lane::Json if progress.body.is_empty() => Err(Failure::Protocol("an empty answer".into())),
        Lane::Json => Ok(()),
        _ => read_whole(progress, lane),
    }
}

type Read = Option<Result<Frame<Bytes>, hyper::Error>>;

/// A body that may have been read ahead.
pub(crate) struct Body {
    ahead: Option<Read>,
    rest: Incoming,
}

impl Body {
    /// The next frame; `None` at the end.
    pub(crate) async fn frame(&mut self) -> Read {
        match self.ahead.take() {
            Some(read) => read,
            None => self.rest.frame().await,
        }
    }

    /// Whether the next frame, or the end, is there already.
    pub(crate) async fn is_ready(&mut self) -> bool {
        if self.read_ahead().await {
            return true;
        }
        // The connection's own task hands over one frame at a time.
        yield_now().await;
        self.read_ahead().await
    }

    async fn read_ahead(&mut self) -> bool {
        if self.ahead.is_none() {
            let mut next = pin!(self.rest.frame());
            self.ahead = poll_fn(|context| match next.as_mut().poll(context) {
                Poll::Ready(read) => Poll::Ready(Some(read)),
                Poll::Pending => Poll::Ready(None),
            })
            .await;
        }
        self.ahead.is_some()
    }

    /// Whether a stream begins here, whatever the answer calls itself: SDKs look at the body alone, and some servers
    /// send a stream as `application/json`.
    async fn begins_with_event(&mut self, idle: Duration) -> Result<bool, Failure> {
        let data = next_piece(self, idle).await?.unwrap_or_default();
        let begins = [&b"data:"[..], b"event:", b":"].iter().any(|field| data.starts_with(field));
        self.ahead = Some(Some(Ok(Frame::data(data))));
        Ok(begins)
    }
}

/// The next bytes of a body, `None` at its end.
async fn next_piece(body: &mut Body, idle: Duration) -> Result<Option<Bytes>, Failure> {
    while let Some(frame) = timeout(idle, body.frame()).await.map_err(|_| Failure::Timeout(Stage::Idle))? {
        let frame = frame.map_err(|error| Failure::Cut(format!("the answer was cut: {error}")))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// Notes the head of an answer and refuses what cannot be the head of one.
fn accept_head(head: Parts, lane: Lane, progress: &mut Progress) -> Result<(), Failure> {
    progress.first_byte = Some(Instant::now());
    progress.status = head.status.as_u16();
    progress.headers = head.headers;
    let headers = &progress.headers;
    if let Some(encoding) = headers.get(header::TRANSFER_ENCODING) {
        if headers.contains_key(header::CONTENT_LENGTH) {
            return Err(Failure::Protocol("both Content-Length and Transfer-Encoding".into()));
        }
        if !encoding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Err(Failure::Protocol(format!("unknown transfer encoding {encoding:?}")));
        }
    }
    match progress.status {
        204 | 205 if lane == Lane::Raw => Ok(()),
        204 | 205 | 304 => Err(Failure::Protocol(format!("status {} has no answer", progress.status))),
        300..=399 => Err(Failure::Protocol(format!("redirect ({}) not followed", progress.status))),
        _ => Ok(()),
    }
}

/// The failure of an answer that came whole where a stream was asked for.
fn not_a_stream(progress: &Progress) -> Failure {
    match read_answer(&progress.body) {
        Ok(Answer { error: Some(error), .. }) => Failure::Reported(error),
        _ => Failure::Protocol("a whole answer where a stream was asked for".into()),
    }
}

/// Checks a whole answer: a provider's error inside a 200 is a failure, and so is a body that is not JSON.
fn read_whole(progress: &mut Progress, lane: Lane) -> Result<(), Failure> {
    let answer = match read_answer(&progress.body) {
        Ok(answer) => answer,
        Err(_) if lane == Lane::Raw => return Ok(()),
        Err(error) => {
            return Err(Failure::Protocol(format!("the answer is not proper JSON: {}", error.message)));
        }
    };
    if let Some(error) = answer.error {
        return Err(Failure::Reported(error));
    }
    if let Lane::Vectors { count, dimensions } = lane {
        check_vectors(&answer, count, dimensions)?;
    }
    progress.usage = answer.usage;
    progress.finish_reason = answer.finish_reason;
    progress.served_model = answer.model;
    Ok(())
}

/// A vector for each input, all of one length, and of the one asked for.
fn check_vectors(answer: &Answer, count: usize, dimensions: Option<usize>) -> Result<(), Failure> {
    if answer.vectors != count {
        return Err(Failure::Protocol(format!("{} vectors for {count} inputs", answer.vectors)));
    }
    if !answer.encoded
        && (answer.dimensions.is_none() || dimensions.is_some_and(|asked| answer.dimensions != Some(asked)))
    {
        return Err(Failure::Protocol("vectors of unlike or wrong length".into()));
    }
    Ok(())
}

/// Reads a body to its end, decoded, within `cap` bytes and never silent for longer than `idle`.
async fn collect(headers: &HeaderMap, mut body: Body, cap: usize, idle: Duration) -> Result<Bytes, Failure> {
    let mut decoder = decoder_of(headers, cap)?;
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(data) = next_piece(&mut body, idle).await? {
        let data = decode(decoder.as_mut(), data)?;
        if first.len().max(rest.len()) + data.len() > cap {
            return Err(Failure::Protocol(format!("the answer is over {cap} bytes")));
        }
        // Most answers come in one piece, which then is passed on without a copy.
        if first.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&data);
        }
    }
    if let Some(mut decoder) = decoder {
        decoder.finish().map_err(|error| Failure::Cut(format!("the answer was cut: {error}")))?;
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

/// A decoder for the body's content encoding; none for identity.
pub(crate) fn decoder_of(headers: &HeaderMap, cap: usize) -> Result<Option<Decoder>, Failure> {
    let Some(value) = headers.get(header::CONTENT_ENCODING) else { return Ok(None) };
    let encoding = value.to_str().unwrap_or("?").trim().to_ascii_lowercase();
    if encoding.is_empty() || encoding == "identity" {
        return Ok(None);
    }
    match Decoder::new(&encoding, cap) {
        Some(decoder) => Ok(Some(decoder)),
        None => Err(Failure::Protocol(format!("unknown content encoding {encoding:?}"))),
    }
}

/// One piece of a body, decoded where it is encoded.
pub(crate) fn decode(decoder: Option<&mut Decoder>, data: Bytes) -> Result<Bytes, Failure> {
    match decoder {
        None => Ok(data),
        Some(decoder) => decoder
            .feed(&data)
            .map_err(|error| Failure::Protocol(format!("the answer cannot be decoded: {error}"))),
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    content_type(headers).starts_with("text/event-stream")
}

fn is_json(headers: &HeaderMap) -> bool {
    content_type(headers).starts_with("application/json")
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("")
}
