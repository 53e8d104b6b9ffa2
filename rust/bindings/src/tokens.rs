//! Token counting: `TokenCounter` and `TokenCount`.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use dragoman_core::ledger::given_at_most;
use dragoman_core::tokens::{
    Correction, CountError, Encoding, Endpoint, KnownPieces, Memo, Model, TokenCount as Count, Tokenizer,
    count_request,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyString};

/// Counting more than this takes longer than releasing the GIL costs.
const LONG_BYTES: usize = 4 * 1024;
/// Long texts that are remembered: between this and twice as many, at 32 bytes each.
const MEMO_CAPACITY: usize = 16 * 1024;
/// Models whose corrections are kept; names may come from clients.
const MAX_CORRECTIONS: usize = 4096;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<TokenCounter>()?;
    module.add_class::<TokenCount>()
}

/// What counters of one vocabulary have in common.
struct Shared {
    tokenizer: Tokenizer,
    memo: Mutex<Memo>,
    corrections: Mutex<HashMap<String, Correction>>,
}

impl Shared {
    fn new(tokenizer: Tokenizer) -> Arc<Self> {
        let memo = Mutex::new(Memo::new(RandomState::new().hash_one(()), MEMO_CAPACITY));
        Arc::new(Shared { tokenizer, memo, corrections: Mutex::default() })
    }

    fn of(encoding: Encoding) -> Arc<Self> {
        static SHARED: [OnceLock<Arc<Shared>>; Encoding::ALL.len()] =
            [const { OnceLock::new() }; Encoding::ALL.len()];
        let place = Encoding::ALL.iter().zip(&SHARED).find(|(other, _)| **other == encoding);
        let make = || Shared::new(Tokenizer::BuiltIn(encoding));
        place.map_or_else(make, |(_, shared)| shared.get_or_init(make).clone())
    }

    fn corrections(&self) -> MutexGuard<'_, HashMap<String, Correction>> {
        self.corrections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pyclass(frozen, module = "dragoman._core")]
pub struct TokenCounter {
    shared: Arc<Shared>,
    encoding: String,
}

#[pymethods]
impl TokenCounter {
    #[new]
    #[pyo3(signature = (encoding = "o200k_base"))]
    fn new(encoding: &str) -> PyResult<Self> {
        let known = Encoding::named(encoding)
            .ok_or_else(|| unknown("encoding", encoding, &Encoding::ALL.map(Encoding::name)));
        Ok(Self { shared: Shared::of(known?), encoding: encoding.to_owned() })
    }

    #[staticmethod]
    fn for_model(model: &str) -> Self {
        let encoding = Model::named(model).encoding;
        Self { shared: Shared::of(encoding), encoding: encoding.name().to_owned() }
    }

    #[staticmethod]
    fn from_file(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let json = py.detach(|| std::fs::read(&path))?;
        let tokenizer = py.detach(|| Tokenizer::from_json(&json)).map_err(value_error)?;
        Ok(Self { shared: Shared::new(tokenizer), encoding: path.display().to_string() })
    }

    #[getter]
    fn encoding(&self) -> &str {
        &self.encoding
    }

    fn count(&self, text: &Bound<'_, PyString>) -> PyResult<usize> {
        let characters = characters(text)?;
        let count = || match self.shared.memo.try_lock() {
            Ok(mut memo) => self.shared.tokenizer.count(characters, &mut memo.pieces),
            // Another thread counts with what is known; to know nothing is slower, but no wait.
            Err(_) => self.shared.tokenizer.count(characters, &mut KnownPieces::default()),
        };
        Ok(unlocked(text.py(), characters.len(), count))
    }

    fn count_many(&self, texts: Vec<Bound<'_, PyString>>) -> PyResult<Vec<usize>> {
        texts.iter().map(|text| self.count(text)).collect()
    }

    fn encode(&self, text: &Bound<'_, PyString>) -> PyResult<Vec<u32>> {
        let characters = characters(text)?;
        unlocked(text.py(), characters.len(), || self.shared.tokenizer.encode(characters))
            .map_err(value_error)
    }

    fn decode<'py>(&self, py: Python<'py>, ids: Vec<u32>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.shared.tokenizer.decode(&ids).map_err(value_error)?;
        Ok(PyBytes::new(py, &bytes))
    }

    #[pyo3(signature = (body, *, model, endpoint = "chat", max_fresh_bytes = None))]
    fn count_request(
        &self,
        py: Python<'_>,
        body: &[u8],
        model: &str,
        endpoint: &str,
        max_fresh_bytes: Option<usize>,
    ) -> PyResult<TokenCount> {
        let known =
            Endpoint::named(endpoint).ok_or_else(|| unknown("endpoint", endpoint, &Endpoint::NAMES))?;
        let model_known = Model::named(model);
        let count = |memo: &mut Memo| {
            count_request(body, known, &model_known, &self.shared.tokenizer, memo, max_fresh_bytes)
        };
        // Another thread may hold the memo for as long as it counts: nobody waits for it with the GIL in hand.
        let count = match body.len() > LONG_BYTES {
            true => py.detach(|| count(&mut self.shared.memo.lock().unwrap_or_else(PoisonError::into_inner))),
            false => {
                count(&mut self.shared.memo.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner))
            }
        };
        Ok(self.corrected(&count.map_err(value_error)?, model))
    }

    pub fn learn(&self, model: &str, count: &TokenCount, reported: usize) {
        if count.exact || count.image_tokens > 0 {
            return;
        }
        let mut corrections = self.shared.corrections();
        if corrections.len() < MAX_CORRECTIONS || corrections.contains_key(model) {
            corrections.entry(model.to_owned()).or_default().learn(count.uncorrected, reported);
        }
    }

    fn __repr__(&self) -> String {
        format!("TokenCounter({:?})", self.encoding)
    }
}

impl TokenCounter {
    /// Counts a chat, for those who do not hold the GIL.
    pub fn count_chat(
        &self,
        body: &[u8],
        (name, model): (&str, &Model),
        max_fresh_bytes: usize,
    ) -> Result<TokenCount, CountError> {
        let mut memo = self.shared.memo.lock().unwrap_or_else(PoisonError::into_inner);
        let tokenizer = &self.shared.tokenizer;
        let count = count_request(body, Endpoint::Chat, model, tokenizer, &mut memo, Some(max_fresh_bytes))?;
        Ok(self.corrected(&count, name))
    }

    /// With what was learnt of the model.
    fn corrected(&self, count: &Count, model: &str) -> TokenCount {
        let correction = if count.exact { None } else { self.shared.corrections().get(model).copied() };
        let text_tokens =
            correction.map_or(count.text_tokens, |correction| correction.apply(count.text_tokens));
        TokenCount {
            text_tokens,
            image_tokens: count.image_tokens,
            exact: count.exact,
            uncorrected: count.text_tokens,
        }
    }
}

#[pyclass(frozen, module = "dragoman._core")]
pub struct TokenCount {
    #[pyo3(get)]
    text_tokens: usize,
    #[pyo3(get)]
    image_tokens: usize,
    #[pyo3(get)]
    pub exact: bool,
    /// The text's tokens before what was learnt is applied.
    uncorrected: usize,
}

#[pymethods]
impl TokenCount {
    #[getter]
    pub fn tokens(&self) -> usize {
        self.text_tokens + self.image_tokens
    }

    #[getter]
    pub fn most(&self) -> u64 {
        given_at_most(self.tokens() as u64, self.exact)
    }

    fn __repr__(&self) -> String {
        let exact = if self.exact { "True" } else { "False" };
        let TokenCount { text_tokens, image_tokens, .. } = self;
        format!(
            "TokenCount(tokens={}, exact={exact}, text_tokens={text_tokens}, image_tokens={image_tokens})",
            self.tokens()
        )
    }
}

/// The characters of a string; a `ValueError` for one that holds half of a surrogate pair.
fn characters<'a>(text: &'a Bound<'_, PyString>) -> PyResult<&'a str> {
    text.to_str()
        .map_err(|_| PyValueError::new_err("the text holds half of a surrogate pair, which is no character"))
}

/// Runs `work` on so many bytes, without the GIL if they are many.
fn unlocked<T: Send>(py: Python<'_>, bytes: usize, work: impl FnOnce() -> T + Send) -> T {
    if bytes > LONG_BYTES { py.detach(work) } else { work() }
}

fn unknown(what: &str, name: &str, known: &[&str]) -> PyErr {
    PyValueError::new_err(format!("unknown {what} {name:?}; known are {}", known.join(", ")))
}

fn value_error(error: CountError) -> PyErr {
    PyValueError::new_err(error.message)
}
