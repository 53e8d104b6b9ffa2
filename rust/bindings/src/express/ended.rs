//! Requests that are over, waiting to be put on record many at a time.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::kept::Given;
use super::pass::Known;
use crate::upstream::outcome::UsageTuple;

/// A request that went as usual.
#[pyclass(frozen, module = "dragoman._core")]
pub struct Ended {
    pub pass: Arc<Known>,
    #[pyo3(get)]
    pub id: String,
    #[pyo3(get)]
    pub started_at_ms: u64,
    #[pyo3(get)]
    pub client: String,
    #[pyo3(get)]
    pub status: u16,
    #[pyo3(get)]
    pub index: usize,
    #[pyo3(get)]
    pub why: &'static str,
    #[pyo3(get)]
    pub ms: f64,
    #[pyo3(get)]
    pub first_token_ms: Option<f64>,
    #[pyo3(get)]
    pub overhead_ms: f64,
    #[pyo3(get)]
    pub upstream_ms: f64,
    #[pyo3(get)]
    pub stream: bool,
    #[pyo3(get)]
    pub end_user: String,
    #[pyo3(get)]
    pub trace_id: String,
    #[pyo3(get)]
    pub finish_reason: String,
    #[pyo3(get)]
    pub tokens: UsageTuple,
    #[pyo3(get)]
    pub cost_nanousd: Option<i64>,
    pub body: Option<Bytes>,
}

#[pymethods]
impl Ended {
    /// What Python knows such requests by.
    #[getter]
    fn told(&self, py: Python<'_>) -> Py<PyAny> {
        self.pass.told.clone_ref(py)
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.body.as_deref().unwrap_or_default())
    }
}

/// A request that is over.
#[derive(IntoPyObject)]
pub enum Over {
    Sent(Ended),
    Given(Given),
}

/// Those that wait.
#[derive(Default)]
pub struct Queue {
    waiting: Mutex<Waiting>,
    come: Condvar,
}

#[derive(Default)]
struct Waiting {
    ended: Vec<Over>,
    is_closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn push(&self, ended: Over) {
        let mut waiting = self.lock();
        waiting.ended.push(ended);
        if waiting.ended.len() == 1 {
            self.come.notify_one();
        }
    }

    /// All of them.
    pub fn take(&self) -> Vec<Over> {
        std::mem::take(&mut self.lock().ended)
    }

    /// Waits until there is one. False: there will be none any more.
    pub fn wait(&self) -> bool {
        let mut waiting = self.lock();
        while waiting.ended.is_empty() && !waiting.is_closed {
            waiting = self
                .come
                .wait_timeout(waiting, Duration::from_secs(1))
                .map_or_else(|poisoned| poisoned.into_inner().0, |(waiting, _)| waiting);
        }
        !waiting.is_closed
    }

    pub fn close(&self) {
        self.lock().is_closed = true;
        self.come.notify_all();
    }
}
