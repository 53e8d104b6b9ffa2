//! Questions that ask the same: `Embedder`, `VectorIndex`, `SemanticIndex`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dragoman_core::nearest::{self, Question};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Embedder>()?;
    module.add_class::<VectorIndex>()?;
    module.add_class::<SemanticIndex>()
}

/// How many of what is near is read word by word.
const CANDIDATES: usize = 4;
const LEAST_COSINE: f32 = 0.5;

fn key(given: &[u8], what: &str) -> PyResult<[u8; 32]> {
    given.try_into().map_err(|_| PyValueError::new_err(format!("{what} has 32 bytes")))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[pyclass(frozen, module = "dragoman._core")]
struct Embedder {
    inner: Arc<nearest::Embedder>,
}

#[pymethods]
impl Embedder {
    #[staticmethod]
    #[pyo3(signature = (dimensions = 256))]
    fn spelling(dimensions: usize) -> PyResult<Self> {
        if !(8..=4096).contains(&dimensions) {
            return Err(PyValueError::new_err("dimensions are from 8 to 4096"));
        }
        Ok(Self { inner: Arc::new(nearest::Embedder::Spelling { dimensions }) })
    }

    #[staticmethod]
    fn tokens(weights: &[u8], dimensions: usize, tokenizer: &[u8]) -> PyResult<Self> {
        let inner = nearest::Embedder::tokens(weights, dimensions, tokenizer)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(Self { inner: Arc::new(inner) })
    }

    #[getter]
    fn dimensions(&self) -> usize {
        self.inner.dimensions()
    }

    fn embed(&self, text: &str) -> Vec<f32> {
        self.inner.embed(text)
    }
}

#[pyclass(frozen, module = "dragoman._core")]
struct VectorIndex {
    index: Mutex<nearest::VectorIndex>,
}

type Near<'py> = (Bound<'py, PyBytes>, f32);

#[pymethods]
impl VectorIndex {
    #[new]
    #[pyo3(signature = (dimensions, most_rows = 50_000))]
    fn new(dimensions: usize, most_rows: usize) -> Self {
        Self { index: Mutex::new(nearest::VectorIndex::new(dimensions, most_rows)) }
    }

    fn add<'py>(
        &self,
        py: Python<'py>,
        namespace: &[u8],
        id: &[u8],
        vector: Vec<f32>,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let (namespace, id) = (key(namespace, "a namespace")?, key(id, "an id")?);
        let mut index = locked(&self.index);
        let (added, gone) = index.add(namespace, id, &vector);
        if !added {
            let dimensions = index.dimensions();
            return Err(PyValueError::new_err(format!(
                "a vector has {dimensions} numbers, not all of them 0"
            )));
        }
        Ok(gone.map(|id| PyBytes::new(py, &id)))
    }

    fn remove(&self, id: &[u8]) -> PyResult<bool> {
        Ok(locked(&self.index).remove(&key(id, "an id")?))
    }

    #[pyo3(signature = (namespace, vector, most = 4, least_cosine = 0.5))]
    fn search<'py>(
        &self,
        py: Python<'py>,
        namespace: &[u8],
        vector: Vec<f32>,
        most: usize,
        least_cosine: f32,
    ) -> PyResult<Vec<Near<'py>>> {
        let namespace = key(namespace, "a namespace")?;
        let found = locked(&self.index).search(&namespace, &vector, most, least_cosine);
        Ok(found.into_iter().map(|one| (PyBytes::new(py, &one.id), one.cosine)).collect())
    }

    fn __len__(&self) -> usize {
        locked(&self.index).len()
    }
}

struct Questions {
    index: nearest::VectorIndex,
    texts: HashMap<nearest::Id, String>,
}

#[pyclass(frozen, module = "dragoman._core")]
struct SemanticIndex {
    embedder: Arc<nearest::Embedder>,
    questions: Mutex<Questions>,
}

type Hit<'py> = (Bound<'py, PyBytes>, f32, f32);

impl SemanticIndex {
    fn vector_of(&self, text: &str, given: Option<Vec<f32>>) -> Vec<f32> {
        given.unwrap_or_else(|| self.embedder.embed(text))
    }

    /// Those of what is near that ask the same, surest first.
    fn hits<'py>(
        &self,
        py: Python<'py>,
        questions: &Questions,
        near: Vec<nearest::Candidate>,
        text: &str,
        least_score: f32,
    ) -> Vec<Hit<'py>> {
        if near.is_empty() {
            return Vec::new();
        }
        let asked = Question::read(text);
        let mut hits = Vec::new();
        for one in near {
            let Some(known) = questions.texts.get(&one.id) else { continue };
            let judged = self.judged(&asked, &Question::read(known));
            if judged.score >= least_score {
                hits.push((PyBytes::new(py, &one.id), judged.score, one.cosine));
            }
        }
        hits.sort_by(|one, other| other.1.total_cmp(&one.1));
        hits
    }

    fn judged(&self, one: &Question, other: &Question) -> nearest::Judged {
        nearest::judge(one, other, &|a, b| self.embedder.alike(a, b))
    }
}

#[pymethods]
impl SemanticIndex {
    #[new]
    #[pyo3(signature = (embedder, most_rows = 50_000, dimensions = None))]
    fn new(embedder: &Embedder, most_rows: usize, dimensions: Option<usize>) -> Self {
        let dimensions = dimensions.unwrap_or_else(|| embedder.inner.dimensions());
        let index = nearest::VectorIndex::new(dimensions, most_rows);
        let questions = Mutex::new(Questions { index, texts: HashMap::new() });
        Self { embedder: Arc::clone(&embedder.inner), questions }
    }

    #[pyo3(signature = (namespace, id, text, vector = None))]
    fn add(&self, namespace: &[u8], id: &[u8], text: &str, vector: Option<Vec<f32>>) -> PyResult<bool> {
        let (namespace, id) = (key(namespace, "a namespace")?, key(id, "an id")?);
        let vector = self.vector_of(text, vector);
        let mut questions = locked(&self.questions);
        let (added, gone) = questions.index.add(namespace, id, &vector);
        if let Some(gone) = gone {
            questions.texts.remove(&gone);
        }
        if added {
            questions.texts.insert(id, text.to_owned());
        }
        Ok(added)
    }

    fn remove(&self, id: &[u8]) -> PyResult<bool> {
        let id = key(id, "an id")?;
        let mut questions = locked(&self.questions);
        questions.texts.remove(&id);
        Ok(questions.index.remove(&id))
    }

    #[pyo3(signature = (namespace, text, least_score, vector = None))]
    fn find<'py>(
        &self,
        py: Python<'py>,
        namespace: &[u8],
        text: &str,
        least_score: f32,
        vector: Option<Vec<f32>>,
    ) -> PyResult<Vec<Hit<'py>>> {
        let namespace = key(namespace, "a namespace")?;
        let vector = self.vector_of(text, vector);
        let questions = locked(&self.questions);
        let near = questions.index.search(&namespace, &vector, CANDIDATES, LEAST_COSINE);
        Ok(self.hits(py, &questions, near, text, least_score))
    }

    #[pyo3(signature = (ids, namespace, text, least_score, vector = None))]
    fn find_among<'py>(
        &self,
        ids: Vec<Vec<u8>>,
        namespace: Bound<'py, PyBytes>,
        text: &str,
        least_score: f32,
        vector: Option<Vec<f32>>,
    ) -> PyResult<Vec<Hit<'py>>> {
        let py = namespace.py();
        let namespace = key(namespace.as_bytes(), "a namespace")?;
        let ids = ids.iter().map(|id| key(id, "an id")).collect::<PyResult<Vec<_>>>()?;
        let vector = self.vector_of(text, vector);
        let questions = locked(&self.questions);
        let near = questions.index.search_among(&namespace, &ids, &vector, CANDIDATES, LEAST_COSINE);
        Ok(self.hits(py, &questions, near, text, least_score))
    }

    fn vectors<'py>(
        &self,
        py: Python<'py>,
        namespace: &[u8],
    ) -> PyResult<(Vec<Bound<'py, PyBytes>>, Bound<'py, PyBytes>)> {
        let questions = locked(&self.questions);
        let (ids, vectors) = questions.index.rows(&key(namespace, "a namespace")?);
        let ids = ids.iter().map(|id| PyBytes::new(py, id)).collect();
        let bytes: Vec<u8> = vectors.iter().map(|value| value.cast_unsigned()).collect();
        Ok((ids, PyBytes::new(py, &bytes)))
    }

    fn text(&self, id: &[u8]) -> PyResult<Option<String>> {
        Ok(locked(&self.questions).texts.get(&key(id, "an id")?).cloned())
    }

    fn count(&self, namespace: &[u8]) -> PyResult<usize> {
        Ok(locked(&self.questions).index.rows(&key(namespace, "a namespace")?).0.len())
    }

    fn vector<'py>(&self, py: Python<'py>, id: &[u8]) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let questions = locked(&self.questions);
        let vector = questions.index.vector(&key(id, "an id")?);
        let bytes = vector.map(|row| row.iter().map(|value| value.cast_unsigned()).collect::<Vec<u8>>());
        Ok(bytes.map(|bytes| PyBytes::new(py, &bytes)))
    }

    fn judge(&self, one: &str, other: &str) -> (f32, &'static str) {
        let judged = self.judged(&Question::read(one), &Question::read(other));
        (judged.score, judged.reason)
    }

    fn rows<'py>(&self, py: Python<'py>) -> Vec<(Bound<'py, PyBytes>, Bound<'py, PyBytes>, String)> {
        let questions = locked(&self.questions);
        let row = |(id, text): (&nearest::Id, &String)| {
            let namespace = PyBytes::new(py, questions.index.namespace_of(id)?);
            Some((namespace, PyBytes::new(py, id), text.clone()))
        };
        questions.texts.iter().filter_map(row).collect()
    }

    fn __len__(&self) -> usize {
        locked(&self.questions).index.len()
    }
}
