//! `Recording`: what waits there is a Python callable, woken on the thread that brings what it waits for.

use std::sync::atomic::{AtomicBool, Ordering};

use dragoman_core::recording::{self, Next};
use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

#[pyclass(frozen, module = "dragoman._core")]
pub struct Recording {
    recording: recording::Recording<Py<PyAny>>,
}

impl Recording {
    /// Whether somebody gets the answer beside its own client, at their own pace.
    pub fn is_followed(&self) -> bool {
        self.recording.is_followed()
    }

    pub fn begin(&self, content_type: &str) {
        self.recording.begin(content_type);
    }

    /// A piece of the answer. Whoever waits for it goes on here, on the thread that brought it.
    pub fn push(&self, py: Python<'_>, data: &[u8]) {
        wake(py, self.recording.push(data));
    }
}

#[pymethods]
impl Recording {
    #[new]
    fn new(max_bytes: usize) -> Self {
        Self { recording: recording::Recording::new(max_bytes) }
    }

    /// Records an answer that is there as a whole.
    fn write(&self, py: Python<'_>, content_type: &str, body: &[u8]) {
        self.begin(content_type);
        self.push(py, body);
    }

    fn end(&self, py: Python<'_>) {
        wake(py, self.recording.end());
    }

    /// Wakes all that wait, whether there is more or not.
    fn stir(&self, py: Python<'_>) {
        wake(py, self.recording.stir());
    }

    fn join(&self) -> bool {
        self.recording.join()
    }

    fn leave(&self) -> usize {
        self.recording.leave()
    }

    #[getter]
    fn followers(&self) -> usize {
        self.recording.followers()
    }

    #[getter]
    fn content_type(&self) -> Option<String> {
        self.recording.content_type()
    }

    #[getter]
    fn dropped(&self) -> bool {
        self.recording.is_dropped()
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        self.recording.body(|bytes| PyBytes::new(py, bytes))
    }

    fn after(slf: Py<Self>, position: usize) -> Piece {
        Piece { recording: slf, position, waited: AtomicBool::new(false) }
    }
}

fn wake(py: Python<'_>, waiters: Vec<Py<PyAny>>) {
    for waiter in waiters {
        if let Err(error) = waiter.call1(py, (py.None(),)) {
            error.write_unraisable(py, Some(waiter.bind(py)));
        }
    }
}

/// The awaitable of what comes after a position.
#[pyclass(frozen, module = "dragoman._core")]
pub struct Piece {
    recording: Py<Recording>,
    position: usize,
    waited: AtomicBool,
}

#[pymethods]
impl Piece {
    /// Calls `callback(self)` once there is something, on the thread that brings it.
    fn on_done(slf: &Bound<'_, Self>, callback: Py<PyAny>) -> PyResult<()> {
        let piece = slf.get();
        match piece.recording.get().recording.wait(piece.position, callback) {
            Some(callback) => callback.call1(slf.py(), (slf,)).map(drop),
            None => Ok(()),
        }
    }

    fn __await__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    /// All there is after the position; nothing where only something has stirred; `None` at the end.
    fn __next__(slf: PyRef<'_, Self>) -> PyResult<PyRef<'_, Self>> {
        let py = slf.py();
        let bytes = |data: &[u8]| PyBytes::new(py, data).into_any().unbind();
        let found = match slf.recording.get().recording.after(slf.position, bytes) {
            Next::More(rest) => rest,
            Next::Over => py.None(),
            Next::Nothing if slf.waited.swap(true, Ordering::AcqRel) => bytes(b""),
            Next::Nothing => return Ok(slf),
        };
        Err(PyStopIteration::new_err((found,)))
    }
}
