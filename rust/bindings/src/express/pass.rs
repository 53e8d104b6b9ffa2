//! What is known beforehand of the plain requests of a key for an alias.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dragoman_core::luck::Luck;
use dragoman_core::price::Kinds;
use dragoman_core::tokens::Model;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::guards::{Guards, Sieves};
use super::kept::Recall;
use super::limited::Limited;

use crate::price::Rates;
use crate::tokens::TokenCounter;
use crate::typical::Typical;
use crate::upstream::launch::Launcher;
use crate::upstream::target::seconds;

/// The hash of a key's secret.
pub type Digest = [u8; 32];
/// What stands for it where everybody is served, with a key or without.
const ANYBODY: Digest = [0; 32];

/// Who asks, and in what words of the cache.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Asker {
    pub key: Digest,
    pub wish: String,
}

/// What becomes of such requests.
#[derive(Clone)]
pub enum Way {
    /// They are sent.
    Sent(Arc<Known>),
    /// They are answered with what is kept.
    Kept(Arc<Recall>),
}

impl Way {
    pub fn until_ms(&self) -> u64 {
        match self {
            Self::Sent(known) => known.until_ms,
            Self::Kept(recall) => recall.until_ms,
        }
    }
}

#[pyclass(frozen, module = "dragoman._core")]
pub struct Pass {
    pub inner: Arc<Known>,
}

pub struct Known {
    /// What Python knows such requests by.
    pub told: Py<PyAny>,
    pub launcher: Py<Launcher>,
    /// By member.
    pub fares: HashMap<usize, Fare>,
    /// The member whose deployment counts and prices a request before one is chosen.
    first: usize,
    pub typical: Py<Typical>,
    pub guards: Guards,
    /// Headers of every answer, but those that say who gave it.
    pub headers: Vec<(String, String)>,
    pub deadline: Duration,
    /// Whether the tier is the only one.
    pub is_alone: bool,
    /// Whether the bodies of requests that are over are wanted.
    pub keeps_bodies: bool,
    /// Unix time from which on nothing of this may hold any more.
    pub until_ms: u64,
    pub limited: Limited,
}

/// What is counted of a member's requests, and how.
pub struct Fare {
    pub counter: Py<TokenCounter>,
    pub model: String,
    pub known: Model,
    pub rates: Option<Py<Rates>>,
    pub known_as: String,
}

/// The keys of a dict.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Told {
    told: Py<PyAny>,
    launcher: Py<Launcher>,
    fares: Vec<ToldFare>,
    typical: Py<Typical>,
    guards: Option<Sieves>,
    headers: Vec<(String, String)>,
    deadline_s: f64,
    is_alone: bool,
    keeps_bodies: bool,
    until_s: f64,
    limited: Limited,
}

/// The keys of a dict.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct ToldFare {
    index: usize,
    counter: Py<TokenCounter>,
    model: String,
    rates: Option<Py<Rates>>,
    known_as: String,
}

impl ToldFare {
    fn into_fare(self) -> (usize, Fare) {
        let Self { index, counter, model, rates, known_as } = self;
        (index, Fare { counter, known: Model::named(&model), model, rates, known_as })
    }
}

#[pymethods]
impl Pass {
    #[new]
    fn new(known: Told) -> PyResult<Self> {
        let first = known.fares.first().map(|fare| fare.index);
        let inner = Known {
            told: known.told,
            launcher: known.launcher,
            fares: known.fares.into_iter().map(ToldFare::into_fare).collect(),
            first: first.ok_or_else(|| PyValueError::new_err("a pass needs a member"))?,
            typical: known.typical,
            guards: known.guards.into(),
            headers: known.headers,
            deadline: seconds(known.deadline_s),
            is_alone: known.is_alone,
            keeps_bodies: known.keeps_bodies,
            until_ms: millis(known.until_s),
            limited: known.limited,
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}

impl Fare {
    /// Nano-dollars that tokens cost; `None`: they have no price.
    pub fn cost(&self, tokens: &Kinds) -> Option<i64> {
        self.rates.as_ref().map(|rates| rates.get().inner.cost(tokens))
    }
}

impl Known {
    pub fn first(&self) -> Option<&Fare> {
        self.fares.get(&self.first)
    }
}

/// A time to come in whole milliseconds; one that is none never comes.
pub fn millis(at_s: f64) -> u64 {
    u64::try_from(seconds(at_s).as_millis()).unwrap_or(u64::MAX)
}

/// The passes in force. They are looked up by both, and forgotten all at once.
#[derive(Default)]
pub struct Passes {
    /// How often they have been forgotten.
    pub generation: u64,
    by_asker: HashMap<Asker, Ways>,
    count: usize,
}

#[derive(Default)]
pub struct Ways {
    by_alias: HashMap<String, Way>,
    luck: Arc<Luck>,
}

/// Passes that hold no more.
type Forgotten = HashMap<Asker, Ways>;

/// Aliases and wishes come from clients.
const MOST: usize = 4096;

impl Passes {
    /// Whom a request is looked up as, by the hash of what it presents, where there is any pass for that one; and what
    /// became of those before it.
    pub fn asker(&self, presented: Option<Digest>, wish: String) -> Option<(Asker, Arc<Luck>)> {
        let mut asker = Asker { key: ANYBODY, wish };
        let mut ways = self.by_asker.get(&asker);
        if let (None, Some(key)) = (ways, presented) {
            asker.key = key;
            ways = self.by_asker.get(&asker);
        }
        ways.map(|ways| (asker, ways.luck.clone()))
    }

    pub fn find(&self, asker: &Asker, alias: &str) -> Option<Way> {
        self.by_asker.get(asker)?.by_alias.get(alias).cloned()
    }

    /// What this gives back is dropped once nobody waits for the passes: that may run Python.
    pub fn add(&mut self, asker: Asker, alias: String, way: Way) -> (Forgotten, Option<Way>) {
        let forgotten = if self.count >= MOST { self.forget() } else { Forgotten::default() };
        let ways = self.by_asker.entry(asker).or_default();
        let replaced = ways.by_alias.insert(alias, way);
        self.count += usize::from(replaced.is_none());
        (forgotten, replaced)
    }

    /// The same of what this gives back.
    pub fn forget(&mut self) -> Forgotten {
        self.generation += 1;
        self.count = 0;
        std::mem::take(&mut self.by_asker)
    }
}
