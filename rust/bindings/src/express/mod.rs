//! Requests that need nothing of Python: taken from the server, sent, answered and noted by Rust alone.
//!
//! What Python does for a request costs several times what it costs to send it, and comes to the same for nearly all
//! that a key sends to an alias. So the first goes Python's way, which leaves a [`Pass`] for those that are like it.
//! They are recognised by their head and body; whatever else may matter is part of the pass, and passes are forgotten
//! when any of it changes. A request that turns out to be unlike others, or that does not come to a good end at once,
//! is handed to Python ([`Adopted`]) with its body and what has been sent, and goes on as if it had been Python's. Where
//! answers are kept, a pass says how to find them ([`CachePass`]), and nothing is sent from here.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use self::adopted::Adopted;
use self::ended::{Ended, Over, Queue};
use self::growing::Growing;
use self::head::Headers;
use self::kept::{CachePass, Given};
use self::pass::{Asker, Pass, Passes, Way};
use self::ride::{Come, Origin, Progress, Ride, Waiting};
use crate::secret::SecretHasher;
use crate::upstream::conclude::Conclusions;
use crate::upstream::reply::Reply;
use crate::upstream::target::Upstream;
use crate::words::Words;

mod adopted;
mod cleared;
mod ended;
mod growing;
mod guards;
mod head;
mod kept;
mod limited;
mod pass;
mod ride;
mod traced;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Express>()?;
    module.add_class::<Pass>()?;
    module.add_class::<Adopted>()?;
    module.add_class::<CachePass>()?;
    module.add_class::<Ended>()?;
    module.add_class::<Growing>()?;
    module.add_class::<Given>()?;
    module.add_class::<Waiting>()
}

/// A client is watched only once its request has lasted a while: watching costs more than most requests do.
const WATCH_AFTER: Duration = Duration::from_millis(300);

/// What all requests share.
pub struct Shared {
    come: Come,
    conclusions: Conclusions,
    event_loop: Py<PyAny>,
    hasher: Py<SecretHasher>,
    headers: Headers,
    /// Fields that mean something to the gateway.
    fields: Vec<String>,
    /// Words that do, wherever they stand.
    words: Words,
    passes: Mutex<Passes>,
    rules: Mutex<Option<Arc<Rules>>>,
    rides: Mutex<HashMap<u64, Arc<Ride>>>,
    ended: Queue,
    /// Whom requests are handed to.
    adopt: Mutex<Option<Py<PyAny>>>,
    numbers: AtomicU64,
    dice: RandomState,
}

/// What the configuration says of every request; the keys of a dict.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Rules {
    path: String,
    max_headers: usize,
    max_body_bytes: usize,
    max_json_depth: usize,
    max_concurrent: usize,
    outstanding_bytes: u64,
    write_timeout_s: f64,
    /// A body that comes takes so long at most, and for each byte so much.
    body_timeout_s: f64,
    body_grace_s: f64,
    body_min_bytes_s: f64,
    /// Others are asked before a deployment is probed.
    shares_probes: bool,
}

/// What lets requests pass.
#[derive(FromPyObject)]
enum Granted<'py> {
    Sent(PyRef<'py, Pass>),
    Kept(PyRef<'py, CachePass>),
}

impl Granted<'_> {
    fn way(&self) -> Way {
        match self {
            Self::Sent(pass) => Way::Sent(pass.inner.clone()),
            Self::Kept(pass) => Way::Kept(pass.inner.clone()),
        }
    }
}

fn asker_of((digest, wish): (&[u8], String)) -> Option<Asker> {
    digest.try_into().ok().map(|key| Asker { key, wish })
}

/// Unix time.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn way(&self, asker: &Asker, alias: &str) -> Option<Way> {
        lock(&self.passes).find(asker, alias)
    }

    /// A request is not on its way here any more.
    fn let_go(&self, number: u64) {
        lock(&self.rides).remove(&number);
    }

    /// The id of a span for a request.
    fn span(&self, number: u64) -> u64 {
        self.dice.hash_one((number, "span"))
    }

    /// An id for a request that came then, as those that Python makes.
    fn id(&self, number: u64, at_ms: u64) -> String {
        format!("req_{at_ms:012x}{:016x}", self.dice.hash_one(number))
    }
}

#[pyclass(frozen, module = "dragoman._core")]
struct Express {
    shared: Arc<Shared>,
}

#[pymethods]
impl Express {
    #[new]
    #[pyo3(signature = (upstream, hasher, *, headers, fields, words))]
    fn new(
        py: Python<'_>,
        upstream: &Upstream,
        hasher: Py<SecretHasher>,
        headers: (Vec<String>, Vec<String>, String),
        fields: Vec<String>,
        words: Vec<Vec<u8>>,
    ) -> PyResult<Self> {
        let shared = Shared {
            come: ride::start(&upstream.runtime),
            conclusions: upstream.conclusions.clone(),
            event_loop: upstream.event_loop.clone_ref(py),
            hasher,
            headers: Headers::new(headers.0, headers.1, headers.2),
            fields,
            words: Words::new(words)?,
            passes: Mutex::default(),
            rules: Mutex::default(),
            rides: Mutex::default(),
            ended: Queue::default(),
            adopt: Mutex::default(),
            numbers: AtomicU64::new(0),
            dice: RandomState::new(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Takes requests from now on, under these rules; `None`: takes no more.
    fn open(&self, rules: Option<Rules>) {
        *lock(&self.shared.rules) = rules.map(Arc::new);
    }

    /// `callback` gets the requests that are not as usual.
    fn on_adopted(&self, callback: Py<PyAny>) {
        *lock(&self.shared.adopt) = Some(callback);
    }

    /// How often passes have been forgotten.
    #[getter]
    fn generation(&self) -> u64 {
        lock(&self.shared.passes).generation
    }

    /// Lets requests for an alias pass whose key has that hash and that say that of the cache, unless what is known has
    /// changed since that generation.
    fn add(&self, generation: u64, asker: (&[u8], String), alias: String, granted: Granted) {
        let _gone; // after the lock
        let mut passes = lock(&self.shared.passes);
        if let Some(asker) = asker_of(asker)
            && passes.generation == generation
        {
            _gone = passes.add(asker, alias, granted.way());
        }
    }

    /// Whether there is a pass.
    fn knows(&self, asker: (&[u8], String), alias: &str) -> bool {
        asker_of(asker).is_some_and(|asker| self.shared.way(&asker, alias).is_some())
    }

    /// Lets no more pass until each has gone Python's way again.
    fn forget(&self) {
        let gone = lock(&self.shared.passes).forget();
        drop(gone);
    }

    /// Takes a request, if it is one for here.
    fn take(
        &self,
        scope: &Bound<'_, PyAny>,
        proto: &Bound<'_, PyAny>,
        watcher: &Bound<'_, PyAny>,
        in_flight: usize,
    ) -> PyResult<bool> {
        let py = scope.py();
        let Some(rules) = lock(&self.shared.rules).clone() else { return Ok(false) };
        let Some(said) = self.shared.headers.read(scope, &rules.path, rules.max_headers)? else {
            return Ok(false);
        };
        let presented = said.secret.map(|secret| self.shared.hasher.get().digest(&secret));
        let found = lock(&self.shared.passes).asker(presented, said.wish);
        let Some((asker, may_be_kept, luck)) = found else { return Ok(false) };
        let has_room = in_flight + lock(&self.shared.rides).len() < rules.max_concurrent;
        let fits = (1..=rules.max_body_bytes).contains(&said.length);
        if !has_room || !fits || !luck.is_tried() {
            return Ok(false);
        }
        let number = self.shared.numbers.fetch_add(1, Ordering::Relaxed);
        let started_at_ms = now_ms();
        let client: String = scope.getattr(intern!(py, "client"))?.cast::<PyString>()?.to_str()?.to_owned();
        let (outstanding, patience) = (rules.outstanding_bytes, rules.write_timeout_s);
        let reply = Reply::new(proto.clone().unbind(), &client, outstanding, patience);
        let ride = Arc::new(Ride {
            number,
            id: self.shared.id(number, started_at_ms),
            shared: self.shared.clone(),
            rules,
            started_at_ms,
            arrived: Instant::now(),
            origin: Origin { asker, luck, may_be_kept, client, trace: said.trace, length: said.length },
            scope: scope.clone().unbind(),
            proto: proto.clone().unbind(),
            watcher: watcher.clone().unbind(),
            reply: Arc::new(Py::new(py, reply)?),
            progress: Progress::default(),
        });
        let reading = proto.call0()?;
        lock(&self.shared.rides).insert(number, ride.clone());
        if let Err(error) = ride.read(&reading) {
            error.write_unraisable(py, None);
            ride.adopt(py, None, None, "failed");
        }
        Ok(true)
    }

    /// How many are on their way.
    #[getter]
    fn in_flight(&self) -> usize {
        lock(&self.shared.rides).len()
    }

    /// Gives up bodies that are late, and has those clients watched whose requests have lasted a while.
    fn look_after(&self, py: Python<'_>) -> PyResult<()> {
        let rides: Vec<_> = lock(&self.shared.rides).values().cloned().collect();
        for ride in rides {
            let age = ride.arrived.elapsed();
            if ride.progress.is_reading() {
                if age.as_secs_f64() > ride.rules.longest_body_s(ride.origin.length) {
                    ride.progress.give_up(py)?;
                }
            } else if age > WATCH_AFTER && !ride.progress.is_watched.swap(true, Ordering::AcqRel) {
                ride.watch(py)?;
            }
        }
        Ok(())
    }

    /// Ends all that are on their way.
    fn abort(&self, py: Python<'_>) -> PyResult<()> {
        let rides: Vec<_> = lock(&self.shared.rides).values().cloned().collect();
        for ride in rides {
            ride.progress.is_stopping.store(true, Ordering::Release);
            ride.progress.give_up(py)?;
        }
        Ok(())
    }

    /// Those that are over, oldest first, once.
    fn take_ended(&self) -> Vec<Over> {
        self.shared.ended.take()
    }

    /// Waits until one is over. False: `close` was called.
    fn wait_ended(&self, py: Python<'_>) -> bool {
        py.detach(|| self.shared.ended.wait())
    }

    /// Nobody waits any more. What is Python's is let go of: Python cannot see that it is held here, and would keep all
    /// that hangs together with it.
    fn close(&self) {
        self.shared.ended.close();
        self.forget();
        let adopt = lock(&self.shared.adopt).take();
        drop(adopt);
    }
}

impl Rules {
    /// How long a body of that length may take to come.
    fn longest_body_s(&self, length: usize) -> f64 {
        let earned_s = self.body_grace_s + length as f64 / self.body_min_bytes_s;
        earned_s.min(self.body_timeout_s)
    }
}
