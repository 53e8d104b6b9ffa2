//! An answer as its client gets it, for others that have asked the same: from its beginning, and on as it comes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// While others follow, an answer is recorded beyond what would be kept of it, up to so many times as much.
const FOLLOWED_SHARE: usize = 16;

#[derive(Default)]
struct State {
    content_type: Option<String>,
    bytes: Vec<u8>,
    /// It was too large: nothing is left of it.
    dropped: bool,
    ended: bool,
    waiters: Vec<Py<PyAny>>,
}

#[pyclass(frozen, module = "dragoman._core")]
pub struct Recording {
    max_bytes: usize,
    state: Mutex<State>,
    followers: AtomicUsize,
}

impl Recording {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody gets the answer beside its own client, at their own pace.
    pub fn is_followed(&self) -> bool {
        self.followers.load(Ordering::Acquire) > 0 && !self.lock().dropped
    }

    pub fn begin(&self, content_type: &str) {
        self.lock().content_type = Some(content_type.to_owned());
    }

    /// A piece of the answer. Whoever waits for it goes on here, on the thread that brought it.
    pub fn push(&self, py: Python<'_>, data: &[u8]) {
        {
            let followed = self.followers.load(Ordering::Acquire) > 0;
            let mut state = self.lock();
            let most = if followed { self.max_bytes.saturating_mul(FOLLOWED_SHARE) } else { self.max_bytes };
            if !state.dropped && state.bytes.len() + data.len() > most {
                state.dropped = true;
                state.bytes = Vec::new();
            }
            if !state.dropped {
                state.bytes.extend_from_slice(data);
            }
        }
        self.stir(py);
    }
}

#[pymethods]
impl Recording {
    #[new]
    fn new(max_bytes: usize) -> Self {
        Self { max_bytes, state: Mutex::default(), followers: AtomicUsize::new(0) }
    }

    /// Records an answer that is there as a whole.
    fn write(&self, py: Python<'_>, content_type: &str, body: &[u8]) {
        self.begin(content_type);
        self.push(py, body);
    }

    fn end(&self, py: Python<'_>) {
        self.lock().ended = true;
        self.stir(py);
    }

    /// Wakes all that wait, whether there is more or not.
    fn stir(&self, py: Python<'_>) {
        let waiters = std::mem::take(&mut self.lock().waiters);
        for waiter in waiters {
            if let Err(error) = waiter.call1(py, (py.None(),)) {
                error.write_unraisable(py, Some(waiter.bind(py)));
            }
        }
    }

    fn join(&self) -> bool {
        let state = self.lock();
        let possible = !state.dropped && !state.ended;
        if possible {
            self.followers.fetch_add(1, Ordering::AcqRel);
        }
        possible
    }

    fn leave(&self) -> usize {
        self.followers.fetch_sub(1, Ordering::AcqRel) - 1
    }

    #[getter]
    fn followers(&self) -> usize {
        self.followers.load(Ordering::Acquire)
    }

    #[getter]
    fn content_type(&self) -> Option<String> {
        self.lock().content_type.clone()
    }

    #[getter]
    fn dropped(&self) -> bool {
        self.lock().dropped
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.lock().bytes)
    }

    fn after(slf: Py<Self>, position: usize) -> Piece {
        Piece { recording: slf, position, waited: AtomicBool::new(false) }
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
        {
            let mut state = piece.recording.get().lock();
            if state.bytes.len() <= piece.position && !state.ended && !state.dropped {
                state.waiters.push(callback);
                return Ok(());
            }
        }
        callback.call1(slf.py(), (slf,)).map(drop)
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
        let found = {
            let state = slf.recording.get().lock();
            match state.bytes.get(slf.position..).filter(|rest| !rest.is_empty()) {
                Some(rest) => Some(PyBytes::new(py, rest).into_any().unbind()),
                None if state.ended || state.dropped => Some(py.None()),
                None => None,
            }
        };
        match found {
            Some(found) => Err(PyStopIteration::new_err((found,))),
            None if slf.waited.swap(true, Ordering::AcqRel) => {
                Err(PyStopIteration::new_err((PyBytes::new(py, b"").into_any().unbind(),)))
            }
            None => Ok(slf),
        }
    }
}
