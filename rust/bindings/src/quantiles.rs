//! `Quantiles`.

use dragoman_core::quantiles;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Quantiles>()
}

#[pyclass(module = "dragoman._core")]
struct Quantiles {
    inner: quantiles::Quantiles,
}

fn malformed(error: quantiles::Malformed) -> PyErr {
    PyValueError::new_err(error.to_string())
}

#[pymethods]
impl Quantiles {
    #[new]
    #[pyo3(signature = (encoded = b"".as_slice()))]
    fn new(encoded: &[u8]) -> PyResult<Self> {
        Ok(Self { inner: quantiles::Quantiles::decode(encoded).map_err(malformed)? })
    }

    fn extend(&mut self, values: Vec<f64>) {
        values.into_iter().for_each(|value| self.inner.add(value));
    }

    fn add_class(&mut self, number: u8, times: u64) {
        self.inner.add_class(number, times);
    }

    fn merge(&mut self, encoded: &[u8]) -> PyResult<()> {
        self.inner.merge(encoded).map_err(malformed)
    }

    fn encoded<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.encode())
    }

    fn quantile(&self, share: f64) -> Option<f64> {
        self.inner.quantile(share)
    }

    #[getter]
    fn count(&self) -> u64 {
        self.inner.count()
    }
}
