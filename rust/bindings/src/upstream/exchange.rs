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
use pyo3::types::{PyBytes, PyDict, PyList};
use tokio::sync::Notify;

use super::alarm::{Alarm, calling};
use super::batch::{Batch, Events};
use super::outcome::Outcome;
use super::reply::{Head, Reply};

#[pyclass(frozen, module = "dragoman._core")]
pub struct Exchange {
    event_loop: Py<PyAny>,
    blocking: AtomicBool,
    state: Mutex<State>,
    cancel: Arc<Notify>,
    events: Arc<Events>,
    alarm: Arc<Alarm>,
    reply: Py<Reply>,
    answer_headers: Py<PyList>,
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
    pub fn new(event_loop: Py<PyAny>, reply: Py<Reply>, answer_headers: Py<PyList>) -> Self {
        Self {
            event_loop,
            blocking: AtomicBool::new(true),
            state: Mutex::new(State::default()),
            cancel: Arc::default(),
            events: Arc::default(),
            alarm: Arc::default(),
            reply,
            answer_headers,
        }
    }

    /// Notified when the attempt is to end.
    pub fn cancelled(&self) -> Arc<Notify> {
        self.cancel.clone()
    }

    pub fn events(&self) -> Arc<Events> {
        self.events.clone()
    }

    pub fn alarm(&self) -> Arc<Alarm> {
        self.alarm.clone()
    }

    /// Gives the outcome to whoever waits.
    pub fn complete(slf: &Bound<'_, Self>, outcome: Py<Outcome>) -> PyResult<()> {
        let waiter = {
            let mut state = slf.get().state.lock().map_err(poisoned)?;
            state.outcome = Some(outcome);
            state.waiter.take()
        };
        if let Some(callback) = slf.get().events.end() {
            callback.call1(slf.py(), (slf,))?;
        }
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

    /// Calls `callback(text, bytes)` once the stream has generated that much.
    fn on_generated(&self, bytes: u64, callback: Py<PyAny>) {
        self.alarm.set(bytes, calling(callback));
    }

    /// The next events of a stream that is translated.
    fn next_batch(&self) -> Batch {
        Batch::new(self.events.clone())
    }

    /// The bytes that the events of the last batch were cut from, in a lane that keeps them.
    fn batch_raw<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.events.take_raw())
    }

    /// Begins to answer with a stream of that type. False: another attempt has, or the provider has not answered.
    fn begin(&self, py: Python<'_>, content_type: &str) -> PyResult<bool> {
        let Some((headers, started)) = self.events.head() else { return Ok(false) };
        let back = &self.reply.get().back;
        if !back.take() {
            return Ok(false);
        }
        back.add_upstream_time(started.elapsed());
        back.begin(&headers, &Head::Given(self.answer_headers.clone_ref(py)), content_type)?;
        Ok(true)
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
