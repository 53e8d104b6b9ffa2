//! Requests that are over, waiting to be put on record many at a time.
//!
//! Those that are alike are put on record together: what they have in common is found out once for all of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::kept::{Given, Recall};
use super::pass::Known;
use super::row::{Columns, Log, Rows};
use crate::upstream::outcome::UsageTuple;

/// What is put on record of every request.
pub struct Request {
    pub id: String,
    pub started_at_ms: u64,
    pub client: String,
    pub overhead_ms: f64,
    pub stream: bool,
    pub end_user: String,
    pub trace_id: String,
    pub body: Option<Bytes>,
}

/// And of one that was sent.
pub struct Answered {
    pub request: Request,
    pub status: u16,
    /// The member that answered, and why it was chosen.
    pub index: usize,
    pub why: &'static str,
    pub ms: f64,
    pub first_token_ms: Option<f64>,
    pub upstream_ms: f64,
    pub finish_reason: String,
    pub tokens: UsageTuple,
    pub cost_nanousd: Option<i64>,
}

/// A request that is over.
pub enum Over {
    Sent(Arc<Known>, Answered),
    Given(Arc<Recall>, Arc<[u8]>, Request),
}

/// Requests that went as usual, to one member for one pass, and came to one status.
#[pyclass(frozen, module = "dragoman._core")]
pub struct Ended {
    pass: Arc<Known>,
    #[pyo3(get)]
    index: usize,
    columns: Arc<Columns>,
    requests: Vec<(usize, Answered)>,
}

#[pymethods]
impl Ended {
    /// What Python knows such requests by.
    #[getter]
    fn told(&self, py: Python<'_>) -> Py<PyAny> {
        self.pass.told.clone_ref(py)
    }

    fn rows<'py>(
        &self,
        py: Python<'py>,
        common: &Bound<'py, PyTuple>,
        log: Log,
    ) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let mut rows = Rows::like(&self.columns, common);
        self.requests.iter().map(|(_, answered)| rows.answered(py, answered, &log)).collect()
    }

    fn heard<'py>(&self, py: Python<'py>) -> Vec<Heard<'py>> {
        self.requests.iter().map(|(number, answered)| answered.request.heard(py, *number)).collect()
    }

    fn __len__(&self) -> usize {
        self.requests.len()
    }
}

/// A request's place among all that are over, its client and its body.
pub type Heard<'py> = (usize, String, Bound<'py, PyBytes>);

impl Request {
    pub fn heard<'py>(&self, py: Python<'py>, number: usize) -> Heard<'py> {
        (number, self.client.clone(), PyBytes::new(py, self.body.as_deref().unwrap_or_default()))
    }
}

/// Requests alike that are over.
#[derive(IntoPyObject)]
pub enum Alike {
    Sent(Ended),
    Given(Given),
}

impl Alike {
    fn of(over: &Over, columns: &Arc<Columns>) -> Self {
        let columns = columns.clone();
        match over {
            Over::Sent(pass, Answered { index, .. }) => {
                Self::Sent(Ended { pass: pass.clone(), index: *index, columns, requests: Vec::new() })
            }
            Over::Given(pass, ..) => Self::Given(Given::new(pass.clone(), columns)),
        }
    }

    fn add(&mut self, number: usize, over: Over) {
        match (self, over) {
            (Self::Sent(ended), Over::Sent(_, answered)) => ended.requests.push((number, answered)),
            (Self::Given(given), Over::Given(_, note, request)) => {
                given.requests.push((number, note, request))
            }
            _ => {}
        }
    }
}

impl Over {
    /// What is the same for those that are alike. What the addresses are of is held by them.
    fn kind(&self) -> (usize, usize, u16) {
        match self {
            Self::Sent(pass, answered) => (Arc::as_ptr(pass).addr(), answered.index, answered.status),
            Self::Given(pass, ..) => (Arc::as_ptr(pass).addr(), 0, 0),
        }
    }
}

/// Those that wait.
pub struct Queue {
    waiting: Mutex<Waiting>,
    come: Condvar,
    columns: Arc<Columns>,
}

#[derive(Default)]
struct Waiting {
    ended: Vec<Over>,
    is_closed: bool,
}

impl Queue {
    pub fn new(columns: Columns) -> Self {
        Self { waiting: Mutex::default(), come: Condvar::new(), columns: Arc::new(columns) }
    }

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
    pub fn take(&self) -> Vec<Alike> {
        let ended = std::mem::take(&mut self.lock().ended);
        let (mut places, mut found) = (HashMap::new(), Vec::new());
        for (number, over) in ended.into_iter().enumerate() {
            let place = match places.entry(over.kind()) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    found.push(Alike::of(&over, &self.columns));
                    *new.insert(found.len() - 1)
                }
            };
            if let Some(alike) = found.get_mut(place) {
                alike.add(number, over);
            }
        }
        found
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
