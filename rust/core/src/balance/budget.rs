//! How many attempts beyond the first a deployment's requests may cost.
//!
//! Why a share of the traffic and not a number a request: three attempts a request are harmless while one
//! request in a hundred fails and triple the load at the moment when all fail. A share costs nothing on good
//! days and cannot exceed `1 + share` on the worst (Google, "Site Reliability Engineering", chapter 22: ten
//! per cent a client).
//!
//! Every retry is charged to the deployment that its request was *first* sent to. Charging the one that
//! receives it looks fairer and fails the usual case: of a primary with a stand-by the stand-by has no
//! requests of its own, hence no budget, and the five requests in a hundred that it exists to save are
//! refused. Charged at the origin, the retries of any topology (a tier, tiers in order, one alias or fifty
//! over the same deployments) sum to at most the share of all first attempts, and a deployment's trouble
//! spends nobody else's budget.
//!
//! Below the floor the share is not asked. The floor is ten in ten seconds: a breaker opens at five failures
//! in a row and a request may need two more attempts, so a dying deployment can be found out, at any rate of
//! traffic, without one client seeing it; and one retry a second is no storm.

use std::time::Duration;

use super::moment::Moment;
use super::window::Window;

#[cfg(test)]
mod tests;

const SPAN: Duration = Duration::from_secs(10);
const FLOOR: u32 = 10;

/// The retries that one deployment's requests may still cost.
#[derive(Clone, Debug)]
pub struct RetryBudget {
    share: f64,
    firsts: Window,
    retries: Window,
    denied: u64,
}

impl RetryBudget {
    /// `share` is the number of retries a first attempt, 0.1 for ten in a hundred. Zero allows none at all.
    pub fn new(share: f64) -> Self {
        Self { share, firsts: Window::new(SPAN), retries: Window::new(SPAN), denied: 0 }
    }

    /// A request was sent here first.
    pub fn deposit(&mut self, now: Moment) {
        self.firsts.add(now);
    }

    /// Takes one retry from the budget, or counts a denial.
    pub fn withdraw(&mut self, now: Moment) -> bool {
        let allowed = f64::from(self.firsts.sum(now)) * self.share;
        let floor = if self.share > 0.0 { f64::from(FLOOR) } else { 0.0 };
        let granted = f64::from(self.retries.sum(now)) < allowed.floor().max(floor);
        if granted {
            self.retries.add(now);
        } else {
            self.denied += 1;
        }
        granted
    }

    pub fn denied(&self) -> u64 {
        self.denied
    }
}
