//! `Typical`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use dragoman_core::typical;
use pyo3::prelude::*;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Typical>()
}

/// Held for a look-up at most: no thread waits for it long enough to let go of the GIL.
#[pyclass(frozen, module = "dragoman._core")]
pub struct Typical {
    inner: Mutex<typical::Typical>,
}

impl Typical {
    fn locked(&self) -> MutexGuard<'_, typical::Typical> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Typical {
    #[new]
    fn new() -> Self {
        Self { inner: Mutex::default() }
    }

    pub(crate) fn output(&self, name: &str) -> u64 {
        self.locked().output(name)
    }

    pub(crate) fn learn(&self, name: &str, tokens: u64) {
        self.locked().learn(name, tokens);
    }
}
