//! Whether a body has any of some words: `Words`.
//!
//! Most bodies have none of those that something is to be done about, and are long; all words are looked for at once.

use aho_corasick::{AhoCorasick, MatchKind};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Words>()
}

#[pyclass(frozen, module = "dragoman._core")]
pub struct Words {
    words: AhoCorasick,
}

#[pymethods]
impl Words {
    #[new]
    #[pyo3(signature = (*words))]
    pub fn new(words: Vec<Vec<u8>>) -> PyResult<Self> {
        let words = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(words);
        Ok(Self { words: words.map_err(|error| PyValueError::new_err(error.to_string()))? })
    }

    pub fn are_in(&self, body: &[u8]) -> bool {
        self.words.is_match(body)
    }
}
