//! What is kept of a key's secret: `SecretHasher`.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use ring::hmac;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<SecretHasher>()
}

/// HMAC-SHA256 under a pepper that has been worked in.
#[pyclass(frozen, module = "dragoman._core")]
pub struct SecretHasher {
    pepper: hmac::Key,
}

impl SecretHasher {
    pub fn digest(&self, secret: &str) -> [u8; 32] {
        let digest = hmac::sign(&self.pepper, secret.as_bytes());
        digest.as_ref().try_into().unwrap_or_default()
    }
}

#[pymethods]
impl SecretHasher {
    #[new]
    fn new(pepper: &[u8]) -> Self {
        Self { pepper: hmac::Key::new(hmac::HMAC_SHA256, pepper) }
    }

    fn __call__<'py>(&self, secret: &Bound<'py, PyString>) -> Bound<'py, PyBytes> {
        PyBytes::new(secret.py(), &self.digest(&secret.to_string_lossy()))
    }
}
