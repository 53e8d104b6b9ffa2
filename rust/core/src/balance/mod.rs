//! Choosing a deployment for each attempt, and learning from how it ended.
//!
//! ```text
//! register members -> build tiers -> choose -> Ticket -> finish (or drop) -> what is known of the member
//! ```
//!
//! A member is one deployment with one credential, registered by a name that stays: its latency, breaker and
//! budgets survive a reload of the configuration, which only builds new tiers over the same members. One
//! credential that is limited or refused therefore cools down alone.
//!
//! The parts, each of which argues its own case: `load` (how long a member would keep a request waiting),
//! `strategy` (which of several is taken), `choose` (who may be taken, and when a broken one is), `breaker`,
//! `budget` (of retries), `hedge`, `backoff`, `retry_after`.
//!
//! One lock guards all members. A choice reads every member of its tier and writes one, in well under a
//! microsecond; finer locks would cost more than they could save and would let two requests take the same
//! probe.

use std::collections::HashMap;
use std::time::Duration;

use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};

mod backoff;
mod breaker;
mod budget;
mod chance;
mod choose;
mod hedge;
mod load;
mod member;
mod moment;
mod retry_after;
#[cfg(any(test, feature = "simulation"))]
pub mod simulation;
mod sketch;
mod strategy;
mod ticket;
mod tier;
mod window;

#[cfg(test)]
mod tests;

pub use backoff::backoff;
pub use breaker::State as BreakerState;
pub use chance::mix;
pub use choose::{Ask, PlanStep};
pub use load::Timing;
pub use member::{MemberState, Outcome};
pub use moment::Moment;
pub use retry_after::retry_after;
pub use strategy::Reason;
pub use ticket::Ticket;
pub use tier::{Seat, Strategy, Tier, TierError};

use member::{Attempt, Member};

/// What holds for all members of a balancer.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The time over which a latency is forgotten.
    pub decay: Duration,
    /// Retries that a first attempt may cost, on average.
    pub retry_share: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { decay: Duration::from_secs(10), retry_share: 0.1 }
    }
}

/// All members, and what is known of them. Clones share it.
#[derive(Clone, Debug)]
pub struct Balancer {
    state: Arc<Mutex<State>>,
}

/// What the lock guards.
#[derive(Debug)]
struct State {
    settings: Settings,
    members: Vec<Member>,
    by_name: HashMap<String, usize>,
}

impl Balancer {
    pub fn new(settings: Settings) -> Self {
        let state = State { settings, members: Vec::new(), by_name: HashMap::new() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Adds a member, or finds the one of that name again with all that is known of it and renews its limits.
    ///
    /// `domain` names what fails together; empty, the member stands for itself.
    pub fn register(&self, name: &str, domain: &str, max_concurrent: Option<u32>) -> usize {
        let mut state = lock(&self.state);
        let index = state.by_name.get(name).copied().unwrap_or(state.members.len());
        if index == state.members.len() {
            let member = Member::new(name, &state.settings);
            state.members.push(member);
            state.by_name.insert(name.to_owned(), index);
        }
        if let Some(member) = state.members.get_mut(index) {
            member.domain = if domain.is_empty() { name.to_owned() } else { domain.to_owned() };
            member.max_concurrent = max_concurrent;
        }
        index
    }

    pub fn tier(&self, seats: Vec<Seat>, strategy: Strategy) -> Result<Tier, TierError> {
        tier::build(seats, strategy, lock(&self.state).members.len())
    }

    /// Chooses a member of the tier and counts the attempt as begun; `None` when none may be chosen.
    pub fn choose(&self, tier: &Tier, ask: &Ask<'_>, now: Moment, random: u64) -> Option<Ticket> {
        let picked = choose::choose(&mut lock(&self.state), tier, ask, now, random)?;
        let state = Arc::clone(&self.state);
        Some(Ticket::new(state, tier.clone(), picked.member, picked.reason, picked.attempt))
    }

    /// What `choose` would do, in order, with nothing changed.
    pub fn plan(&self, tier: &Tier, ask: &Ask<'_>, now: Moment) -> Vec<PlanStep> {
        choose::plan(&lock(&self.state), tier, ask, now)
    }

    /// Takes one retry from the budget of the member that the request was sent to first, or counts a denial.
    pub fn may_retry(&self, first: usize, now: Moment) -> bool {
        lock(&self.state).members.get_mut(first).is_some_and(|member| member.budget.withdraw(now))
    }

    /// Pays for one hedge of a request that was sent to `first`, from what its first attempts have saved up.
    pub fn may_hedge(&self, first: usize, max_extra_share: f64) -> bool {
        let mut state = lock(&self.state);
        state.members.get_mut(first).is_some_and(|member| member.first_tokens.withdraw(max_extra_share))
    }

    /// How long a stream may be waited for before a hedge; `None` while there should be none (see `hedge`).
    pub fn hedge_delay(
        &self,
        tier: &Tier,
        quantile: f64,
        max_extra_share: f64,
        now: Moment,
    ) -> Option<Duration> {
        let mut state = lock(&self.state);
        let seated = |index: usize| tier.seats.iter().any(|seat| seat.member == index);
        let members = state.members.iter_mut().enumerate().filter(|(index, _)| seated(*index));
        let mut known: Vec<_> = members.map(|(_, member)| &mut member.first_tokens).collect();
        if !known.iter().any(|member| member.affords(max_extra_share)) {
            return None;
        }
        hedge::delay(known.iter_mut().map(|member| &mut **member), quantile, now)
    }

    /// A member is not to be tried for so long, as another process has found. False: there is none of that name.
    pub fn cool_down(&self, name: &str, wait: Duration, now: Moment) -> bool {
        let mut state = lock(&self.state);
        let Some(&number) = state.by_name.get(name) else { return false };
        if let Some(member) = state.members.get_mut(number) {
            member.cool_down(wait, now);
        }
        true
    }

    /// A member may be tried again, as the probe of another process has found. False: there is none of that name.
    pub fn recover(&self, name: &str) -> bool {
        let mut state = lock(&self.state);
        let Some(&number) = state.by_name.get(name) else { return false };
        if let Some(member) = state.members.get_mut(number) {
            member.recover();
        }
        true
    }

    /// What is known of every member, in the order in which they were registered.
    pub fn members(&self, now: Moment) -> Vec<MemberState> {
        lock(&self.state).members.iter_mut().map(|member| member.state(now)).collect()
    }
}

impl Default for Balancer {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl State {
    fn settle(&mut self, tier: &Tier, ended: (usize, Attempt), outcome: Outcome, now: Moment, random: u64) {
        let seated = tier.seats.iter().filter_map(|seat| self.members.get(seat.member));
        let worth = load::common_worth(seated.filter_map(|member| member.load.log_worth()));
        if let Some(member) = self.members.get_mut(ended.0) {
            member.settle(ended.1, outcome, worth, now, random);
        }
    }
}

/// A panic elsewhere leaves counters as they were, which is no reason to stop choosing.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
