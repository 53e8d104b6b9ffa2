//! The awaitable of one attempt.
//!
//! Whoever waits resumes with the [`Outcome`], never with an exception, and so settles what the attempt cost on every
//! path. Cancelling ends the attempt; the outcome then says so. There are two ways to wait. An asyncio task waits as it
//! does for a future, and is woken through its loop, which costs two changes of thread. `on_done` instead calls back on
//! the thread that finished the attempt: the gateway's own requests are driven that way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tokio::sync::Notify;

use super::outcome::Outcome;

#[pyclass(frozen, module = "dragoman._core")]
pub struct Exchange {
    event_loop: Py<PyAny>,
    blocking: AtomicBool,
    state: Mutex<State>,
    cancel: Arc<Notify>,
}

#[derive(Default)]
struct State {
    outcome: Option<Py<Outcome>>,
    waiter: Option<Waiter>,
}

enum Waiter {
    Here { callback: Py<PyAny> },
    OnLoop { callback: Py<PyAny>, context: Py<PyAny> },
}

impl Exchange {
    pub fn new(event_loop: Py<PyAny>, cancel: Arc<Notify>) -> Self {
        Self { event_loop, blocking: AtomicBool::new(true), state: Mutex::new(State::default()), cancel }
    }

    /// Gives the outcome to whoever waits.
    pub fn complete(slf: &Bound<'_, Self>, outcome: Py<Outcome>) -> PyResult<()> {
        let waiter = {
            let mut state = slf.get().state.lock().map_err(poisoned)?;
            state.outcome = Some(outcome);
            state.waiter.take()
        };
        waiter.map_or(Ok(()), |waiter| Self::wake(slf, waiter))
    }

    fn wait(slf: &Bound<'_, Self>, waiter: Waiter) -> PyResult<()> {
        let mut state = slf.get().state.lock().map_err(poisoned)?;
        if state.outcome.is_none() {
            state.waiter = Some(waiter);
            return Ok(());
        }
        drop(state);
        Self::wake(slf, waiter)
    }

    fn wake(slf: &Bound<'_, Self>, waiter: Waiter) -> PyResult<()> {
        let py = slf.py();
        match waiter {
            Waiter::Here { callback } => callback.call1(py, (slf,)).map(drop),
            Waiter::OnLoop { callback, context } => {
                let kwargs = PyDict::new(py);
                kwargs.set_item(intern!(py, "context"), context)?;
                let event_loop = &slf.get().event_loop;
                let name = intern!(py, "call_soon_threadsafe");
                event_loop.call_method(py, name, (callback, slf), Some(&kwargs)).map(drop)
            }
        }
    }
}

fn poisoned<T>(_: T) -> PyErr {
    PyRuntimeError::new_err("a lock was poisoned")
}

#[pymethods]
impl Exchange {
    /// Calls `callback(self)` once the attempt is over, on the thread that ends it.
    fn on_done(slf: &Bound<'_, Self>, callback: Py<PyAny>) -> PyResult<()> {
        Self::wait(slf, Waiter::Here { callback })
    }

    /// Ends the attempt. The outcome follows.
    #[pyo3(signature = (msg=None))]
    fn cancel(&self, msg: Option<Py<PyAny>>) -> PyResult<bool> {
        drop(msg);
        self.cancel.notify_one();
        Ok(!self.done()?)
    }

    fn __await__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(slf: PyRef<'_, Self>) -> PyResult<PyRef<'_, Self>> {
        let state = slf.state.lock().map_err(poisoned)?;
        match &state.outcome {
            Some(outcome) => Err(PyStopIteration::new_err((outcome.clone_ref(slf.py()),))),
            None => {
                drop(state);
                Ok(slf)
            }
        }
    }

    // What an asyncio task asks of a future.

    #[getter(_asyncio_future_blocking)]
    fn blocking(&self) -> bool {
        self.blocking.load(Ordering::Relaxed)
    }

    #[setter(_asyncio_future_blocking)]
    fn set_blocking(&self, value: bool) {
        self.blocking.store(value, Ordering::Relaxed);
    }

    fn get_loop(&self, py: Python<'_>) -> Py<PyAny> {
        self.event_loop.clone_ref(py)
    }

    #[pyo3(signature = (callback, *, context))]
    fn add_done_callback(slf: &Bound<'_, Self>, callback: Py<PyAny>, context: Py<PyAny>) -> PyResult<()> {
        Self::wait(slf, Waiter::OnLoop { callback, context })
    }

    fn done(&self) -> PyResult<bool> {
        Ok(self.state.lock().map_err(poisoned)?.outcome.is_some())
    }

    fn result(&self, py: Python<'_>) -> PyResult<Py<Outcome>> {
        match &self.state.lock().map_err(poisoned)?.outcome {
            Some(outcome) => Ok(outcome.clone_ref(py)),
            None => Err(PyRuntimeError::new_err("the attempt is not over")),
        }
    }
}
