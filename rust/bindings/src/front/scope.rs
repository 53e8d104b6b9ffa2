//! The head of a request that came by the front, as Python sees it: in the place of a server's scope.

use dragoman_wire::front::Head;
use pyo3::prelude::*;
use pyo3::types::PyList;

#[pyclass(frozen, module = "dragoman._core")]
pub struct Scope {
    pub head: Head,
    /// The client's address.
    #[pyo3(get)]
    pub client: String,
}

#[pymethods]
impl Scope {
    #[getter]
    fn method(&self) -> &str {
        self.head.method()
    }

    #[getter]
    fn path(&self) -> &str {
        self.head.path()
    }

    #[getter]
    fn query_string(&self) -> &str {
        self.head.query()
    }

    #[getter]
    fn http_version(&self) -> &'static str {
        "1.1"
    }

    #[getter]
    fn headers(&self) -> Fields {
        Fields { head: self.head.clone() }
    }
}

/// Its header fields.
#[pyclass(frozen, module = "dragoman._core")]
pub struct Fields {
    head: Head,
}

#[pymethods]
impl Fields {
    /// Names, in lower case, and values, in their order.
    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.head.fields())
    }
}
