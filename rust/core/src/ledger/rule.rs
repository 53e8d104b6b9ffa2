//! What a limit is.

use super::period::Period;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    Requests,
    Tokens,
    /// Requests under way at the same time.
    Concurrent,
    /// Nano-dollars.
    Cost,
}

/// What a request comes to: at most, when it is reserved; in truth, when it is settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    pub requests: i64,
    pub tokens: i64,
    pub cost: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub name: Box<str>,
    pub measure: Measure,
    pub period: Period,
    pub most: i64,
    /// One that is not is counted all the same, and what it would have refused is told.
    pub enforced: bool,
    /// Written down ahead of the spending, so that a crash forgets nothing.
    pub durable: bool,
    /// Shares of `most` whose crossing is told of, lowest first.
    pub levels: Vec<f64>,
}

/// The share of a limit that is written down at once.
const LEASE_SHARE: i64 = 100;

impl Rule {
    pub fn of(&self, amounts: Amounts) -> i64 {
        match self.measure {
            Measure::Requests => amounts.requests,
            Measure::Tokens => amounts.tokens,
            Measure::Concurrent => 1,
            Measure::Cost => amounts.cost,
        }
    }

    /// What of a request stays when it has ended.
    pub fn spent(&self, amounts: Amounts) -> i64 {
        match self.measure {
            Measure::Concurrent => 0,
            _ => self.of(amounts),
        }
    }

    /// How much is written down ahead: a hundredth of the limit, or one more request like the one that comes.
    pub fn lease(&self, amount: i64) -> i64 {
        (self.most / LEASE_SHARE).max(amount)
    }

    /// What is to be written down where so much is needed: no more than the limit, if that is enough.
    pub fn claim(&self, need: i64, amount: i64) -> i64 {
        need.saturating_add(self.lease(amount)).min(self.most).max(need)
    }

    /// How many levels an amount has reached.
    #[expect(clippy::cast_precision_loss, reason = "a level is a share, not a figure of account")]
    pub fn levels_below(&self, spent: i64) -> usize {
        self.levels.iter().take_while(|level| spent as f64 >= **level * self.most as f64).count()
    }
}
