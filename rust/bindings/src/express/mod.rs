//! Requests that need nothing of Python: sent, answered and noted by Rust alone.
//!
//! They come by the front. What Python does for a request costs several times what it costs to send it, and comes to the
//! same for nearly all that a key sends to an alias. So the first goes Python's way, which leaves a [`Pass`] for those that are like it.
//! They are recognised by their head and body; whatever else may matter is part of the pass, and passes are forgotten
//! when any of it changes. A request that turns out to be unlike others, or that does not come to a good end at once,
//! is handed to Python ([`Adopted`]) with its body and what has been sent, and goes on as if it had been Python's. Where
//! answers are kept, a pass says how to find them ([`CachePass`]), and nothing is sent from here.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use dragoman_core::luck::Luck;
use dragoman_wire::front::{Came, Head, Patience, Serves};
use pyo3::prelude::*;

use self::adopted::Adopted;
use self::ended::{Alike, Ended, Queue};
use self::growing::Growing;
use self::head::Headers;
use self::kept::{CachePass, Given};
use self::pass::{Asker, Pass, Passes, Way};
use self::ride::{Origin, Progress, Ride};
use self::row::Columns;
use self::traced::Trace;
use crate::front::handed::Hands;
use crate::secret::SecretHasher;
use crate::upstream::conclude::Conclusions;
use crate::upstream::reply::{Back, Slowness, To};
use crate::upstream::target::{Upstream, seconds};
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
mod row;
mod traced;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Express>()?;
    module.add_class::<Pass>()?;
    module.add_class::<Adopted>()?;
    module.add_class::<CachePass>()?;
    module.add_class::<Ended>()?;
    module.add_class::<Growing>()?;
    module.add_class::<Given>()
}

/// What longer bodies ask for would hold up all else that is on its way here.
const SHORT_BYTES: usize = 64 * 1024;

/// What all requests share.
pub struct Shared {
    hands: Hands,
    conclusions: Conclusions,
    event_loop: Py<PyAny>,
    hasher: Py<SecretHasher>,
    headers: Headers,
    /// Fields that mean something to the gateway.
    fields: Vec<String>,
    /// Words that do, wherever they stand.
    words: Words,
    passes: Mutex<Passes>,
    rules: Mutex<Arc<Rules>>,
    /// Requests go this way.
    is_open: AtomicBool,
    /// The process is to end.
    is_stopping: AtomicBool,
    /// Requests in flight that have come by no front.
    beside: AtomicUsize,
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
    /// How paths begin of which nothing is for the front.
    elsewhere: String,
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
pub struct Express {
    pub shared: Arc<Shared>,
}

#[pymethods]
impl Express {
    #[new]
    #[pyo3(signature = (upstream, hasher, *, headers, body, row, rules))]
    fn new(
        upstream: &Upstream,
        hasher: Py<SecretHasher>,
        headers: (Vec<String>, Vec<String>, String),
        body: (Vec<String>, Vec<Vec<u8>>),
        row: Vec<String>,
        rules: Rules,
    ) -> PyResult<Self> {
        let shared = Shared {
            hands: Hands::start()?,
            conclusions: upstream.conclusions.clone(),
            event_loop: Python::attach(|py| upstream.event_loop.clone_ref(py)),
            hasher,
            headers: Headers::new(headers.0, headers.1, headers.2),
            fields: body.0,
            words: Words::new(body.1)?,
            passes: Mutex::default(),
            rules: Mutex::new(Arc::new(rules)),
            is_open: AtomicBool::new(false),
            is_stopping: AtomicBool::new(false),
            beside: AtomicUsize::new(0),
            rides: Mutex::default(),
            ended: Queue::new(Columns::find(&row)?),
            adopt: Mutex::default(),
            numbers: AtomicU64::new(0),
            dice: RandomState::new(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Goes by these rules from now on.
    fn rule(&self, rules: Rules) {
        *lock(&self.shared.rules) = Arc::new(rules);
    }

    /// Whether requests go this way; all are Python's otherwise.
    fn open(&self, is_open: bool) {
        self.shared.is_open.store(is_open, Ordering::Release);
    }

    /// `callback` gets the requests that are Python's.
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

    /// How many are on their way.
    #[getter]
    fn in_flight(&self) -> usize {
        lock(&self.shared.rides).len()
    }

    /// How many others are in flight that have come by no front.
    fn beside(&self, count: usize) {
        self.shared.beside.store(count, Ordering::Release);
    }

    /// Ends all that are on their way.
    fn abort(&self) {
        self.shared.is_stopping.store(true, Ordering::Release);
        let rides: Vec<_> = lock(&self.shared.rides).values().cloned().collect();
        for ride in rides {
            ride.progress.is_stopping.store(true, Ordering::Release);
            ride.progress.cancel();
        }
    }

    /// Those that are over, once, by what they have in common.
    fn take_ended(&self) -> Vec<Alike> {
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
    /// How long a body may take to come.
    fn patience(&self) -> Patience {
        Patience {
            most: seconds(self.body_timeout_s),
            grace: seconds(self.body_grace_s),
            a_byte: Duration::from_secs_f64(1.0 / self.body_min_bytes_s.max(1e-3)),
        }
    }

    fn slowness(&self) -> Slowness {
        (self.outstanding_bytes, self.write_timeout_s)
    }
}

impl Serves for Shared {
    fn admits(&self, head: &Head) -> Option<Patience> {
        let rules = self.rules();
        let is_here = rules.elsewhere.is_empty() || !head.path().starts_with(&rules.elsewhere);
        (is_here && head.length <= rules.max_body_bytes).then(|| rules.patience())
    }

    fn serve(self: &Arc<Self>, came: Came) {
        match self.take(came) {
            // Boxed: what it is of is large, and a task is copied twice.
            Ok((ride, body)) => drop(tokio::spawn(Box::pin(ride.run(body)))),
            Err(came) => self.hand(*came),
        }
    }
}

/// A request that goes the express way, and its body.
type Taken = (Arc<Ride>, Bytes);

impl Shared {
    fn rules(&self) -> Arc<Rules> {
        lock(&self.rules).clone()
    }

    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes a request, if it is one for here.
    fn take(self: &Arc<Self>, came: Came) -> Result<Taken, Box<Came>> {
        let rules = self.rules();
        let is_room = self.hands.counted() + self.beside.load(Ordering::Acquire) + lock(&self.rides).len()
            < rules.max_concurrent;
        let is_short = (1..=SHORT_BYTES).contains(&came.head.length);
        if !self.is_open.load(Ordering::Acquire) || !is_room || !is_short {
            return Err(Box::new(came));
        }
        let Some((asker, luck, trace)) =
            self.asker(&rules, &came.head).filter(|(_, luck, _)| luck.is_tried())
        else {
            return Err(Box::new(came));
        };
        let Came { head, body, peer, arrived, door } = came;
        let body = match body {
            Ok(body) => body,
            Err(trouble) => return Err(Box::new(Came { head, body: Err(trouble), peer, arrived, door })),
        };
        let (number, started_at_ms) = (self.number(), now_ms());
        let back = Back::new(To::Front(door.clone()), Some(peer), arrived.into(), rules.slowness());
        let ride = Arc::new(Ride {
            number,
            id: self.id(number, started_at_ms),
            shared: self.clone(),
            rules,
            started_at_ms,
            arrived,
            origin: Origin { asker, luck, client: peer.to_string(), trace },
            head,
            door,
            back: Arc::new(back),
            progress: Progress::default(),
        });
        lock(&self.rides).insert(number, ride.clone());
        Ok((ride, body))
    }

    /// Who asks, where it is one that is known, and the trace that the request belongs to.
    fn asker(&self, rules: &Rules, head: &Head) -> Option<(Asker, Arc<Luck>, Trace)> {
        if head.path() != rules.path || head.method() != "POST" {
            return None;
        }
        let said = self.headers.read(head, rules.max_headers)?;
        let presented = said.secret.map(|secret| self.hasher.get().digest(&secret));
        let (asker, luck) = lock(&self.passes).asker(presented, said.wish)?;
        Some((asker, luck, said.trace))
    }
}
