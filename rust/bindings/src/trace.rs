//! `read_traceparent`.

use dragoman_core::trace::read_parent;
use pyo3::prelude::*;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(read_traceparent, module)?)
}

/// The trace's id, and its flags.
#[pyfunction]
fn read_traceparent(value: &str) -> Option<(&str, &str)> {
    read_parent(value).map(|parent| (parent.trace_id, parent.flags))
}
