//! Choosing deployments: `Balancer`, `Tier`, `Ticket`, and what an answer says about trying again.
//!
//! The clock and the dice of `dragoman_core::balance` are supplied here: the monotonic clock unless it is
//! frozen, and numbers from a seed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dragoman_core::balance::{self, Ask, Moment, Outcome, Seat, Settings, Strategy, Timing};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Balancer>()?;
    module.add_class::<Tier>()?;
    module.add_class::<Ticket>()?;
    module.add_class::<MemberState>()?;
    module.add_class::<PlanStep>()?;
    module.add_function(wrap_pyfunction!(retry_after_s, module)?)?;
    module.add_function(wrap_pyfunction!(backoff_s, module)?)
}

#[pyfunction]
fn retry_after_s(headers: Vec<(String, String)>, body: &[u8], now_unix: f64) -> Option<f64> {
    balance::retry_after(&headers, body, now_unix).map(|wait| wait.as_secs_f64())
}

#[pyfunction]
fn backoff_s(attempt: u32, random: f64) -> f64 {
    balance::backoff(attempt, random).as_secs_f64()
}

/// Where time and chance come from.
struct Source {
    started: Instant,
    /// Nanoseconds at which the clock stands; `LIVE` while it runs.
    frozen: AtomicU64,
    dice: AtomicU64,
}

const LIVE: u64 = u64::MAX;

impl Source {
    fn now(&self) -> Moment {
        match self.frozen.load(Ordering::Relaxed) {
            LIVE => Moment::from_nanos(u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(LIVE)),
            nanos => Moment::from_nanos(nanos),
        }
    }

    fn random(&self) -> u64 {
        balance::mix(self.dice.fetch_add(1, Ordering::Relaxed))
    }
}

#[pyclass(frozen, module = "dragoman._core")]
pub struct Balancer {
    balancer: balance::Balancer,
    source: Arc<Source>,
}

#[pyclass(frozen, module = "dragoman._core")]
pub struct Tier {
    tier: balance::Tier,
}

#[pyclass(frozen, module = "dragoman._core")]
pub struct Ticket {
    #[pyo3(get)]
    pub index: usize,
    #[pyo3(get)]
    pub reason: &'static str,
    ticket: Mutex<Option<balance::Ticket>>,
    source: Arc<Source>,
}

#[pyclass(frozen, get_all, module = "dragoman._core")]
struct MemberState {
    name: String,
    domain: String,
    breaker: &'static str,
    cooldown_left_s: f64,
    in_flight: u32,
    ewma_ms: Option<f64>,
    success_ratio: Option<f64>,
    requests: u64,
    failures: u64,
    retries_denied: u64,
}

#[pyclass(frozen, get_all, module = "dragoman._core")]
struct PlanStep {
    index: usize,
    reason: Option<&'static str>,
    why: String,
    load_ms: f64,
    is_full: bool,
}

#[pymethods]
impl Balancer {
    #[new]
    #[pyo3(signature = (*, decay_s = 10.0, retry_budget = 0.1, seed = None))]
    fn new(decay_s: f64, retry_budget: f64, seed: Option<u64>) -> PyResult<Self> {
        let decay = Duration::try_from_secs_f64(decay_s).ok().filter(|decay| *decay > Duration::ZERO);
        let decay = decay.ok_or_else(|| PyValueError::new_err("decay_s must be above zero"))?;
        if !(0.0..=1.0).contains(&retry_budget) {
            return Err(PyValueError::new_err("retry_budget must lie between 0 and 1"));
        }
        let dice = AtomicU64::new(seed.unwrap_or_else(unforeseen));
        let source = Source { started: Instant::now(), frozen: AtomicU64::new(LIVE), dice };
        let balancer = balance::Balancer::new(Settings { decay, retry_share: retry_budget });
        Ok(Self { balancer, source: Arc::new(source) })
    }

    #[pyo3(signature = (name, domain = "", max_concurrent = None))]
    fn register(&self, name: &str, domain: &str, max_concurrent: Option<u32>) -> usize {
        self.balancer.register(name, domain, max_concurrent)
    }

    #[pyo3(signature = (members, weights, *, prices = None, strategy))]
    fn tier(
        &self,
        members: Vec<usize>,
        weights: Vec<f64>,
        prices: Option<Vec<f64>>,
        strategy: &str,
    ) -> PyResult<Tier> {
        let strategy = Strategy::from_name(strategy)
            .ok_or_else(|| PyValueError::new_err(format!("there is no strategy {strategy:?}")))?;
        let prices = prices.unwrap_or_else(|| vec![f64::INFINITY; members.len()]);
        if weights.len() != members.len() || prices.len() != members.len() {
            return Err(PyValueError::new_err("members, weights and prices must be of one length"));
        }
        let seat = |((member, weight), price): ((usize, f64), f64)| {
            let price = (price != f64::INFINITY).then_some(price);
            Seat { member, weight, price }
        };
        let seats = members.into_iter().zip(weights).zip(prices).map(seat).collect();
        let tier = self.balancer.tier(seats, strategy);
        Ok(Tier { tier: tier.map_err(|error| PyValueError::new_err(error.to_string()))? })
    }

    #[pyo3(signature = (tier, *, tried = Vec::new(), again = false, session = None, last_resort = true))]
    #[pyo3(text_signature = "($self, tier, *, tried=(), again=False, session=None, last_resort=True)")]
    fn choose(
        &self,
        tier: &Tier,
        tried: Vec<usize>,
        again: bool,
        session: Option<u64>,
        last_resort: bool,
    ) -> Option<Ticket> {
        self.begin(tier, &Ask { tried: &tried, again, session, last_resort })
    }

    #[pyo3(signature = (tier, *, tried = Vec::new(), again = false, session = None, last_resort = true))]
    #[pyo3(text_signature = "($self, tier, *, tried=(), again=False, session=None, last_resort=True)")]
    fn plan(
        &self,
        tier: &Tier,
        tried: Vec<usize>,
        again: bool,
        session: Option<u64>,
        last_resort: bool,
    ) -> Vec<PlanStep> {
        let ask = Ask { tried: &tried, again, session, last_resort };
        let steps = self.balancer.plan(&tier.tier, &ask, self.source.now());
        let shown = |step: balance::PlanStep| PlanStep {
            index: step.member,
            reason: step.reason.map(balance::Reason::as_str),
            why: step.why,
            load_ms: step.load_ms,
            is_full: step.is_full,
        };
        steps.into_iter().map(shown).collect()
    }

    fn may_retry(&self, index: usize) -> bool {
        self.balancer.may_retry(index, self.source.now())
    }

    fn may_hedge(&self, index: usize, max_extra_share: f64) -> bool {
        self.balancer.may_hedge(index, max_extra_share)
    }

    fn hedge_delay_s(&self, tier: &Tier, percentile: f64, max_extra_share: f64) -> Option<f64> {
        let now = self.source.now();
        let delay = self.balancer.hedge_delay(&tier.tier, percentile, max_extra_share, now);
        delay.map(|delay| delay.as_secs_f64())
    }

    fn cool_down(&self, name: &str, seconds: f64) -> bool {
        wait(seconds).is_some_and(|wait| self.balancer.cool_down(name, wait, self.source.now()))
    }

    fn recover(&self, name: &str) -> bool {
        self.balancer.recover(name)
    }

    fn members(&self) -> Vec<MemberState> {
        self.balancer.members(self.source.now()).into_iter().map(MemberState::from).collect()
    }

    fn freeze(&self, now_s: f64) -> PyResult<()> {
        let now =
            Duration::try_from_secs_f64(now_s).map_err(|_| PyValueError::new_err("now_s is no time"))?;
        self.source.frozen.store(u64::try_from(now.as_nanos()).unwrap_or(LIVE), Ordering::Relaxed);
        Ok(())
    }
}

impl Balancer {
    /// Chooses a member, and counts the attempt as begun.
    pub fn begin(&self, tier: &Tier, ask: &Ask<'_>) -> Option<Ticket> {
        let ticket = self.balancer.choose(&tier.tier, ask, self.source.now(), self.source.random())?;
        let (index, reason) = (ticket.member(), ticket.reason().as_str());
        Some(Ticket { index, reason, ticket: Mutex::new(Some(ticket)), source: Arc::clone(&self.source) })
    }
}

#[pymethods]
impl Ticket {
    fn first_token(&self, first_token_ms: f64) {
        if let Some(ticket) = self.ticket().as_mut() {
            ticket.first_token(first_token_ms, self.source.now());
        }
    }

    #[pyo3(signature = (first_token_ms, total_ms, output_tokens))]
    pub fn finish_success(&self, first_token_ms: Option<f64>, total_ms: f64, output_tokens: u32) {
        self.finish(Outcome::Success(Timing { first_token_ms, total_ms, output_tokens }));
    }

    #[pyo3(signature = (retry_after_s = None))]
    fn finish_failure(&self, retry_after_s: Option<f64>) {
        self.finish(Outcome::Failed { retry_after: retry_after_s.and_then(wait) });
    }

    #[pyo3(signature = (retry_after_s = None))]
    fn finish_limited(&self, retry_after_s: Option<f64>) {
        self.finish(Outcome::Limited { retry_after: retry_after_s.and_then(wait) });
    }

    fn finish_auth(&self) {
        self.finish(Outcome::Refused);
    }

    pub fn finish_neutral(&self) {
        self.finish(Outcome::ClientFault);
    }

    #[pyo3(signature = (waited_ms = None))]
    pub fn finish_cancelled(&self, waited_ms: Option<f64>) {
        self.finish(Outcome::Cancelled { waited_ms });
    }
}

impl Ticket {
    fn ticket(&self) -> MutexGuard<'_, Option<balance::Ticket>> {
        self.ticket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, outcome: Outcome) {
        if let Some(ticket) = self.ticket().take() {
            ticket.finish(outcome, self.source.now(), self.source.random());
        }
    }
}

impl From<balance::MemberState> for MemberState {
    fn from(state: balance::MemberState) -> Self {
        Self {
            name: state.name,
            domain: state.domain,
            breaker: state.breaker.as_str(),
            cooldown_left_s: state.cooldown_left.as_secs_f64(),
            in_flight: state.in_flight,
            ewma_ms: state.latency_ms,
            success_ratio: state.success_ratio,
            requests: state.requests,
            failures: state.failures,
            retries_denied: state.retries_denied,
        }
    }
}

fn wait(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds.clamp(0.0, f64::from(u32::MAX))).ok()
}

/// Bits that nobody foresees: the keys that the standard library draws from the system for its hash tables.
fn unforeseen() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}
