//! Requests that are answered with what is kept.
//!
//! They are looked up and answered where their bodies come, on the server's thread: that takes less than to change
//! threads does. Whatever is not kept is handed to Python, which asks for it, once for all who want it meanwhile.

use std::sync::Arc;

use bytes::Bytes;
use dragoman_core::body::RequestBody;
use dragoman_core::cache::{self, Entry, asks_for_one};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use super::ended::Over;
use super::now_ms;
use super::pass::{Way, millis};
use super::ride::{Ride, end_user_of};
use crate::cache::{Answers, Apart, ExactCache};

/// A body up to this size is read with the GIL held.
const SHORT_BYTES: usize = 8 * 1024;

#[pyclass(frozen, module = "dragoman._core")]
pub struct CachePass {
    pub inner: Arc<Recall>,
}

/// What is known of requests that the cache is asked for.
pub struct Recall {
    /// What Python knows them by.
    told: Py<PyAny>,
    /// What their answers depend on beside their bodies.
    apart: cache::Apart,
    answers: Answers,
    /// Nothing older is wanted.
    max_age_ms: Option<u64>,
    /// Headers of every answer.
    headers: Vec<Py<PyTuple>>,
    keeps_bodies: bool,
    pub until_ms: u64,
}

/// The keys of a dict.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Told {
    told: Py<PyAny>,
    apart: Py<Apart>,
    answers: Py<ExactCache>,
    max_age_ms: Option<u64>,
    headers: Vec<Py<PyTuple>>,
    keeps_bodies: bool,
    until_s: f64,
}

#[pymethods]
impl CachePass {
    #[new]
    fn new(known: Told) -> Self {
        let inner = Recall {
            told: known.told,
            apart: known.apart.get().apart.clone(),
            answers: known.answers.get().answers.clone(),
            max_age_ms: known.max_age_ms,
            headers: known.headers,
            keeps_bodies: known.keeps_bodies,
            until_ms: millis(known.until_s),
        };
        Self { inner: Arc::new(inner) }
    }
}

/// A request that was answered with what is kept.
#[pyclass(frozen, module = "dragoman._core")]
pub struct Given {
    pass: Arc<Recall>,
    #[pyo3(get)]
    id: String,
    #[pyo3(get)]
    started_at_ms: u64,
    #[pyo3(get)]
    client: String,
    #[pyo3(get)]
    overhead_ms: f64,
    #[pyo3(get)]
    stream: bool,
    #[pyo3(get)]
    end_user: String,
    #[pyo3(get)]
    trace_id: String,
    note: Arc<[u8]>,
    body: Option<Py<PyBytes>>,
}

#[pymethods]
impl Given {
    /// What Python knows such requests by.
    #[getter]
    fn told(&self, py: Python<'_>) -> Py<PyAny> {
        self.pass.told.clone_ref(py)
    }

    #[getter]
    fn note<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.note)
    }

    #[getter]
    fn body(&self, py: Python<'_>) -> Py<PyBytes> {
        self.body.as_ref().map_or_else(|| PyBytes::new(py, b"").unbind(), |body| body.clone_ref(py))
    }
}

/// What becomes of a request.
enum Found {
    Kept(Box<Hit>),
    /// It is not looked for: the request is sent.
    Sent,
    /// Python has to see to it.
    Nothing,
}

/// The answer to a request.
struct Hit {
    pass: Arc<Recall>,
    read: RequestBody,
    entry: Entry,
    age_ms: u64,
}

impl Ride {
    /// Answers a request with what is kept, or hands it to Python. False: it is to be sent.
    pub fn recall(self: &Arc<Self>, body: &Bound<'_, PyBytes>) -> bool {
        let (py, bytes) = (body.py(), body.as_bytes());
        let look = || self.look(bytes);
        match if bytes.len() > SHORT_BYTES { py.detach(look) } else { look() } {
            Found::Kept(hit) => self.give(*hit, body),
            Found::Sent => return false,
            Found::Nothing => self.pass_on(body),
        }
        true
    }

    fn look(&self, bytes: &[u8]) -> Found {
        let Some((way, read)) = self.known(bytes) else { return Found::Nothing };
        let Way::Kept(pass) = way else { return Found::Sent };
        if !asks_for_one(&read, bytes) {
            return Found::Nothing;
        }
        let now_ms = now_ms();
        let Some(entry) = pass.answers.find(&pass.apart.key([bytes]), now_ms, pass.max_age_ms) else {
            return Found::Nothing;
        };
        let age_ms = entry.age_ms(now_ms);
        Found::Kept(Box::new(Hit { pass, read, entry, age_ms }))
    }

    fn pass_on(self: &Arc<Self>, body: &Bound<'_, PyBytes>) {
        self.adopt(body.py(), Some(Bytes::copy_from_slice(body.as_bytes())), None, "");
    }

    fn give(self: &Arc<Self>, hit: Hit, body: &Bound<'_, PyBytes>) {
        let py = body.py();
        if self.write(py, &hit).is_err() {
            // Python cannot write it either, and says so.
            return self.pass_on(body);
        }
        let (overhead_ms, _) = self.reply.get().times_ms();
        let given = Given {
            id: self.id.clone(),
            started_at_ms: self.started_at_ms,
            client: self.origin.client.clone(),
            overhead_ms,
            stream: hit.read.stream,
            end_user: end_user_of(hit.read),
            trace_id: self.origin.trace.id().to_owned(),
            note: hit.entry.note,
            body: hit.pass.keeps_bodies.then(|| body.clone().unbind()),
            pass: hit.pass,
        };
        self.over(py, Over::Given(given));
    }

    fn write(&self, py: Python<'_>, hit: &Hit) -> PyResult<()> {
        let headers = PyList::empty(py);
        let mut kept = hit.entry.headers.iter().map(|(name, value)| (&**name, &**value));
        if let Some(content_type) = kept.next() {
            headers.append(content_type)?;
        }
        headers.append((intern!(py, "x-request-id"), &self.id))?;
        for header in &hit.pass.headers {
            headers.append(header)?;
        }
        for header in kept {
            headers.append(header)?;
        }
        headers.append((intern!(py, "age"), (hit.age_ms / 1000).to_string()))?;
        let (overhead_ms, _) = self.reply.get().times_ms();
        headers.append((intern!(py, "x-dragoman-overhead-ms"), format!("{overhead_ms:.3}")))?;
        headers.append((intern!(py, "x-dragoman-upstream-ms"), intern!(py, "0.000")))?;
        headers.append((intern!(py, "x-dragoman-cost"), intern!(py, "0.000000000")))?;
        let answer = PyBytes::new(py, &hit.entry.body);
        self.proto.call_method1(py, intern!(py, "response_bytes"), (200, headers, answer)).map(drop)
    }
}
