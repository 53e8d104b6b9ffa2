//! Events on their way to whoever translates them.
//!
//! They are kept here until they are fetched, and who waits for them is woken on the upstream thread, together with
//! whatever else is ready to go to Python (see [`super::conclude`]).

use std::sync::{Arc, Mutex};

use dragoman_core::frames::{Cut, Event};
use http::HeaderMap;
use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use tokio::sync::Notify;
use tokio::time::Instant;

/// The upstream is not read on while so much waits to be fetched.
const WAITING_BYTES: usize = 256 * 1024;

/// Events between the upstream thread and Python.
#[derive(Default)]
pub struct Events {
    state: Mutex<State>,
    fetched: Notify,
}

#[derive(Default)]
struct State {
    waiting: Vec<Event>,
    /// What `waiting` was cut from, where that is kept, and what was cut to make the batch fetched last.
    raw: Vec<u8>,
    fetched_raw: Vec<u8>,
    bytes: usize,
    /// Something has happened since the last fetching, if only a silence.
    stirred: bool,
    ended: bool,
    waiter: Option<Py<PyAny>>,
    head: Option<(HeaderMap, Instant)>,
}

impl Events {
    /// The provider's headers have come, of a request that was begun then.
    pub fn open(&self, headers: HeaderMap, started: Instant) {
        if let Ok(mut state) = self.state.lock() {
            state.head = Some((headers, started));
        }
    }

    /// The provider's headers, and when the request was begun.
    pub fn head(&self) -> Option<(HeaderMap, Instant)> {
        self.state.lock().ok()?.head.clone()
    }

    /// What the events that were fetched last were cut from, once.
    pub fn take_raw(&self) -> Vec<u8> {
        self.state.lock().map(|mut state| std::mem::take(&mut state.fetched_raw)).unwrap_or_default()
    }

    /// Adds events; gives back who waits for them, to be woken.
    pub fn give(&self, cut: Cut) -> Option<Py<PyAny>> {
        let mut state = self.state.lock().ok()?;
        state.bytes += cut.events.iter().map(|(_, data)| data.len()).sum::<usize>();
        state.waiting.extend(cut.events);
        state.raw.extend_from_slice(&cut.raw);
        state.stirred = true;
        state.waiter.take()
    }

    /// No more will come; gives back who waits for more.
    pub fn end(&self) -> Option<Py<PyAny>> {
        let mut state = self.state.lock().ok()?;
        state.ended = true;
        state.waiter.take()
    }

    /// Waits until few enough events wait to be fetched.
    pub async fn few(&self) {
        loop {
            let fetched = self.fetched.notified();
            if self.state.lock().map_or(true, |state| state.bytes <= WAITING_BYTES) {
                return;
            }
            fetched.await;
        }
    }

    /// All events that wait, an empty list for a silence, `None` where there is nothing yet; at the end Python's `None`.
    fn fetch(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let events = {
            let mut state = self.state.lock().map_err(poisoned)?;
            if !state.stirred {
                return Ok(state.ended.then(|| py.None()));
            }
            state.stirred = false;
            state.bytes = 0;
            state.fetched_raw = std::mem::take(&mut state.raw);
            std::mem::take(&mut state.waiting)
        };
        self.fetched.notify_one();
        let frames = PyList::empty(py);
        for (name, data) in &events {
            frames.append((name, PyBytes::new(py, data)))?;
        }
        Ok(Some(frames.into_any().unbind()))
    }

    /// Whether there is nothing to fetch; if so, `callback` is kept to be called when there is.
    fn wait(&self, callback: &Py<PyAny>, py: Python<'_>) -> PyResult<bool> {
        let mut state = self.state.lock().map_err(poisoned)?;
        let nothing = !state.stirred && !state.ended;
        if nothing {
            state.waiter = Some(callback.clone_ref(py));
        }
        Ok(nothing)
    }
}

fn poisoned<T>(_: T) -> PyErr {
    PyRuntimeError::new_err("a lock was poisoned")
}

/// The awaitable of the next events.
#[pyclass(frozen, module = "dragoman._core")]
pub struct Batch {
    events: Arc<Events>,
}

impl Batch {
    pub fn new(events: Arc<Events>) -> Self {
        Self { events }
    }
}

#[pymethods]
impl Batch {
    /// Calls `callback(self)` once there is something to fetch, on the thread that brings it.
    fn on_done(slf: &Bound<'_, Self>, callback: Py<PyAny>) -> PyResult<()> {
        let py = slf.py();
        if !slf.get().events.wait(&callback, py)? {
            callback.call1(py, (slf,))?;
        }
        Ok(())
    }

    fn __await__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(slf: PyRef<'_, Self>) -> PyResult<PyRef<'_, Self>> {
        match slf.events.fetch(slf.py())? {
            Some(frames) => Err(PyStopIteration::new_err((frames,))),
            None => Ok(slf),
        }
    }
}
