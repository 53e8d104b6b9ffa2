//! Where requests are sent.

use std::time::Duration;

use bytes::Bytes;
use dragoman_core::frames::Framing;
use dragoman_wire::attempt::{Lane, Limits, attempt};
use dragoman_wire::client::{Call, Client as Pool};
use dragoman_wire::connect::{KeyPin, Options, ProxyChoice, Shared};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, Uri};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;
use tokio::runtime::Handle;

use super::conclude::{self, Concluded, Conclusions, Ready};
use super::exchange::Exchange;
use super::reply::{Client, Head, Reply, owned};

/// The tokio thread and what all targets share.
#[pyclass(frozen, module = "dragoman._core")]
pub struct Upstream {
    pub runtime: Handle,
    pub conclusions: Conclusions,
    pub event_loop: Py<PyAny>,
    shared: Shared,
    /// Dropped with this: the thread then ends.
    _alive: tokio::sync::oneshot::Sender<()>,
}

#[pymethods]
impl Upstream {
    #[new]
    fn new(event_loop: Py<PyAny>) -> PyResult<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (alive, ended) = tokio::sync::oneshot::channel::<()>();
        let serve = move || {
            let _ = runtime.block_on(ended);
            runtime.shutdown_background();
        };
        // Attached for as long as it lives: Python then keeps one thread state for it, which it would otherwise make
        // and unmake, with memory mapped for its stack, each time that the GIL is taken.
        let attached = move || Python::attach(|py| py.detach(serve));
        std::thread::Builder::new().name("upstream".into()).spawn(attached)?;
        let conclusions = conclude::start(&handle);
        Ok(Self { runtime: handle, conclusions, event_loop, shared: Shared::new(), _alive: alive })
    }

    /// Calls `callback(argument)` on the tokio thread.
    fn call_soon(&self, callback: Py<PyAny>, argument: Py<PyAny>) {
        // Refused only when the runtime is going down, and nobody waits any more.
        let _ = self.conclusions.send(Ready::Call(callback, argument));
    }

    /// A target with a pool of its own.
    #[pyo3(signature = (base_url, headers, options))]
    fn target(
        &self,
        py: Python<'_>,
        base_url: &str,
        headers: Vec<(String, String)>,
        options: Connecting,
    ) -> PyResult<Target> {
        let base = base_url.trim_end_matches('/').to_owned();
        let _: Uri =
            base.parse().map_err(|error| PyValueError::new_err(format!("base_url {base:?}: {error}")))?;
        let _entered = self.runtime.enter();
        let pool = Pool::new(options.into_options(), &self.shared)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let mut fixed = header_map(headers)?;
        fixed
            .entry(USER_AGENT)
            .or_insert(HeaderValue::from_static(concat!("dragoman/", env!("CARGO_PKG_VERSION"))));
        Ok(Target {
            base,
            fixed,
            pool,
            runtime: self.runtime.clone(),
            event_loop: self.event_loop.clone_ref(py),
            conclusions: self.conclusions.clone(),
        })
    }
}

/// How connections are made; the keys of a dict.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Connecting {
    connect_timeout_s: f64,
    allow_private: bool,
    http2: bool,
    proxy: String,
    ca_pem: Option<Vec<u8>>,
    pins: Vec<[u8; 32]>,
}

impl Connecting {
    fn into_options(self) -> Options {
        Options {
            connect_timeout: seconds(self.connect_timeout_s),
            allow_private: self.allow_private,
            http2: self.http2,
            proxy: match self.proxy.as_str() {
                "" => ProxyChoice::Environment,
                "none" => ProxyChoice::None,
                _ => ProxyChoice::Url(self.proxy),
            },
            ca_pem: self.ca_pem,
            pins: self.pins.into_iter().map(KeyPin).collect(),
        }
    }
}

/// What bounds an attempt, and what its answer may be.
#[pyclass(frozen, module = "dragoman._core")]
pub struct Terms {
    pub limits: Limits,
    pub lane: Lane,
    method: Method,
    pub answer_headers: Py<PyList>,
}

/// A lane as Python names it: a word, or how many vectors of what length are to come.
#[derive(FromPyObject)]
pub enum LaneName {
    Word(String),
    Vectors((usize, Option<usize>)),
}

impl LaneName {
    fn into_lane(self) -> PyResult<Lane> {
        let word = match self {
            Self::Vectors((count, dimensions)) => return Ok(Lane::Vectors { count, dimensions }),
            Self::Word(word) => word,
        };
        match word.as_str() {
            "whole" => Ok(Lane::Whole),
            "stream" => Ok(Lane::Stream { hide_usage: false }),
            "stream_without_usage" => Ok(Lane::Stream { hide_usage: true }),
            "raw" => Ok(Lane::Raw),
            "json" => Ok(Lane::Json),
            _ => events(&word).ok_or_else(|| PyValueError::new_err(format!("lane {word:?}"))),
        }
    }
}

/// `events:` or, where the bytes are wanted as well, `relay:`, and the framing.
fn events(word: &str) -> Option<Lane> {
    let (kind, framing) = word.split_once(':')?;
    let keep_raw = match kind {
        "events" => false,
        "relay" => true,
        _ => return None,
    };
    let framing = match framing {
        "sse" => Framing::Sse,
        "eventstream" => Framing::EventStream,
        "ndjson" => Framing::Lines,
        _ => return None,
    };
    Some(Lane::Events { framing, keep_raw })
}

#[pymethods]
impl Terms {
    #[new]
    #[pyo3(signature = (lane, method, answer_headers, timeouts_s, sizes=(67_108_864, 4_194_304), hold=false))]
    fn new(
        lane: LaneName,
        method: &str,
        answer_headers: Py<PyList>,
        timeouts_s: (f64, f64, f64, f64),
        sizes: (usize, usize),
        hold: bool,
    ) -> PyResult<Self> {
        let lane = lane.into_lane()?;
        let limits = Limits {
            first_byte: seconds(timeouts_s.0),
            idle: seconds(timeouts_s.1),
            total: seconds(timeouts_s.2),
            heartbeat: seconds(timeouts_s.3),
            answer_bytes: sizes.0,
            event_bytes: sizes.1,
            hold,
        };
        let method = method.parse().map_err(|_| PyValueError::new_err(format!("method {method:?}")))?;
        Ok(Self { limits, lane, method, answer_headers })
    }
}

impl Terms {
    /// Those of a POST.
    pub fn post(limits: Limits, lane: Lane, answer_headers: Py<PyList>) -> Self {
        Self { limits, lane, method: Method::POST, answer_headers }
    }
}

/// One deployment with one credential.
#[pyclass(frozen, module = "dragoman._core")]
pub struct Target {
    base: String,
    fixed: HeaderMap,
    pool: Pool,
    runtime: Handle,
    conclusions: Conclusions,
    event_loop: Py<PyAny>,
}

#[pymethods]
impl Target {
    /// What paths are appended to.
    #[getter]
    fn base_url(&self) -> &str {
        &self.base
    }

    /// Starts an attempt. The answer goes to `reply`; await the result to learn how it went.
    fn send(
        &self,
        reply: &Bound<'_, Reply>,
        path: &str,
        body: &[u8],
        headers: Vec<(String, String)>,
        terms: Py<Terms>,
    ) -> PyResult<Py<Exchange>> {
        self.start(reply, (self.uri(path)?, owned(body)), headers, terms)
    }
}

impl Target {
    pub fn uri(&self, path: &str) -> PyResult<Uri> {
        let uri = format!("{}{path}", self.base).parse();
        uri.map_err(|error| PyValueError::new_err(format!("path: {error}")))
    }

    /// Starts an attempt.
    pub fn start(
        &self,
        reply: &Bound<'_, Reply>,
        (uri, body): (Uri, Bytes),
        headers: Vec<(String, String)>,
        terms: Py<Terms>,
    ) -> PyResult<Py<Exchange>> {
        let py = reply.py();
        let call = self.call(terms.get().method.clone(), (uri, body), header_map(headers)?);
        let answer_headers = terms.get().answer_headers.clone_ref(py);
        let waiting = Exchange::new(
            self.event_loop.clone_ref(py),
            reply.clone().unbind(),
            answer_headers.clone_ref(py),
        );
        let (cancel, events, alarm) = (waiting.cancelled(), waiting.events(), waiting.alarm());
        let exchange = Py::new(py, waiting)?;
        let (pool, conclusions, result) =
            (self.pool.clone(), self.conclusions.clone(), exchange.clone_ref(py));
        let mut client = Client::new(
            reply.get().back.clone(),
            Head::Given(answer_headers),
            (events, alarm),
            conclusions.clone(),
        );
        self.runtime.spawn(async move {
            let Terms { limits, lane, .. } = terms.get();
            let ended = attempt(&pool, call, limits, *lane, &mut client, cancel).await;
            // Refused only when the runtime is going down, and nobody waits any more.
            let concluded = Concluded { ended, client, terms, exchange: result };
            let _ = conclusions.send(Ready::Attempt(Box::new(concluded)));
        });
        Ok(exchange)
    }

    /// What is sent, with the headers that everything has that is sent here.
    pub fn call(&self, method: Method, (uri, body): (Uri, Bytes), given: HeaderMap) -> Call {
        let mut headers = self.fixed.clone();
        for (name, value) in given {
            if let Some(name) = name {
                headers.insert(name, value);
            }
        }
        if !body.is_empty() {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        }
        Call { method, uri, headers, body }
    }

    pub fn pool(&self) -> &Pool {
        &self.pool
    }
}

fn header_map(pairs: Vec<(String, String)>) -> PyResult<HeaderMap> {
    let mut map = HeaderMap::with_capacity(pairs.len() + 4);
    for (name, value) in pairs {
        let name: HeaderName =
            name.parse().map_err(|_| PyValueError::new_err(format!("header name {name:?}")))?;
        let mut value = HeaderValue::try_from(value).map_err(|_| {
            PyValueError::new_err(format!("the value of header {name} has a character not allowed"))
        })?;
        value.set_sensitive(name == http::header::AUTHORIZATION || name.as_str().contains("key"));
        map.insert(name, value);
    }
    Ok(map)
}

pub fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or(Duration::from_secs(u32::MAX.into()))
}
