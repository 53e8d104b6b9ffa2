//! Judgements of texts: `Detector`, `Pattern`, `Sieve`.

use std::sync::OnceLock;

use dragoman_core::guard::{self, Characters, Model, Passed, Sought};
use dragoman_core::mask::compiled;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use regex::bytes::Regex;

use crate::mask::Masker;

/// Judging more than this takes longer than releasing the GIL costs.
const LONG_TEXT_BYTES: usize = 4 * 1024;
/// The same of a body, of which most is known already.
const LONG_BODY_BYTES: usize = 16 * 1024;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Pattern>()?;
    module.add_class::<Sieve>()?;
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

#[pyclass(frozen, module = "dragoman._core")]
pub struct Sieve {
    sieve: guard::Sieve,
}

#[pymethods]
impl Sieve {
    #[new]
    #[pyo3(signature = (*, hidden = vec![], found = vec![], attempts = None, characters = "any", signs = vec![], repeated = 0))]
    #[pyo3(
        text_signature = "(*, hidden=[], found=[], attempts=None, characters='any', signs=[], repeated=0)"
    )]
    fn new(
        hidden: Vec<PyRef<'_, Masker>>,
        found: Vec<PyRef<'_, Masker>>,
        attempts: Option<f64>,
        characters: &str,
        signs: Vec<PyRef<'_, Pattern>>,
        repeated: usize,
    ) -> PyResult<Self> {
        let maskers = |given: Vec<PyRef<'_, Masker>>| given.iter().map(|masker| masker.shared()).collect();
        let sought = Sought {
            hidden: maskers(hidden),
            found: maskers(found),
            attempts,
            characters: Characters::named(characters)
                .ok_or_else(|| PyValueError::new_err(format!("characters {characters:?}")))?,
            signs: signs.iter().map(|sign| sign.compiled.clone()).collect(),
            repeated,
        };
        Ok(Self { sieve: guard::Sieve::new(sought) })
    }

    fn request(&self, py: Python<'_>, body: &[u8]) -> u8 {
        let look = || self.sieve.request(body, model());
        match if body.len() > LONG_BODY_BYTES { py.detach(look) } else { look() } {
            Passed::Nothing => 0,
            Passed::Unmasked => 1,
            Passed::All => 2,
        }
    }

    fn answer(&self, py: Python<'_>, body: &[u8], asked: &[u8]) -> bool {
        let look = || self.lets_out(body, asked);
        if body.len() > LONG_BODY_BYTES { py.detach(look) } else { look() }
    }
}

impl Sieve {
    /// Whether no guardrail has anything to find in a request.
    pub fn lets_in(&self, body: &[u8]) -> bool {
        self.sieve.request(body, model()) == Passed::All
    }

    /// Whether a whole answer to one passes.
    pub fn lets_out(&self, body: &[u8], asked: &[u8]) -> bool {
        self.sieve.answer(body, asked)
    }
}
