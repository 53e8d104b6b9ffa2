//! Request bodies: `RequestBody` and the exception `BodyError`.

use dragoman_core::body::{self, Edits};
use dragoman_core::cache;
use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Reading more than this takes longer than releasing the GIL costs.
pub(crate) const LONG_BODY_BYTES: usize = 16 * 1024;

create_exception!(dragoman._core, BodyError, PyValueError);

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("BodyError", module.py().get_type::<BodyError>())?;
    module.add_class::<RequestBody>()
}

/// The exception for a refused body, with its attributes.
pub(crate) fn body_error(py: Python<'_>, error: &body::BodyError) -> PyErr {
    let raised = BodyError::new_err(error.to_string());
    let value = raised.value(py);
    let attributes = value
        .setattr("code", error.code)
        .and_then(|()| value.setattr("offset", error.offset))
        .and_then(|()| value.setattr("path", &error.path))
        .and_then(|()| value.setattr("message", &error.message));
    attributes.err().unwrap_or(raised)
}

/// Runs `read` on the bytes, without the GIL if they are many.
pub(crate) fn read_bytes<T: Send>(py: Python<'_>, bytes: &[u8], read: impl Fn(&[u8]) -> T + Sync) -> T {
    if bytes.len() > LONG_BODY_BYTES { py.detach(|| read(bytes)) } else { read(bytes) }
}

#[pyclass(frozen, module = "dragoman._core")]
pub struct RequestBody {
    pub bytes: Py<PyBytes>,
    pub read: body::RequestBody,
}

#[pymethods]
impl RequestBody {
    #[new]
    #[pyo3(signature = (body, max_depth = 128))]
    fn new(body: Bound<'_, PyBytes>, max_depth: usize) -> PyResult<Self> {
        let py = body.py();
        let read = read_bytes(py, body.as_bytes(), |bytes| body::read(bytes, max_depth));
        let read = read.map_err(|error| body_error(py, &error))?;
        Ok(Self { bytes: body.unbind(), read })
    }

    #[getter]
    fn model(&self) -> Option<&str> {
        self.read.model.as_deref()
    }

    #[getter]
    fn stream(&self) -> bool {
        self.read.stream
    }

    #[getter]
    fn include_usage(&self) -> bool {
        self.read.include_usage
    }

    #[getter]
    fn max_tokens(&self) -> Option<u64> {
        self.read.max_tokens
    }

    #[getter]
    fn n(&self) -> Option<u64> {
        self.read.n
    }

    #[getter]
    fn end_user(&self) -> Option<&str> {
        self.read.end_user.as_deref()
    }

    fn field<'py>(&self, py: Python<'py>, name: &str) -> Option<Bound<'py, PyBytes>> {
        let value = self.read.field(self.bytes.as_bytes(py), name)?;
        Some(PyBytes::new(py, value))
    }

    fn asks_for_one(&self, raw: &[u8]) -> bool {
        cache::asks_for_one(&self.read, raw)
    }

    #[pyo3(signature = (*, model, ask_usage, remove = Vec::new()))]
    #[pyo3(text_signature = "($self, *, model, ask_usage, remove=())")]
    fn rewrite<'py>(
        &self,
        py: Python<'py>,
        model: Option<&str>,
        ask_usage: bool,
        remove: Vec<String>,
    ) -> Bound<'py, PyBytes> {
        let remove: Vec<&str> = remove.iter().map(String::as_str).collect();
        let edits = Edits { model, ask_usage, remove: &remove };
        let rewritten = read_bytes(py, self.bytes.as_bytes(py), |bytes| self.read.rewrite(bytes, &edits));
        PyBytes::new(py, &rewritten)
    }
}
