//! The way back to the client, through the server's protocol object.
//!
//! The server takes a response from any thread: its methods only put the data into a channel. So the tokio thread
//! writes, and the event loop need not wake for it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use dragoman_core::frames::Cut;
use dragoman_wire::batches::Feed;
use dragoman_wire::outcome::Progress;
use dragoman_wire::relay::{self, Begun};
use dragoman_wire::slow_reader::ClientSocket;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use tokio::time::{Instant, sleep};

use super::alarm::Alarm;
use super::batch::Events;
use super::conclude::{Conclusions, Ready};
use super::outcome::millis;
use super::recording::Recording;
use crate::price::usd;

/// A response is looked at for a slow reader once it has grown by this much.
const PROBE_BYTES: u64 = 64 * 1024;
const PROBE_EVERY: Duration = Duration::from_millis(20);
/// Headers of the provider that the client gets to see.
const PASSED_ON: [&str; 4] = ["openai-processing-ms", "openai-version", "retry-after", "retry-after-ms"];

#[pyclass(frozen, module = "dragoman._core")]
pub struct Reply {
    proto: Py<PyAny>,
    peer: Option<SocketAddr>,
    arrived: Instant,
    /// Time spent in attempts that are over.
    upstream_us: AtomicU64,
    /// An attempt has begun to answer; a second one may not.
    taken: AtomicBool,
    transport: Mutex<Option<Py<PyAny>>>,
    /// Bytes of a stream given to the server.
    sent: AtomicU64,
    outstanding_limit: u64,
    write_timeout: Duration,
    /// What keeps a stream for others beside this client.
    recording: OnceLock<Py<Recording>>,
}

impl Reply {
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

    /// Writes a whole answer.
    pub fn answer(&self, py: Python<'_>, progress: &Progress, headers: &Py<PyList>) -> PyResult<()> {
        let headers = self.head(headers.bind(py), &progress.headers, None)?;
        let body = PyBytes::new(py, &progress.body);
        self.proto.call_method1(py, intern!(py, "response_bytes"), (progress.status, headers, body))?;
        Ok(())
    }

    /// Writes a whole answer that was held until it had been looked at, as the gateway writes those of its own.
    pub fn answer_held(
        &self,
        py: Python<'_>,
        progress: &Progress,
        given: &Py<PyList>,
        cost_nanousd: Option<i64>,
    ) -> PyResult<()> {
        let given = given.bind(py);
        let headers = PyList::new(py, [(intern!(py, "content-type"), "application/json")])?;
        for header in given {
            headers.append(header)?;
        }
        self.add_known_now(&headers, given, &progress.headers, &[])?;
        if let Some(nanousd) = cost_nanousd {
            headers.append((intern!(py, "x-dragoman-cost"), usd(nanousd)))?;
        }
        let body = PyBytes::new(py, &progress.body);
        self.proto.call_method1(py, intern!(py, "response_bytes"), (progress.status, headers, body))?;
        Ok(())
    }

    fn start(&self, py: Python<'_>, progress: &Progress, headers: &Py<PyList>) -> PyResult<()> {
        let headers = self.head(headers.bind(py), &progress.headers, None)?;
        self.open(py, progress.status, headers, theirs(&progress.headers))
    }

    /// Begins a stream of a type of the caller's (empty: the provider's), in answer to a provider's headers.
    pub fn begin(
        &self,
        py: Python<'_>,
        upstream: &HeaderMap,
        headers: &Py<PyList>,
        content_type: &str,
    ) -> PyResult<()> {
        let headers = self.head(headers.bind(py), upstream, Some(content_type))?;
        let content_type = Some(content_type).filter(|given| !given.is_empty());
        self.open(py, 200, headers, content_type.or_else(|| theirs(upstream)))
    }

    fn open(
        &self,
        py: Python<'_>,
        status: u16,
        headers: Bound<'_, PyList>,
        content_type: Option<&str>,
    ) -> PyResult<()> {
        if let Some(recording) = self.recording.get() {
            recording.get().begin(content_type.unwrap_or_default());
        }
        let transport = self.proto.call_method1(py, intern!(py, "response_stream"), (status, headers))?;
        *self.transport.lock().map_err(poisoned)? = Some(transport);
        Ok(())
    }

    /// The headers given, and those that only now are known.
    fn head<'py>(
        &self,
        given: &Bound<'py, PyList>,
        upstream: &HeaderMap,
        content_type: Option<&str>,
    ) -> PyResult<Bound<'py, PyList>> {
        let py = given.py();
        let headers = given.get_slice(0, given.len());
        let content_type = content_type.filter(|given| !given.is_empty()).or_else(|| theirs(upstream));
        headers.append((intern!(py, "content-type"), content_type.unwrap_or("application/json")))?;
        self.add_known_now(&headers, given, upstream, &PASSED_ON)?;
        Ok(headers)
    }

    /// Adds what is left of limits, what else of the provider's is passed on, and how long it took.
    fn add_known_now(
        &self,
        headers: &Bound<'_, PyList>,
        given: &Bound<'_, PyList>,
        upstream: &HeaderMap,
        passed_on: &[&str],
    ) -> PyResult<()> {
        let py = headers.py();
        let mut limited = None;
        for (name, value) in upstream {
            let name = name.as_str();
            let is_passed_on = match name.starts_with(LIMITS) {
                true => !*limited.get_or_insert_with(|| given.iter().any(|header| is_limit(&header))),
                false => passed_on.contains(&name),
            };
            if is_passed_on && let Ok(value) = value.to_str() {
                headers.append((name, value))?;
            }
        }
        let (overhead_ms, upstream_ms) = self.times_ms();
        headers.append((intern!(py, "x-dragoman-overhead-ms"), format!("{overhead_ms:.3}")))?;
        headers.append((intern!(py, "x-dragoman-upstream-ms"), format!("{upstream_ms:.3}")))
    }
}

/// Headers that say what is left of a limit. Where they are the gateway's own, a provider's are not for the client.
const LIMITS: &str = "x-ratelimit-";

fn is_limit(header: &Bound<'_, PyAny>) -> bool {
    let name = header.get_item(0).ok();
    name.and_then(|name| name.extract::<String>().ok()).is_some_and(|name| name.contains("-ratelimit-"))
}

/// A provider's content type.
fn theirs(upstream: &HeaderMap) -> Option<&str> {
    upstream.get(CONTENT_TYPE).and_then(|value| value.to_str().ok())
}

fn poisoned<T>(_: T) -> PyErr {
    PyRuntimeError::new_err("a lock was poisoned")
}

#[pymethods]
impl Reply {
    #[new]
    #[pyo3(signature = (proto, client, outstanding_bytes=262_144, write_timeout_s=60.0))]
    pub fn new(proto: Py<PyAny>, client: &str, outstanding_bytes: u64, write_timeout_s: f64) -> Self {
        Self {
            proto,
            peer: client.parse().ok(),
            arrived: Instant::now(),
            upstream_us: AtomicU64::new(0),
            taken: AtomicBool::new(false),
            transport: Mutex::new(None),
            sent: AtomicU64::new(0),
            outstanding_limit: outstanding_bytes,
            write_timeout: Duration::try_from_secs_f64(write_timeout_s).unwrap_or(Duration::MAX),
            recording: OnceLock::new(),
        }
    }

    /// Keeps what is sent of a stream in a recording as well. Only the first one holds.
    fn record(&self, recording: Py<Recording>) {
        let _ = self.recording.set(recording);
    }

    fn taken(&self) -> bool {
        self.taken.load(Ordering::Acquire)
    }

    /// Milliseconds since the request arrived: the gateway's own, and the provider's.
    pub fn times_ms(&self) -> (f64, f64) {
        let all = self.arrived.elapsed();
        let upstream = Duration::from_micros(self.upstream_us.load(Ordering::Relaxed));
        (millis(all.saturating_sub(upstream)), millis(upstream))
    }

    /// Begins a stream that is no provider's.
    fn start_stream(&self, py: Python<'_>, headers: Bound<'_, PyList>) -> PyResult<()> {
        self.open(py, 200, headers, None)
    }

    /// Sends a piece of a stream that has begun. False: nobody is left to read it.
    fn send(&self, py: Python<'_>, data: &[u8]) -> PyResult<bool> {
        if let Some(recording) = self.recording.get() {
            recording.get().push(py, data);
        }
        Ok(self.send_alone(py, data)? || self.is_followed())
    }

    /// The same, for this client alone.
    fn send_alone(&self, py: Python<'_>, data: &[u8]) -> PyResult<bool> {
        let transport =
            self.transport.lock().map_err(poisoned)?.as_ref().map(|transport| transport.clone_ref(py));
        let Some(transport) = transport else { return Ok(false) };
        self.sent.fetch_add(data.len() as u64, Ordering::Relaxed);
        let sent = transport.call_method1(py, intern!(py, "send_bytes"), (PyBytes::new(py, data),))?;
        // An awaitable that is done already: empty where the data was taken, an error where nobody reads any more.
        let kind = sent.bind(py).get_type().name()?;
        Ok(!kind.to_cow()?.contains("Err"))
    }

    /// Ends a stream.
    fn finish(&self) -> PyResult<()> {
        self.transport.lock().map_err(poisoned)?.take();
        Ok(())
    }
}

/// Makes the headers of an answer.
pub type MakeHeaders = dyn Fn(Python<'_>) -> PyResult<Py<PyList>> + Send + Sync;

/// The headers of an answer, as far as they are known before it comes.
pub enum Head {
    Given(Py<PyList>),
    /// Made when they are needed.
    Made(Box<MakeHeaders>),
}

impl Head {
    pub fn list(&self, py: Python<'_>) -> PyResult<Py<PyList>> {
        match self {
            Self::Given(list) => Ok(list.clone_ref(py)),
            Self::Made(make) => make(py),
        }
    }
}

/// A [`Reply`] as the relay uses it.
pub struct Client {
    reply: Arc<Py<Reply>>,
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
        reply: Arc<Py<Reply>>,
        head: Head,
        (events, alarm): (Arc<Events>, Arc<Alarm>),
        conclusions: Conclusions,
    ) -> Self {
        Self { reply, head, probe_at: PROBE_BYTES, socket: None, events, alarm, conclusions }
    }

    /// One of an attempt that nobody in Python waits for.
    pub fn alone(reply: Arc<Py<Reply>>, head: Head, conclusions: &Conclusions) -> Self {
        Self::new(reply, head, (Arc::default(), Arc::default()), conclusions.clone())
    }

    /// Whether a stream has begun.
    pub fn has_begun(&self) -> bool {
        self.reply().taken.load(Ordering::Acquire)
    }

    /// Goes off when the stream has generated so much.
    pub fn alarm(&self) -> &Arc<Alarm> {
        &self.alarm
    }

    fn sent(&self) -> u64 {
        self.reply().sent.load(Ordering::Relaxed)
    }

    pub fn reply(&self) -> &Reply {
        self.reply.get()
    }

    /// Bytes under way to the client, counting all that was sent before the first look as such.
    fn outstanding(&mut self) -> Option<u64> {
        if self.socket.is_none() {
            let socket = ClientSocket::find(self.reply.get().peer?)?;
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
        let reply = self.reply.get();
        if !reply.take() {
            return Begun::Beaten;
        }
        reply.add_upstream_time(progress.started.elapsed());
        let started = Python::attach(|py| reply.start(py, progress, &self.head.list(py)?));
        if started.is_ok() { Begun::Yes } else { Begun::Gone }
    }

    fn send(&mut self, data: &[u8]) -> bool {
        Python::attach(|py| self.reply.get().send(py, data).unwrap_or(false))
    }

    async fn ready(&mut self) -> bool {
        if self.sent() < self.probe_at || self.reply.get().is_followed() {
            return true;
        }
        let (limit, patience) = (self.reply.get().outstanding_limit, self.reply.get().write_timeout);
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
        Python::attach(|_| self.reply.get().finish().unwrap_or(()));
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
