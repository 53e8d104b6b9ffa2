//! Answers: `SseReader` and its events, `read_answer` and `read_error`.

use dragoman_core::frames::eventstream::{MessageReader, write_message};
use dragoman_core::frames::{self, FrameError as CoreFrameError, Tail, answer};
use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::body::{body_error, read_bytes};

create_exception!(dragoman._core, FrameError, PyValueError);

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("FrameError", module.py().get_type::<FrameError>())?;
    module.add_class::<SseReader>()?;
    module.add_class::<SseEvent>()?;
    module.add_class::<Answer>()?;
    module.add_class::<AnswerError>()?;
    module.add_class::<Usage>()?;
    module.add_class::<EventStreamReader>()?;
    module.add_function(wrap_pyfunction!(event_stream_message, module)?)?;
    module.add_function(wrap_pyfunction!(read_answer, module)?)?;
    module.add_function(wrap_pyfunction!(without_usage, module)?)?;
    module.add_function(wrap_pyfunction!(read_error, module)?)
}

#[pyclass(module = "dragoman._core")]
struct SseReader {
    reader: frames::SseReader,
}

#[pyclass(module = "dragoman._core")]
struct EventStreamReader {
    reader: MessageReader,
}

#[pymethods]
impl EventStreamReader {
    #[new]
    fn new(max_message_bytes: usize) -> Self {
        Self { reader: MessageReader::new(max_message_bytes) }
    }

    fn feed<'py>(&mut self, py: Python<'py>, chunk: &[u8]) -> PyResult<Bound<'py, PyList>> {
        self.reader.push(chunk);
        let messages = PyList::empty(py);
        while let Some(message) = self.reader.next_message() {
            let message = message.map_err(|error| FrameError::new_err(error.to_string()))?;
            messages.append((message.name, PyBytes::new(py, &message.payload)))?;
        }
        Ok(messages)
    }

    #[getter]
    fn is_amid(&self) -> bool {
        self.reader.is_amid()
    }
}

#[pyfunction]
#[pyo3(signature = (name, payload, *, exception=false))]
fn event_stream_message<'py>(
    py: Python<'py>,
    name: &str,
    payload: &[u8],
    exception: bool,
) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &write_message(name, payload, exception))
}

#[pyclass(frozen, get_all, module = "dragoman._core")]
struct SseEvent {
    raw: Py<PyBytes>,
    event: Option<String>,
    data: Py<PyBytes>,
    is_comment: bool,
}

#[pymethods]
impl SseReader {
    #[new]
    fn new(max_event_bytes: usize) -> Self {
        Self { reader: frames::SseReader::new(max_event_bytes) }
    }

    fn feed<'py>(&mut self, py: Python<'py>, chunk: &[u8]) -> PyResult<Bound<'py, PyList>> {
        self.reader.push(chunk);
        self.drain(py)
    }

    fn finish<'py>(&mut self, py: Python<'py>) -> PyResult<(Bound<'py, PyList>, Bound<'py, PyBytes>)> {
        let unterminated = match self.reader.finish() {
            Tail::Clean => Vec::new(),
            Tail::Unterminated(bytes) => bytes,
        };
        Ok((self.drain(py)?, PyBytes::new(py, &unterminated)))
    }
}

impl SseReader {
    fn drain<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let events = PyList::empty(py);
        while let Some(frame) = self.reader.next() {
            match frame {
                Ok(frame) => events.append(SseEvent::new(py, &frame))?,
                Err(error) => return Err(frame_error(py, error, &events)),
            }
        }
        Ok(events)
    }
}

impl SseEvent {
    fn new(py: Python<'_>, frame: &frames::Frame<'_>) -> Self {
        Self {
            raw: PyBytes::new(py, frame.raw).unbind(),
            event: frame.event.as_deref().map(str::to_owned),
            data: PyBytes::new(py, &frame.data).unbind(),
            is_comment: frame.is_comment,
        }
    }
}

/// The exception for a stream that cannot be read on; it carries the events before.
fn frame_error(py: Python<'_>, error: CoreFrameError, events: &Bound<'_, PyList>) -> PyErr {
    let raised = FrameError::new_err(error.to_string());
    raised.value(py).setattr("events", events).err().unwrap_or(raised)
}

#[pyclass(frozen, eq, hash, get_all, module = "dragoman._core")]
#[derive(PartialEq, Hash)]
struct Usage {
    input: u64,
    output: u64,
    cached_input: u64,
    cache_write: u64,
    reasoning: u64,
    audio_input: u64,
    audio_output: u64,
    total: Option<u64>,
    suspect: bool,
}

#[pyclass(frozen, eq, hash, get_all, module = "dragoman._core")]
#[derive(PartialEq, Hash)]
struct AnswerError {
    status: Option<u16>,
    kind: String,
    code: String,
    message: String,
}

#[pyclass(frozen, get_all, module = "dragoman._core")]
struct Answer {
    usage: Option<Py<Usage>>,
    finish_reason: Option<String>,
    model: Option<String>,
    error: Option<Py<AnswerError>>,
    choices: usize,
    vectors: usize,
    dimensions: Option<usize>,
    text: String,
}

#[pyfunction]
#[pyo3(signature = (body, *, keep_text_bytes = 0))]
fn read_answer(py: Python<'_>, body: &[u8], keep_text_bytes: usize) -> PyResult<Answer> {
    let read = read_bytes(py, body, |bytes| answer::read_answer_text(bytes, keep_text_bytes));
    let read = read.map_err(|error| body_error(py, &error))?;
    Ok(Answer {
        usage: read.usage.map(|usage| Py::new(py, Usage::from(usage))).transpose()?,
        finish_reason: read.finish_reason,
        model: read.model,
        error: read.error.map(|error| Py::new(py, AnswerError::from(error))).transpose()?,
        choices: read.choices,
        vectors: read.vectors,
        dimensions: read.dimensions,
        text: read.text,
    })
}

#[pyfunction]
fn without_usage<'py>(py: Python<'py>, events: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &answer::without_usage(events))
}

#[pyfunction]
fn read_error(py: Python<'_>, body: &[u8]) -> Option<AnswerError> {
    read_bytes(py, body, answer::read_error).map(AnswerError::from)
}

impl From<answer::Usage> for Usage {
    fn from(usage: answer::Usage) -> Self {
        Self {
            input: usage.input,
            output: usage.output,
            cached_input: usage.cached_input,
            cache_write: usage.cache_write,
            reasoning: usage.reasoning,
            audio_input: usage.audio_input,
            audio_output: usage.audio_output,
            total: usage.total,
            suspect: usage.suspect,
        }
    }
}

impl From<answer::AnswerError> for AnswerError {
    fn from(error: answer::AnswerError) -> Self {
        Self { status: error.status, kind: error.kind, code: error.code, message: error.message }
    }
}
