//! Requests that are answered with what is kept.
//!
//! Whatever is not kept is handed to Python, which asks for it, once for all who want it meanwhile.

use std::sync::Arc;

use bytes::Bytes;
use dragoman_core::body::RequestBody;
use dragoman_core::cache::{self, Entry, asks_for_one};
use dragoman_wire::front::Lines;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::ended::{Heard, Over, Request};
use super::now_ms;
use super::pass::millis;
use super::ride::Ride;
use super::row::{Columns, Rows};
use crate::cache::{Answers, Apart, ExactCache};

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
    headers: Vec<(String, String)>,
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
    headers: Vec<(String, String)>,
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

/// Requests that were answered with what is kept, for one pass.
#[pyclass(frozen, module = "dragoman._core")]
pub struct Given {
    pass: Arc<Recall>,
    columns: Arc<Columns>,
    /// Each with its number and what is noted of its answer.
    pub requests: Vec<(usize, Arc<[u8]>, Request)>,
}

impl Given {
    pub fn new(pass: Arc<Recall>, columns: Arc<Columns>) -> Self {
        Self { pass, columns, requests: Vec::new() }
    }
}

#[pymethods]
impl Given {
    /// What Python knows such requests by.
    #[getter]
    fn told(&self, py: Python<'_>) -> Py<PyAny> {
        self.pass.told.clone_ref(py)
    }

    fn notes<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        self.requests.iter().map(|(_, note, _)| PyBytes::new(py, note)).collect()
    }

    fn rows<'py>(
        &self,
        py: Python<'py>,
        common: &Bound<'py, PyTuple>,
        places: Vec<usize>,
        values: Vec<Bound<'py, PyTuple>>,
    ) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let mut rows = Rows::like(&self.columns, common);
        let each = self.requests.iter().zip(values);
        each.map(|((_, _, request), values)| {
            places.iter().zip(values).for_each(|(place, value)| rows.set(*place, value));
            rows.given(py, request)
        })
        .collect()
    }

    fn heard<'py>(&self, py: Python<'py>) -> Vec<Heard<'py>> {
        self.requests.iter().map(|(number, _, request)| request.heard(py, *number)).collect()
    }

    fn __len__(&self) -> usize {
        self.requests.len()
    }
}

/// The answer to a request.
struct Hit {
    entry: Entry,
    age_ms: u64,
}

impl Ride {
    /// Answers a request with what is kept, or hands it to Python.
    pub fn recall(self: Arc<Self>, pass: Arc<Recall>, read: RequestBody, body: Bytes) {
        let Some(hit) = pass.look(&read, &body) else { return self.hand_over(body, None) };
        self.write(&pass, &hit);
        let (overhead_ms, _) = self.back.times_ms();
        let request = self.request(read, pass.keeps_bodies.then_some(body), overhead_ms);
        self.over(Over::Given(pass, hit.entry.note, request));
    }

    fn write(&self, pass: &Recall, hit: &Hit) {
        let mut lines = Lines::default();
        let mut kept = hit.entry.headers.iter();
        if let Some((name, value)) = kept.next() {
            lines.add(name, value);
        }
        lines.add("x-request-id", &self.id);
        for (name, value) in &pass.headers {
            lines.add(name, value);
        }
        for (name, value) in kept {
            lines.add(name, value);
        }
        lines.add("age", &(hit.age_ms / 1000).to_string());
        self.back.add_times(&mut lines);
        lines.add("x-dragoman-cost", "0.000000000");
        // A client that is gone needs no answer.
        self.door.answer(200, lines, Bytes::from_owner(hit.entry.body.clone()));
    }
}

impl Recall {
    /// What is kept for a request. `None`: nothing, or Python has to look.
    fn look(&self, read: &RequestBody, bytes: &[u8]) -> Option<Hit> {
        if !asks_for_one(read, bytes) {
            return None;
        }
        let now_ms = now_ms();
        let entry = self.answers.find(&self.apart.key([bytes]), now_ms, self.max_age_ms)?;
        let age_ms = entry.age_ms(now_ms);
        Some(Hit { entry, age_ms })
    }
}
