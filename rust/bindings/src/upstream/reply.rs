//! The way back to the client: through the front, which needs no Python, or through a server's protocol object.
//!
//! A server takes a response from any thread: its methods only put the data into a channel. So the tokio thread
//! writes, and the event loop need not wake for it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use dragoman_core::frames::Cut;
use dragoman_wire::batches::Feed;
use dragoman_wire::front::{Door, Lines, Pieces};
use dragoman_wire::outcome::Progress;
use dragoman_wire::relay::{self, Begun};
use dragoman_wire::slow_reader::ClientSocket;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use tokio::time::{Instant, sleep};

use super::alarm::Alarm;
use super::batch::Events;
use super::conclude::{Conclusions, Ready};
use super::outcome::{Outcome, millis};
use super::recording::Recording;
use crate::front::door::Door as DoorObject;
use crate::price::usd;

/// A response is looked at for a slow reader once it has grown by this much.
const PROBE_BYTES: u64 = 64 * 1024;
const PROBE_EVERY: Duration = Duration::from_millis(20);
/// Headers of the provider that the client gets to see.
const PASSED_ON: [&str; 4] = ["openai-processing-ms", "openai-version", "retry-after", "retry-after-ms"];

/// The way back to one client.
pub struct Back {
    to: To,
    peer: Option<SocketAddr>,
    arrived: Instant,
    /// Time spent in attempts that are over.
    upstream_us: AtomicU64,
    /// An attempt has begun to answer; a second one may not.
    taken: AtomicBool,
    transport: Mutex<Option<Transport>>,
    /// Bytes of a stream given to the server.
    sent: AtomicU64,
    outstanding_limit: u64,
    write_timeout: Duration,
    /// What keeps a stream for others beside this client.
    recording: OnceLock<Py<Recording>>,
}

/// Who writes to the client.
pub enum To {
    /// The protocol object of a server, or whatever takes its place.
    Server(Py<PyAny>),
    Front(Arc<Door>),
}

/// What takes the pieces of a stream.
enum Transport {
    // Shared, since nobody may wait for the GIL while holding the lock.
    Server(Arc<Py<PyAny>>),
    Front(Pieces),
}

/// What bounds streams to a client that does not read: bytes outstanding, and seconds.
pub type Slowness = (u64, f64);

impl Back {
    pub fn new(to: To, peer: Option<SocketAddr>, arrived: Instant, (bytes, seconds): Slowness) -> Self {
        Self {
            to,
            peer,
            arrived,
            upstream_us: AtomicU64::new(0),
            taken: AtomicBool::new(false),
            transport: Mutex::new(None),
            sent: AtomicU64::new(0),
            outstanding_limit: bytes,
            write_timeout: Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX),
            recording: OnceLock::new(),
        }
    }

    pub fn add_upstream_time(&self, spent: Duration) {
        self.upstream_us.fetch_add(u64::try_from(spent.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Whether others get the answer as well, whatever becomes of this client.
    fn is_followed(&self) -> bool {
        self.recording.get().is_some_and(|recording| recording.get().is_followed())
    }

    /// Whether the one who asks is the first, and so may answer.
    pub fn take(&self) -> bool {
        !self.taken.swap(true, Ordering::AcqRel)
    }

    /// Time since the request arrived: the gateway's own, and the provider's.
    fn times(&self) -> (Duration, Duration) {
        let upstream = Duration::from_micros(self.upstream_us.load(Ordering::Relaxed));
        (self.arrived.elapsed().saturating_sub(upstream), upstream)
    }

    /// The same in milliseconds.
    pub fn times_ms(&self) -> (f64, f64) {
        let (own, upstream) = self.times();
        (millis(own), millis(upstream))
    }

    /// Adds headers that say how long it took.
    pub fn add_times(&self, lines: &mut Lines) {
        let (own, upstream) = self.times();
        for (name, time) in [("x-dragoman-overhead-ms", own), ("x-dragoman-upstream-ms", upstream)] {
            let us = time.as_micros();
            lines.add(name, &format!("{}.{:03}", us / 1000, us % 1000));
        }
    }

    /// Writes a whole answer.
    pub fn answer(&self, progress: &Progress, head: &Head) -> PyResult<()> {
        self.write(progress.status, self.lines(head, &progress.headers, None)?, progress.body.clone())
    }

    /// Writes a whole answer that was held until it had been looked at, or that another has been made of.
    pub fn answer_held(
        &self,
        progress: &Progress,
        head: &Head,
        content_type: &str,
        cost_nanousd: Option<i64>,
        body: Bytes,
    ) -> PyResult<()> {
        let mut lines = Lines::default();
        lines.add("content-type", content_type);
        let is_limited = add_given(&mut lines, head)?;
        self.add_known_now(&mut lines, is_limited, &progress.headers, &[]);
        if let Some(nanousd) = cost_nanousd {
            lines.add("x-dragoman-cost", &usd(nanousd));
        }
        self.write(progress.status, lines, body)
    }

    /// Writes an answer that is there as a whole.
    pub fn write(&self, status: u16, lines: Lines, body: Bytes) -> PyResult<()> {
        match &self.to {
            To::Front(door) => {
                // A client that is gone needs no answer.
                door.answer(status, lines, body);
                Ok(())
            }
            To::Server(proto) => Python::attach(|py| {
                let answer = (status, listed(py, &lines)?, PyBytes::new(py, &body));
                proto.call_method1(py, intern!(py, "response_bytes"), answer).map(drop)
            }),
        }
    }

    fn start(&self, progress: &Progress, head: &Head) -> PyResult<()> {
        let lines = self.lines(head, &progress.headers, None)?;
        self.open(progress.status, lines, theirs(&progress.headers))
    }

    /// Begins a stream of a type of the caller's (empty: the provider's), in answer to a provider's headers.
    pub fn begin(&self, upstream: &HeaderMap, head: &Head, content_type: &str) -> PyResult<()> {
        let lines = self.lines(head, upstream, Some(content_type))?;
        let content_type = Some(content_type).filter(|given| !given.is_empty());
        self.open(200, lines, content_type.or_else(|| theirs(upstream)))
    }

    fn open(&self, status: u16, lines: Lines, content_type: Option<&str>) -> PyResult<()> {
        if let Some(recording) = self.recording.get() {
            recording.get().begin(content_type.unwrap_or_default());
        }
        let transport = match &self.to {
            To::Front(door) => door.stream(status, lines).map(Transport::Front),
            To::Server(proto) => Some(Transport::Server(Arc::new(Python::attach(|py| {
                let head = (status, listed(py, &lines)?);
                proto.call_method1(py, intern!(py, "response_stream"), head)
            })?))),
        };
        *self.transport.lock().map_err(poisoned)? = transport;
        Ok(())
    }

    /// Sends a piece of a stream that has begun. False: nobody is left to read it.
    fn send(&self, data: &[u8]) -> PyResult<bool> {
        if let Some(recording) = self.recording.get() {
            Python::attach(|py| recording.get().push(py, data));
        }
        Ok(self.send_alone(data)? || self.is_followed())
    }

    /// The same, for this client alone.
    fn send_alone(&self, data: &[u8]) -> PyResult<bool> {
        let transport = self.transport.lock().map_err(poisoned)?;
        let proto = match transport.as_ref() {
            None => return Ok(false),
            Some(Transport::Front(pieces)) => {
                self.sent.fetch_add(data.len() as u64, Ordering::Relaxed);
                return Ok(pieces.send(Bytes::copy_from_slice(data)).is_ok());
            }
            Some(Transport::Server(proto)) => proto.clone(),
        };
        drop(transport);
        self.sent.fetch_add(data.len() as u64, Ordering::Relaxed);
        Python::attach(|py| {
            let sent = proto.call_method1(py, intern!(py, "send_bytes"), (PyBytes::new(py, data),))?;
            // An awaitable that is done already: empty where the data was taken, an error where nobody reads any more.
            let kind = sent.bind(py).get_type().name()?;
            Ok(!kind.to_cow()?.contains("Err"))
        })
    }

    /// Ends a stream.
    fn finish(&self) -> PyResult<()> {
        let ended = self.transport.lock().map_err(poisoned)?.take();
        match ended {
            // Dropping it takes the GIL.
            Some(Transport::Server(proto)) => Python::attach(|_| drop(proto)),
            other => drop(other),
        }
        Ok(())
    }

    /// The headers given, and those that only now are known.
    fn lines(&self, head: &Head, upstream: &HeaderMap, content_type: Option<&str>) -> PyResult<Lines> {
        let mut lines = Lines::default();
        let is_limited = add_given(&mut lines, head)?;
        let content_type = content_type.filter(|given| !given.is_empty()).or_else(|| theirs(upstream));
        lines.add("content-type", content_type.unwrap_or("application/json"));
        self.add_known_now(&mut lines, is_limited, upstream, &PASSED_ON);
        Ok(lines)
    }

    /// Adds what is left of limits, unless the gateway's own are told, what else of the provider's is passed on, and how
    /// long it took.
    fn add_known_now(&self, lines: &mut Lines, is_limited: bool, upstream: &HeaderMap, passed_on: &[&str]) {
        for (name, value) in upstream {
            let name = name.as_str();
            let is_passed_on = if name.starts_with(LIMITS) { !is_limited } else { passed_on.contains(&name) };
            if is_passed_on && let Ok(value) = value.to_str() {
                lines.add(name, value);
            }
        }
        self.add_times(lines);
    }
}

/// Adds the headers given. True: they tell of limits of the gateway's own.
fn add_given(lines: &mut Lines, head: &Head) -> PyResult<bool> {
    let mut is_limited = false;
    head.each(&mut |name, value| {
        is_limited |= name.contains("-ratelimit-");
        lines.add(name, value);
    })?;
    Ok(is_limited)
}

/// Headers as a server takes them.
fn listed<'py>(py: Python<'py>, lines: &Lines) -> PyResult<Bound<'py, PyList>> {
    PyList::new(py, lines.each().collect::<Vec<_>>())
}

/// Headers that say what is left of a limit. Where they are the gateway's own, a provider's are not for the client.
const LIMITS: &str = "x-ratelimit-";

/// A provider's content type.
fn theirs(upstream: &HeaderMap) -> Option<&str> {
    upstream.get(CONTENT_TYPE).and_then(|value| value.to_str().ok())
}

fn poisoned<T>(_: T) -> PyErr {
    PyRuntimeError::new_err("a lock was poisoned")
}

#[pyclass(frozen, module = "dragoman._core")]
pub struct Reply {
    pub back: Arc<Back>,
}

#[pymethods]
impl Reply {
    #[new]
    #[pyo3(signature = (proto, client, outstanding_bytes=262_144, write_timeout_s=60.0))]
    fn new(proto: &Bound<'_, PyAny>, client: &str, outstanding_bytes: u64, write_timeout_s: f64) -> Self {
        let to = match proto.cast::<DoorObject>() {
            Ok(door) => To::Front(door.get().door.clone()),
            Err(_) => To::Server(proto.clone().unbind()),
        };
        let slowness = (outstanding_bytes, write_timeout_s);
        Self { back: Arc::new(Back::new(to, client.parse().ok(), Instant::now(), slowness)) }
    }

    /// Keeps what is sent of a stream in a recording as well. Only the first one holds.
    fn record(&self, recording: Py<Recording>) {
        let _ = self.back.recording.set(recording);
    }

    fn taken(&self) -> bool {
        self.back.taken.load(Ordering::Acquire)
    }

    /// Milliseconds since the request arrived: the gateway's own, and the provider's.
    fn times_ms(&self) -> (f64, f64) {
        self.back.times_ms()
    }

    /// Writes a whole answer that was left to the caller.
    fn answer(
        &self,
        outcome: &Outcome,
        content_type: &str,
        headers: Py<PyList>,
        cost_nanousd: Option<i64>,
        body: &[u8],
    ) -> PyResult<()> {
        let (progress, body) = (&outcome.inner.progress, Bytes::copy_from_slice(body));
        self.back.answer_held(progress, &Head::Given(headers), content_type, cost_nanousd, body)
    }

    /// Begins a stream that is no provider's.
    fn start_stream(&self, headers: Py<PyList>) -> PyResult<()> {
        let mut lines = Lines::default();
        add_given(&mut lines, &Head::Given(headers))?;
        self.back.open(200, lines, None)
    }

    /// Sends a piece of a stream that has begun. False: nobody is left to read it.
    fn send(&self, data: &[u8]) -> PyResult<bool> {
        self.back.send(data)
    }

    /// The same, for this client alone.
    fn send_alone(&self, data: &[u8]) -> PyResult<bool> {
        self.back.send_alone(data)
    }

    /// Ends a stream.
    fn finish(&self) -> PyResult<()> {
        self.back.finish()
    }
}

/// Says headers one by one.
pub type SayHeaders = dyn Fn(&mut dyn FnMut(&str, &str)) + Send + Sync;

/// The headers of an answer, as far as they are known before it comes.
pub enum Head {
    Given(Py<PyList>),
    /// Said when they are needed.
    Said(Box<SayHeaders>),
}

impl Head {
    /// Calls `add(name, value)` for each.
    ///
    /// Errors: one that was given is none.
    fn each(&self, add: &mut dyn FnMut(&str, &str)) -> PyResult<()> {
        match self {
            Self::Said(say) => {
                say(add);
                Ok(())
            }
            Self::Given(list) => Python::attach(|py| {
                for header in list.bind(py) {
                    let header = header.cast_into::<PyTuple>()?;
                    add(header.get_item(0)?.extract::<&str>()?, header.get_item(1)?.extract::<&str>()?);
                }
                Ok(())
            }),
        }
    }

    /// The same as a list.
    pub fn list(&self, py: Python<'_>) -> PyResult<Py<PyList>> {
        if let Self::Given(list) = self {
            return Ok(list.clone_ref(py));
        }
        let mut headers = Vec::new();
        self.each(&mut |name, value| headers.push((name.to_owned(), value.to_owned())))?;
        Ok(PyList::new(py, headers)?.unbind())
    }
}

/// A [`Back`] as the relay uses it.
pub struct Client {
    back: Arc<Back>,
    pub head: Head,
    probe_at: u64,
    socket: Option<(ClientSocket, Baseline)>,
    events: Arc<Events>,
    alarm: Arc<Alarm>,
    conclusions: Conclusions,
}

/// What had been sent and acknowledged when the socket was first looked at.
struct Baseline {
    sent: u64,
    acked: u64,
}

impl Client {
    pub fn new(
        back: Arc<Back>,
        head: Head,
        (events, alarm): (Arc<Events>, Arc<Alarm>),
        conclusions: Conclusions,
    ) -> Self {
        Self { back, head, probe_at: PROBE_BYTES, socket: None, events, alarm, conclusions }
    }

    /// One of an attempt that nobody in Python waits for.
    pub fn alone(back: Arc<Back>, head: Head, conclusions: &Conclusions) -> Self {
        Self::new(back, head, (Arc::default(), Arc::default()), conclusions.clone())
    }

    /// Whether a stream has begun.
    pub fn has_begun(&self) -> bool {
        self.back.taken.load(Ordering::Acquire)
    }

    /// Goes off when the stream has generated so much.
    pub fn alarm(&self) -> &Arc<Alarm> {
        &self.alarm
    }

    fn sent(&self) -> u64 {
        self.back.sent.load(Ordering::Relaxed)
    }

    pub fn back(&self) -> &Back {
        &self.back
    }

    /// Bytes under way to the client, counting all that was sent before the first look as such.
    fn outstanding(&mut self) -> Option<u64> {
        if self.socket.is_none() {
            let socket = ClientSocket::find(self.back.peer?)?;
            let acked = socket.bytes_acked()?;
            self.socket = Some((socket, Baseline { sent: self.sent(), acked }));
        }
        let (socket, baseline) = self.socket.as_ref()?;
        let acked = socket.bytes_acked()?.saturating_sub(baseline.acked);
        let since = self.sent().saturating_sub(baseline.sent);
        Some((since + baseline.sent.min(PROBE_BYTES)).saturating_sub(acked))
    }
}

impl relay::Reply for Client {
    fn start(&mut self, progress: &Progress) -> Begun {
        if !self.back.take() {
            return Begun::Beaten;
        }
        self.back.add_upstream_time(progress.started.elapsed());
        if self.back.start(progress, &self.head).is_ok() { Begun::Yes } else { Begun::Gone }
    }

    fn send(&mut self, data: &[u8]) -> bool {
        self.back.send(data).unwrap_or(false)
    }

    async fn ready(&mut self) -> bool {
        if self.sent() < self.probe_at || self.back.is_followed() {
            return true;
        }
        let (limit, patience) = (self.back.outstanding_limit, self.back.write_timeout);
        let (mut least, mut since) = (u64::MAX, Instant::now());
        while let Some(outstanding) = self.outstanding().filter(|outstanding| *outstanding > limit) {
            if outstanding < least {
                (least, since) = (outstanding, Instant::now());
            }
            if since.elapsed() > patience {
                if let Some((socket, _)) = &self.socket {
                    socket.shut_down();
                }
                return false;
            }
            sleep(PROBE_EVERY).await;
        }
        self.probe_at = self.sent() + PROBE_BYTES;
        true
    }

    fn finish(&mut self) {
        self.back.finish().unwrap_or(());
    }

    fn generated(&mut self, bytes: u64, text: &str) {
        self.alarm.note(bytes, text);
    }
}

impl Feed for Client {
    fn open(&mut self, progress: &Progress) {
        self.events.open(progress.headers.clone(), progress.started);
    }

    fn give(&mut self, cut: Cut) {
        if let Some(callback) = self.events.give(cut) {
            // Refused only when the runtime is going down, and nobody waits any more.
            let _ = self.conclusions.send(Ready::Events(callback));
        }
    }

    async fn fetched(&mut self) -> bool {
        self.events.few().await;
        relay::Reply::ready(self).await
    }
}

/// A body that Python gave, owned.
pub fn owned(body: &[u8]) -> Bytes {
    Bytes::copy_from_slice(body)
}
