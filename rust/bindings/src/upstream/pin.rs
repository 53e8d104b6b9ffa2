//! `pin_of`.

use dragoman_wire::connect::KeyPin;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// The hash of a certificate's key.
#[pyfunction]
pub fn pin_of<'py>(py: Python<'py>, certificate: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let pin = KeyPin::of(certificate).map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(PyBytes::new(py, &pin.0))
}
