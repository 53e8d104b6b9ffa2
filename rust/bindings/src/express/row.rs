//! Rows of usage: what the rows of some requests have in common, and what is each one's own.

use std::fmt::Write;

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use super::ended::{Answered, Request};
use crate::usage::place_of;

/// In the order of `UsageTuple`.
const TOKEN_FIELDS: [&str; 7] = [
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
];

/// Where in a row each field is that may be a request's own.
pub struct Columns {
    request_id: usize,
    started_at_ms: usize,
    status: usize,
    end_user: usize,
    trace_id: usize,
    stream: usize,
    attempt_log: usize,
    finish_reason: usize,
    tokens: [usize; 7],
    cost_nanousd: usize,
    total_ms: usize,
    upstream_ms: usize,
    overhead_ms: usize,
    first_token_ms: usize,
}

impl Columns {
    pub fn find(fields: &[String]) -> PyResult<Self> {
        let place = |name| place_of(fields, name);
        let mut tokens = [0; 7];
        for (to, name) in tokens.iter_mut().zip(TOKEN_FIELDS) {
            *to = place(name)?;
        }
        Ok(Self {
            request_id: place("request_id")?,
            started_at_ms: place("started_at_ms")?,
            status: place("status")?,
            end_user: place("end_user")?,
            trace_id: place("trace_id")?,
            stream: place("stream")?,
            attempt_log: place("attempt_log")?,
            finish_reason: place("finish_reason")?,
            tokens,
            cost_nanousd: place("cost_nanousd")?,
            total_ms: place("total_ms")?,
            upstream_ms: place("upstream_ms")?,
            overhead_ms: place("overhead_ms")?,
            first_token_ms: place("first_token_ms")?,
        })
    }
}

/// The log of one good attempt but for why it was made and what it took, which stand between these.
#[derive(FromPyObject)]
pub struct Log(String, String, String);

/// Writes rows, one after the other. Whatever is the same in all of them is the same object.
pub struct Rows<'a, 'py> {
    columns: &'a Columns,
    cells: Vec<Bound<'py, PyAny>>,
    attempt_log: String,
}

impl<'a, 'py> Rows<'a, 'py> {
    pub fn like(columns: &'a Columns, common: &Bound<'py, PyTuple>) -> Self {
        Self { columns, cells: common.iter().collect(), attempt_log: String::new() }
    }

    /// The row of a request that was answered with what is kept.
    pub fn given(&mut self, py: Python<'py>, request: &Request) -> PyResult<Bound<'py, PyTuple>> {
        self.own(py, request, 0.0)?;
        PyTuple::new(py, &self.cells)
    }

    /// The row of one that was sent.
    pub fn answered(
        &mut self,
        py: Python<'py>,
        answered: &Answered,
        log: &Log,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let columns = self.columns;
        self.own(py, &answered.request, answered.upstream_ms)?;
        self.set(columns.status, answered.status.into_bound_py_any(py)?);
        let Log(before, between, after) = log;
        let (why, ms) = (answered.why, answered.ms);
        self.attempt_log.clear();
        // Writing to a string cannot fail.
        let _ = write!(self.attempt_log, "{before}{why}{between}{ms:?}{after}");
        self.set(columns.attempt_log, PyString::new(py, &self.attempt_log).into_any());
        self.set_if_other(py, columns.finish_reason, &answered.finish_reason)?;
        for (place, count) in columns.tokens.into_iter().zip(<[u64; 7]>::from(answered.tokens)) {
            self.set(place, count.into_bound_py_any(py)?);
        }
        self.set(columns.cost_nanousd, answered.cost_nanousd.into_bound_py_any(py)?);
        self.set(columns.upstream_ms, answered.upstream_ms.into_bound_py_any(py)?);
        self.set(columns.first_token_ms, answered.first_token_ms.into_bound_py_any(py)?);
        PyTuple::new(py, &self.cells)
    }

    fn own(&mut self, py: Python<'py>, request: &Request, upstream_ms: f64) -> PyResult<()> {
        let columns = self.columns;
        self.set(columns.request_id, request.id.as_str().into_bound_py_any(py)?);
        self.set(columns.started_at_ms, request.started_at_ms.into_bound_py_any(py)?);
        self.set_if_other(py, columns.end_user, &request.end_user)?;
        self.set(columns.trace_id, request.trace_id.as_str().into_bound_py_any(py)?);
        self.set(columns.stream, request.stream.into_bound_py_any(py)?);
        self.set(columns.total_ms, (request.overhead_ms + upstream_ms).into_bound_py_any(py)?);
        self.set(columns.overhead_ms, request.overhead_ms.into_bound_py_any(py)?);
        Ok(())
    }

    /// Leaves text in its place that the row before had as well.
    fn set_if_other(&mut self, py: Python<'py>, place: usize, text: &str) -> PyResult<()> {
        match self.cells.get_mut(place) {
            Some(cell) if cell.extract::<&str>()? != text => *cell = PyString::new(py, text).into_any(),
            _ => {}
        }
        Ok(())
    }

    pub fn set(&mut self, place: usize, value: Bound<'py, PyAny>) {
        if let Some(cell) = self.cells.get_mut(place) {
            *cell = value;
        }
    }
}
