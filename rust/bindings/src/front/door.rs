//! A request that came by the front, as Python sees it: in the place of a server's protocol object.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use dragoman_wire::front::{self, Lines};
use pyo3::exceptions::{PyRuntimeError, PyStopIteration, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use super::handed::{Handed, Hands};

#[pyclass(frozen, module = "dragoman._core")]
pub struct Door {
    pub door: Arc<front::Door>,
    hands: Hands,
    /// Counts the request as Python's until it is done.
    handed: Mutex<Option<Handed>>,
}

impl Door {
    pub fn new(door: Arc<front::Door>, hands: Hands, handed: Handed) -> Self {
        Self { door, hands, handed: Mutex::new(Some(handed)) }
    }
}

#[pymethods]
impl Door {
    /// Answers as a whole.
    ///
    /// Raises `ValueError`: a header cannot be written.
    fn response_bytes(&self, status: u16, headers: &Bound<'_, PyList>, body: &[u8]) -> PyResult<()> {
        self.door.answer(status, lines(headers)?, Bytes::copy_from_slice(body));
        Ok(())
    }

    /// Begins to answer with a stream.
    ///
    /// Raises `ValueError`: a header cannot be written.
    fn response_stream(&self, status: u16, headers: &Bound<'_, PyList>) -> PyResult<Transport> {
        Ok(Transport { pieces: Mutex::new(self.door.stream(status, lines(headers)?)) })
    }

    /// The awaitable of the client's leaving before it has its answer.
    fn client_disconnect(&self) -> Leaving {
        Leaving { door: self.door.clone(), hands: self.hands.clone() }
    }

    /// The request is over.
    fn done(&self) {
        self.door.shut();
        let handed = self.handed.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(handed);
    }

    /// The request has failed.
    fn err(&self, error: &Bound<'_, PyAny>) {
        PyErr::from_value(error.clone()).write_unraisable(error.py(), None);
        self.done();
    }
}

fn lines(headers: &Bound<'_, PyList>) -> PyResult<Lines> {
    let mut lines = Lines::default();
    for header in headers {
        let header = header.cast_into::<PyTuple>()?;
        let (name, value) = (header.get_item(0)?, header.get_item(1)?);
        let name = name.extract::<&str>()?;
        if !lines.add(name, value.extract::<&str>()?) {
            return Err(PyValueError::new_err(format!("the header {name:?} cannot be written")));
        }
    }
    Ok(lines)
}

/// A stream that has begun.
#[pyclass(frozen, module = "dragoman._core")]
pub struct Transport {
    pieces: Mutex<Option<front::Pieces>>,
}

#[pymethods]
impl Transport {
    /// Sends a piece. The awaitable is done at once.
    ///
    /// Raises `RuntimeError` when awaited: the client is gone.
    fn send_bytes(&self, data: &[u8]) -> Sent {
        let pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        let is_sent = pieces.as_ref().is_some_and(|pieces| pieces.send(Bytes::copy_from_slice(data)).is_ok());
        Sent { is_sent }
    }
}

/// A piece that has been sent, or not.
#[pyclass(frozen, module = "dragoman._core")]
pub struct Sent {
    is_sent: bool,
}

#[pymethods]
impl Sent {
    fn __await__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&self) -> PyResult<()> {
        Err(if self.is_sent {
            PyStopIteration::new_err(())
        } else {
            PyRuntimeError::new_err("the client is gone")
        })
    }
}

/// Waits until the client leaves.
#[pyclass(frozen, module = "dragoman._core")]
pub struct Leaving {
    door: Arc<front::Door>,
    hands: Hands,
}

#[pymethods]
impl Leaving {
    fn __await__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(slf: PyRef<'_, Self>) -> PyResult<PyRef<'_, Self>> {
        if slf.door.is_left() { Err(PyStopIteration::new_err(())) } else { Ok(slf) }
    }

    /// Calls `callback(self)` once it has left, on the thread of requests that Python serves.
    fn add_done_callback(slf: Py<Self>, callback: Py<PyAny>) {
        let (hands, heard) = (slf.get().hands.clone(), AtomicBool::new(false));
        let door = slf.get().door.clone();
        door.when_left(move || {
            if !heard.swap(true, Ordering::AcqRel) {
                hands.give(move |py| {
                    if let Err(error) = callback.call1(py, (slf,)) {
                        error.write_unraisable(py, None);
                    }
                });
            }
        });
    }
}
