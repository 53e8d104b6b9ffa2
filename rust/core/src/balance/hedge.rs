//! When a second attempt beside a slow first one is worth its price.
//!
//! A request that has waited longer than 95 of 100 do has probably met a straggler, and a copy sent elsewhere
//! will most likely be quicker than what is left of the wait (Dean, Barroso, "The Tail at Scale", CACM 2013:
//! p99.9 from 1800 to 74 ms for 2 % more requests). Two things make it harmful, and both switch it off. When
//! more than one in ten is slow by the measure of the last minutes it is an outage and not a straggler, and
//! copies are load where there is least room. And each copy is paid for: a share of first attempts, saved up
//! by them, is all that copies may spend.

use std::time::Duration;

use super::moment::Moment;
use super::sketch::Sketch;

#[cfg(test)]
mod tests;

const LEAST_SAMPLES: u32 = 50;
const LEAST_RECENT: u32 = 20;
const OUTAGE_SHARE: f64 = 0.1;
const RECENT: Duration = Duration::from_secs(30);
const MEMORY: Duration = Duration::from_secs(300);
const MEMORY_SAMPLES: u32 = 2048;
const CREDIT_CAP: f64 = 500.0;

/// What one member knows of its first-token times, and has saved up for hedges.
#[derive(Clone, Debug, Default)]
pub struct FirstTokens {
    usual: Sketch,
    halved_at: Moment,
    recent: Sketch,
    before: Sketch,
    turned_at: Moment,
    credit: f64,
}

impl FirstTokens {
    pub fn add(&mut self, first_token_ms: f64, now: Moment) {
        self.age(now);
        if self.usual.total() >= MEMORY_SAMPLES {
            self.usual.halve();
        }
        self.usual.add(first_token_ms);
        self.recent.add(first_token_ms);
    }

    /// A request was sent here first.
    pub fn deposit(&mut self) {
        self.credit = (self.credit + 1.0).min(CREDIT_CAP);
    }

    pub fn affords(&self, max_extra_share: f64) -> bool {
        max_extra_share > 0.0 && self.credit * max_extra_share >= 1.0
    }

    /// Pays for one hedge with the first attempts that earn it.
    pub fn withdraw(&mut self, max_extra_share: f64) -> bool {
        let affordable = self.affords(max_extra_share);
        if affordable {
            self.credit -= 1.0 / max_extra_share;
        }
        affordable
    }

    fn age(&mut self, now: Moment) {
        if now.since(self.halved_at) >= MEMORY {
            self.usual.halve();
            self.halved_at = now;
        }
        let age = now.since(self.turned_at);
        if age >= RECENT {
            self.before = if age < RECENT * 2 { std::mem::take(&mut self.recent) } else { Sketch::default() };
            self.recent = Sketch::default();
            self.turned_at = now;
        }
    }
}

/// How long to wait for a first token before a hedge, by the live quantile over all members; `None` while too
/// little is known, and while so many are slow that it is an outage.
pub fn delay<'a>(
    members: impl Iterator<Item = &'a mut FirstTokens>,
    quantile: f64,
    now: Moment,
) -> Option<Duration> {
    let (mut usual, mut recent) = (Sketch::default(), Sketch::default());
    for member in members {
        member.age(now);
        usual.merge(&member.usual);
        recent.merge(&member.recent);
        recent.merge(&member.before);
    }
    if usual.total() < LEAST_SAMPLES {
        return None;
    }
    let delay_ms = usual.quantile(quantile.clamp(0.0, 1.0))?;
    let slow = recent.share_above(delay_ms);
    let outage = recent.total() >= LEAST_RECENT && slow > OUTAGE_SHARE.max(2.0 * (1.0 - quantile));
    (!outage).then(|| Duration::from_secs_f64(delay_ms / 1e3))
}
