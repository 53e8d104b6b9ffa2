//! Names to addresses: the system's resolver, off the event loop, behind a small cache.
//!
//! The system's resolver knows `/etc/hosts`, search domains and whatever else the machine is set up with, and it
//! blocks; so each look-up runs on tokio's blocking threads, once for all who wait for it, and goes on when they have
//! given up. A name that stops resolving keeps its last good addresses for a minute: an outage of DNS is not an outage
//! of the provider. The cache knows no policy: every address is checked again each time it is about to be dialled.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::time::{Instant, timeout};

/// How long an answer is taken as it is.
const FRESH: Duration = Duration::from_secs(30);
/// How long after that it may still stand in for an answer that does not come.
const LAST_GOOD: Duration = Duration::from_secs(60);
/// How long a newer answer is waited for while a last good one is at hand.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long one look-up may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// A name without an address, and why.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct ResolveError {
    name: String,
    reason: String,
}

/// How a name is looked up: gets the name, gives its addresses in order of preference.
pub type Lookup = dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync;

type Addresses = Arc<[IpAddr]>;
type Answer = Result<Addresses, ResolveError>;
type Pending = Shared<BoxFuture<'static, Answer>>;

/// What is known of all names.
#[derive(Clone)]
pub(super) struct Resolver {
    lookup: Arc<Lookup>,
    names: Arc<Mutex<HashMap<String, Known>>>,
}

/// What is known of one name.
#[derive(Default)]
struct Known {
    good: Option<(Addresses, Instant)>,
    pending: Option<Pending>,
}

/// What a name gets from the cache.
enum Recalled {
    Fresh(Addresses),
    Stale(Addresses, Pending),
    Unknown(Pending),
}

impl Resolver {
    /// A resolver that asks `lookup`.
    pub fn new(lookup: Arc<Lookup>) -> Self {
        Self { lookup, names: Arc::default() }
    }

    /// The addresses of `name`, at least one.
    pub async fn resolve(&self, name: &str) -> Answer {
        match self.recall(name) {
            Recalled::Fresh(addresses) => Ok(addresses),
            Recalled::Unknown(pending) => pending.await,
            Recalled::Stale(last_good, pending) => match timeout(PATIENCE, pending).await {
                Ok(Ok(addresses)) => Ok(addresses),
                Ok(Err(_)) | Err(_) => Ok(last_good),
            },
        }
    }

    fn recall(&self, name: &str) -> Recalled {
        let now = Instant::now();
        let mut names = self.lock();
        names.retain(|_, known| known.pending.is_some() || known.age(now) < FRESH + LAST_GOOD);
        let known = names.entry(name.to_owned()).or_default();
        let age = known.age(now);
        let good = known.good.as_ref().map(|(addresses, _)| Arc::clone(addresses));
        match good {
            Some(addresses) if age < FRESH => Recalled::Fresh(addresses),
            Some(addresses) if age < FRESH + LAST_GOOD => {
                Recalled::Stale(addresses, self.look_up(name, known))
            }
            _ => Recalled::Unknown(self.look_up(name, known)),
        }
    }

    /// Joins the look-up that is under way, or starts one, which ends by itself and leaves its answer in the cache.
    fn look_up(&self, name: &str, known: &mut Known) -> Pending {
        let start = || {
            let (resolver, name) = (self.clone(), name.to_owned());
            let abandoned = failure(&name, &"the look-up was abandoned");
            let task = tokio::spawn(async move {
                let answer = ask(&*resolver.lookup, &name).await;
                resolver.keep(&name, &answer);
                answer
            });
            task.map(|answer| answer.unwrap_or(Err(abandoned))).boxed().shared()
        };
        known.pending.get_or_insert_with(start).clone()
    }

    fn keep(&self, name: &str, answer: &Answer) {
        let mut names = self.lock();
        let known = names.entry(name.to_owned()).or_default();
        known.pending = None;
        if let Ok(addresses) = answer {
            known.good = Some((Arc::clone(addresses), Instant::now()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn age(&self, now: Instant) -> Duration {
        self.good.as_ref().map_or(Duration::MAX, |&(_, since)| now.saturating_duration_since(since))
    }
}

/// One look-up, with its timeout.
async fn ask(lookup: &Lookup, name: &str) -> Answer {
    match timeout(LOOKUP_TIMEOUT, lookup(name.to_owned())).await {
        Ok(Ok(addresses)) if addresses.is_empty() => Err(failure(name, &"no address")),
        Ok(Ok(addresses)) => Ok(addresses.into()),
        Ok(Err(error)) => Err(failure(name, &error)),
        Err(_) => Err(failure(name, &"no answer in time")),
    }
}

fn failure(name: &str, reason: &dyn std::fmt::Display) -> ResolveError {
    ResolveError { name: name.to_owned(), reason: reason.to_string() }
}

/// The system's resolver.
pub(super) fn system(name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
    async move {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
    .boxed()
}

#[cfg(test)]
mod tests;
