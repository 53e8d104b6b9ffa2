//! Personal data and secrets, found and hidden: `Masker`, `MaskSession`, `Unmasker`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dragoman_core::mask::{self, Action, Custom, ENTITIES, Entities, Entity, Finder};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Looking through more than this takes longer than releasing the GIL costs.
const LONG_TEXT_BYTES: usize = 16 * 1024;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Masker>()?;
    module.add_class::<MaskSession>()?;
    module.add_class::<Unmasker>()
}

fn entity(name: &str) -> PyResult<Entity> {
    Entity::named(name).ok_or_else(|| {
        let known: Vec<_> = ENTITIES.iter().map(|facts| facts.name).collect();
        PyValueError::new_err(format!("there is no entity {name:?}; there are {}", known.join(", ")))
    })
}

fn action(name: &str) -> PyResult<Action> {
    Action::named(name).ok_or_else(|| {
        let known = Action::ALL.map(|(name, _)| name).join(", ");
        PyValueError::new_err(format!("there is no action {name:?}; there are {known}"))
    })
}

fn action_name(action: Action) -> &'static str {
    Action::ALL.iter().find(|(_, known)| *known == action).map_or("", |(name, _)| name)
}

/// Runs `look` without the GIL if there is much to look through.
fn look<T: Send>(py: Python<'_>, bytes: usize, look: impl FnOnce() -> T + Send) -> T {
    if bytes > LONG_TEXT_BYTES { py.detach(look) } else { look() }
}

#[pyclass(frozen, module = "dragoman._core")]
pub struct Masker {
    masker: Arc<mask::Masker>,
}

impl Masker {
    pub fn shared(&self) -> Arc<mask::Masker> {
        Arc::clone(&self.masker)
    }
}

#[pymethods]
impl Masker {
    #[new]
    #[pyo3(signature = (*, entities = None, threshold = 0.5, action = "mask", actions = HashMap::new(), patterns = BTreeMap::new(), words = BTreeMap::new()))]
    #[pyo3(
        text_signature = "(*, entities=None, threshold=0.5, action='mask', actions={}, patterns={}, words={})"
    )]
    fn new(
        entities: Option<Vec<String>>,
        threshold: f32,
        action: &str,
        actions: HashMap<String, String>,
        patterns: BTreeMap<String, String>,
        words: BTreeMap<String, Vec<String>>,
    ) -> PyResult<Self> {
        let wanted = match entities {
            Some(names) => names.iter().map(|name| entity(name)).collect::<PyResult<Entities>>()?,
            None => Entities::by_default(),
        };
        let mut custom = Custom::default();
        let refused = |error: mask::CustomError| PyValueError::new_err(error.to_string());
        patterns.iter().try_for_each(|(name, pattern)| custom.pattern(name, pattern)).map_err(refused)?;
        words.iter().try_for_each(|(name, words)| custom.words(name, words)).map_err(refused)?;
        let by_entity = |(name, done): (&String, &String)| Ok((entity(name)?, self::action(done)?));
        let actions = actions.iter().map(by_entity).collect::<PyResult<Vec<_>>>()?;
        let masker =
            mask::Masker::new(Finder::new(wanted, threshold, custom), self::action(action)?, actions);
        Ok(Self { masker: Arc::new(masker) })
    }

    #[staticmethod]
    fn known_entities() -> Vec<(&'static str, bool)> {
        ENTITIES.iter().map(|facts| (facts.name, facts.by_default)).collect()
    }

    #[staticmethod]
    fn known_secrets() -> Vec<&'static str> {
        mask::secrets::kinds()
    }

    fn find(&self, py: Python<'_>, text: &str) -> Vec<(&'static str, String, usize, usize, f32)> {
        let found = look(py, text.len(), || self.masker.find(text));
        let mut counted = Counted { text, bytes: 0, characters: 0 };
        let tell = |found: mask::Found| {
            let (start, end) = (counted.characters(found.place.start), counted.characters(found.place.end));
            (found.entity.name(), found.kind, start, end, found.score)
        };
        found.into_iter().map(tell).collect()
    }

    #[pyo3(signature = (key, conversation = b"".as_slice()))]
    #[pyo3(text_signature = "($self, key, conversation=b'')")]
    fn session(&self, key: &[u8], conversation: &[u8]) -> MaskSession {
        MaskSession {
            masker: Arc::clone(&self.masker),
            session: Mutex::new(mask::Session::new(key, conversation)),
        }
    }
}

/// Characters before a byte, counted from left to right.
struct Counted<'t> {
    text: &'t str,
    bytes: usize,
    characters: usize,
}

impl Counted<'_> {
    fn characters(&mut self, byte: usize) -> usize {
        self.characters += self.text.get(self.bytes..byte).map_or(0, |part| part.chars().count());
        self.bytes = byte;
        self.characters
    }
}

#[pyclass(frozen, module = "dragoman._core")]
struct MaskSession {
    masker: Arc<mask::Masker>,
    session: Mutex<mask::Session>,
}

impl MaskSession {
    fn open(&self) -> MutexGuard<'_, mask::Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl MaskSession {
    fn mask(&self, py: Python<'_>, text: String) -> String {
        look(py, text.len(), || self.open().mask(&self.masker, &text)).unwrap_or(text)
    }

    fn mask_body<'py>(&self, body: Bound<'py, PyBytes>) -> Bound<'py, PyBytes> {
        let py = body.py();
        let bytes = body.as_bytes();
        match look(py, bytes.len(), || self.open().mask_body(&self.masker, bytes)) {
            Some(masked) => PyBytes::new(py, &masked),
            None => body,
        }
    }

    #[pyo3(signature = (text, *, in_json = false))]
    fn unmask(&self, text: &str, in_json: bool) -> String {
        self.open().unmask(text, in_json)
    }

    fn unmask_body<'py>(&self, body: Bound<'py, PyBytes>) -> Bound<'py, PyBytes> {
        let py = body.py();
        let bytes = body.as_bytes();
        match look(py, bytes.len(), || self.open().unmask_body(bytes)) {
            Some(shown) => PyBytes::new(py, &shown),
            None => body,
        }
    }

    #[pyo3(signature = (*, in_json = false))]
    fn unmasker(&self, in_json: bool) -> Unmasker {
        Unmasker { unmasker: Mutex::new(self.open().unmasker(in_json)) }
    }

    fn leak(&self, py: Python<'_>, sent: &[u8]) -> Option<&'static str> {
        look(py, sent.len(), || self.open().leak(sent)).map(Entity::name)
    }

    #[getter]
    fn found(&self) -> Vec<(&'static str, String, &'static str)> {
        let told = |(entity, kind, action): &(Entity, String, Action)| {
            (entity.name(), kind.clone(), action_name(*action))
        };
        self.open().found().iter().map(told).collect()
    }

    #[getter]
    fn blocked(&self) -> bool {
        self.open().is_blocked()
    }

    #[getter]
    fn has_placeholders(&self) -> bool {
        self.open().has_placeholders()
    }
}

#[pyclass(frozen, module = "dragoman._core")]
struct Unmasker {
    unmasker: Mutex<mask::Unmasker>,
}

#[pymethods]
impl Unmasker {
    fn push(&self, piece: &str) -> String {
        self.unmasker.lock().unwrap_or_else(PoisonError::into_inner).push(piece)
    }

    fn finish(&self) -> String {
        self.unmasker.lock().unwrap_or_else(PoisonError::into_inner).finish()
    }
}
