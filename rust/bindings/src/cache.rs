//! Answers that are kept: `ExactCache`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dragoman_core::cache::{self, Entry, KEY_BYTES, Key};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<ExactCache>()
}

fn key(given: &[u8]) -> PyResult<Key> {
    given.try_into().map_err(|_| PyValueError::new_err(format!("a key has {KEY_BYTES} bytes")))
}

#[pyclass(frozen, module = "dragoman._core")]
struct ExactCache {
    cache: Mutex<cache::ExactCache>,
}

impl ExactCache {
    fn lock(&self) -> MutexGuard<'_, cache::ExactCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Answer<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>);
type Whole<'py> = (Bound<'py, PyBytes>, Answer<'py>, Vec<String>, u64, u64);
type Found<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>, u64);

#[pymethods]
impl ExactCache {
    #[new]
    fn new(max_bytes: u64) -> Self {
        Self { cache: Mutex::new(cache::ExactCache::new(max_bytes)) }
    }

    #[staticmethod]
    fn key<'py>(py: Python<'py>, parts: Vec<Bound<'py, PyBytes>>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &cache::key_of(parts.iter().map(|part| part.as_bytes())))
    }

    fn get<'py>(&self, py: Python<'py>, key: &[u8], now_ms: u64) -> PyResult<Option<Found<'py>>> {
        let found = self.lock().get(&self::key(key)?, now_ms);
        Ok(found.map(|entry| (PyBytes::new(py, &entry.body), PyBytes::new(py, &entry.note), entry.stored_ms)))
    }

    #[pyo3(signature = (key, answer, labels = vec![], *, now_ms, ttl_ms))]
    #[pyo3(text_signature = "($self, key, answer, labels=[], *, now_ms, ttl_ms)")]
    fn put(
        &self,
        key: &[u8],
        answer: (&[u8], &[u8]),
        labels: Vec<String>,
        now_ms: u64,
        ttl_ms: u64,
    ) -> PyResult<()> {
        let entry = Entry {
            body: Arc::from(answer.0),
            note: Arc::from(answer.1),
            labels: labels.into_iter().map(String::into_boxed_str).collect(),
            stored_ms: now_ms,
            expires_ms: now_ms.saturating_add(ttl_ms),
        };
        self.lock().put(self::key(key)?, entry);
        Ok(())
    }

    fn remove(&self, key: &[u8]) -> PyResult<bool> {
        Ok(self.lock().remove(&self::key(key)?))
    }

    fn entries<'py>(&self, py: Python<'py>) -> Vec<Whole<'py>> {
        let told = |(key, entry): (&Key, &Entry)| {
            let labels = entry.labels.iter().map(ToString::to_string).collect();
            let answer = (PyBytes::new(py, &entry.body), PyBytes::new(py, &entry.note));
            (PyBytes::new(py, key), answer, labels, entry.stored_ms, entry.expires_ms)
        };
        self.lock().iter().map(told).collect()
    }

    fn purge(&self, labels: Vec<String>) -> usize {
        self.lock().purge(&labels)
    }

    #[getter]
    fn bytes(&self) -> u64 {
        self.lock().bytes()
    }

    fn __len__(&self) -> usize {
        self.lock().len()
    }
}
