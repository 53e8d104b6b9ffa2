//! Judgements of texts: `Detector`, `Pattern`.

use std::sync::OnceLock;

use dragoman_core::guard::Model;
use dragoman_core::mask::compiled;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use regex::bytes::Regex;

/// Judging more than this takes longer than releasing the GIL costs.
const LONG_TEXT_BYTES: usize = 4 * 1024;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Pattern>()?;
    module.add_class::<Detector>()
}

fn model() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(Model::built_in)
}

#[pyclass(frozen, module = "dragoman._core")]
struct Detector;

#[pymethods]
impl Detector {
    #[new]
    fn new() -> Self {
        Self
    }

    fn judge(&self, py: Python<'_>, text: &str) -> (f32, Vec<String>) {
        let judge = || model().judge(text);
        let judged = if text.len() > LONG_TEXT_BYTES { py.detach(judge) } else { judge() };
        (judged.score, judged.signals)
    }
}

#[pyclass(frozen, module = "dragoman._core")]
struct Pattern {
    compiled: Regex,
}

#[pymethods]
impl Pattern {
    #[new]
    fn new(pattern: &str) -> PyResult<Self> {
        Ok(Self { compiled: compiled(pattern, true).map_err(PyValueError::new_err)? })
    }

    fn found(&self, text: &str) -> bool {
        self.compiled.is_match(text.as_bytes())
    }
}
