//! Answers that are kept: `ExactCache`, and `Apart`, which makes their keys.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dragoman_core::cache::{self, Entry, KEY_BYTES, Key};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Apart>()?;
    module.add_class::<ExactCache>()
}

fn key(given: &[u8]) -> PyResult<Key> {
    given.try_into().map_err(|_| PyValueError::new_err(format!("a key has {KEY_BYTES} bytes")))
}

fn bytes_of<'p>(parts: &'p [Bound<'_, PyBytes>]) -> impl Iterator<Item = &'p [u8]> {
    parts.iter().map(|part| part.as_bytes())
}

#[pyclass(frozen, module = "dragoman._core")]
pub(crate) struct Apart {
    pub apart: cache::Apart,
}

#[pymethods]
impl Apart {
    #[new]
    fn new(parts: Vec<Bound<'_, PyBytes>>) -> Self {
        Self { apart: cache::Apart::new(bytes_of(&parts)) }
    }

    #[pyo3(signature = (*parts))]
    fn key<'py>(&self, py: Python<'py>, parts: Vec<Bound<'py, PyBytes>>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.apart.key(bytes_of(&parts)))
    }
}

/// The entries, for whoever holds them: nothing here waits for the GIL while they are locked, and no Python is needed
/// to find one.
#[derive(Clone)]
pub(crate) struct Answers {
    entries: Arc<Mutex<cache::ExactCache>>,
}

impl Answers {
    /// The answer to what has that key, if it is younger than that.
    pub(crate) fn find(&self, key: &Key, now_ms: u64, max_age_ms: Option<u64>) -> Option<Entry> {
        self.lock().get(key, now_ms, max_age_ms)
    }

    fn lock(&self) -> MutexGuard<'_, cache::ExactCache> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pyclass(frozen, module = "dragoman._core")]
pub(crate) struct ExactCache {
    pub answers: Answers,
}

type Answer<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>);
type Whole<'py> = (Bound<'py, PyBytes>, Answer<'py>, Vec<String>, u64, u64);
type Found<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>, u64);

#[pymethods]
impl ExactCache {
    #[new]
    fn new(max_bytes: u64) -> Self {
        let entries = Arc::new(Mutex::new(cache::ExactCache::new(max_bytes)));
        Self { answers: Answers { entries } }
    }

    #[staticmethod]
    fn key<'py>(py: Python<'py>, parts: Vec<Bound<'py, PyBytes>>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &cache::key_of(bytes_of(&parts)))
    }

    #[pyo3(signature = (key, now_ms, max_age_ms = None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        key: &[u8],
        now_ms: u64,
        max_age_ms: Option<u64>,
    ) -> PyResult<Option<Found<'py>>> {
        let found = self.answers.find(&self::key(key)?, now_ms, max_age_ms);
        Ok(found.map(|entry| {
            (PyBytes::new(py, &entry.body), PyBytes::new(py, &entry.note), entry.age_ms(now_ms))
        }))
    }

    #[expect(clippy::too_many_arguments, reason = "each is a keyword in Python")]
    #[pyo3(signature = (key, answer, labels = vec![], *, headers = vec![], now_ms, ttl_ms))]
    #[pyo3(text_signature = "($self, key, answer, labels=[], *, headers=[], now_ms, ttl_ms)")]
    fn put(
        &self,
        key: &[u8],
        answer: (&[u8], &[u8]),
        labels: Vec<String>,
        headers: Vec<(String, String)>,
        now_ms: u64,
        ttl_ms: u64,
    ) -> PyResult<()> {
        let entry = Entry {
            body: Arc::from(answer.0),
            headers: headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            note: Arc::from(answer.1),
            labels: labels.into_iter().map(String::into_boxed_str).collect(),
            stored_ms: now_ms,
            expires_ms: now_ms.saturating_add(ttl_ms),
        };
        self.answers.lock().put(self::key(key)?, entry);
        Ok(())
    }

    fn remove(&self, key: &[u8]) -> PyResult<bool> {
        Ok(self.answers.lock().remove(&self::key(key)?))
    }

    fn entries<'py>(&self, py: Python<'py>) -> Vec<Whole<'py>> {
        let entries: Vec<(Key, Entry)> =
            self.answers.lock().iter().map(|(key, entry)| (*key, entry.clone())).collect();
        let told = |(key, entry): (Key, Entry)| {
            let labels = entry.labels.iter().map(ToString::to_string).collect();
            let answer = (PyBytes::new(py, &entry.body), PyBytes::new(py, &entry.note));
            (PyBytes::new(py, &key), answer, labels, entry.stored_ms, entry.expires_ms)
        };
        entries.into_iter().map(told).collect()
    }

    fn purge(&self, labels: Vec<String>) -> usize {
        self.answers.lock().purge(&labels)
    }

    #[getter]
    fn bytes(&self) -> u64 {
        self.answers.lock().bytes()
    }

    fn __len__(&self) -> usize {
        self.answers.lock().len()
    }
}
