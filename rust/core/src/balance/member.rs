//! One deployment with one credential: everything that is known of it, and what the end of an attempt
//! teaches.

use std::time::Duration;

use super::Settings;
use super::breaker::{Breaker, Pass, Standing, State, Verdict};
use super::budget::RetryBudget;
use super::chance;
use super::hedge::FirstTokens;
use super::load::{Load, Timing};
use super::moment::Moment;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// A whole answer, or a stream to its end.
    Success(Timing),
    /// The deployment failed: no connection, a timeout, a 5xx, a cut stream.
    Failed { retry_after: Option<Duration> },
    /// The deployment is well and refuses for now: a 429.
    Limited { retry_after: Option<Duration> },
    /// The credential was refused: a 401 or 403.
    Refused,
    /// The deployment answered that the request is wrong: a sign of health, and no measure of speed.
    ClientFault,
    /// Nobody waits any more. Never a failure; but with no first token after `waited_ms`, the latency was at
    /// least that.
    Cancelled { waited_ms: Option<f64> },
}

/// What an operator sees of a member.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberState {
    pub name: String,
    pub domain: String,
    pub breaker: State,
    pub cooldown_left: Duration,
    pub in_flight: u32,
    /// The softened peak mean of first-token times; `None` before the first answer.
    pub latency_ms: Option<f64>,
    /// Over the last 30 s; `None` when nothing ended in them.
    pub success_ratio: Option<f64>,
    pub requests: u64,
    pub failures: u64,
    pub retries_denied: u64,
}

/// An attempt on its way, as its member has to know it when it ends.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    pub pass: Pass,
    /// Requests that were in flight when this one was sent.
    pub met: u32,
    /// Its latency has been entered already.
    pub sampled: bool,
}

#[derive(Clone, Debug)]
pub struct Member {
    pub name: String,
    pub domain: String,
    pub name_bits: u64,
    pub max_concurrent: Option<u32>,
    pub in_flight: u32,
    pub load: Load,
    pub breaker: Breaker,
    pub budget: RetryBudget,
    pub first_tokens: FirstTokens,
    requests: u64,
    failures: u64,
}

impl Member {
    pub fn new(name: &str, settings: &Settings) -> Self {
        Self {
            name: name.to_owned(),
            domain: name.to_owned(),
            name_bits: chance::name_bits(name),
            max_concurrent: None,
            in_flight: 0,
            load: Load::new(settings.decay),
            breaker: Breaker::default(),
            budget: RetryBudget::new(settings.retry_share),
            first_tokens: FirstTokens::default(),
            requests: 0,
            failures: 0,
        }
    }

    pub fn is_full(&self) -> bool {
        self.max_concurrent.is_some_and(|max| self.in_flight >= max)
    }

    pub fn begin(&mut self, standing: Standing) -> Attempt {
        let attempt = Attempt { pass: self.breaker.begin(standing), met: self.in_flight, sampled: false };
        self.in_flight = self.in_flight.saturating_add(1);
        self.requests += 1;
        attempt
    }

    /// Enters a first token as it comes, so that a slow member is known before its long answers end.
    pub fn first_token(&mut self, attempt: &mut Attempt, first_token_ms: f64, now: Moment) {
        if !attempt.sampled && is_time(first_token_ms) {
            attempt.sampled = true;
            if self.breaker.prove(attempt.pass) {
                self.load.forget();
            }
            self.load.sample(first_token_ms, attempt.met, now);
            self.first_tokens.add(first_token_ms, now);
        }
    }

    /// Enters the end of an attempt. `worth` is the tier's ruler for whole answers (see `load`).
    pub fn settle(&mut self, attempt: Attempt, outcome: Outcome, worth: f64, now: Moment, random: u64) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(verdict) = verdict(outcome) {
            self.failures += u64::from(verdict != Verdict::Good);
            if self.breaker.settle(attempt.pass, verdict, now, random) {
                self.load.forget();
            }
        } else {
            self.breaker.release(attempt.pass);
        }
        match outcome {
            Outcome::Success(timing) => self.learn(attempt, &timing, worth, now),
            Outcome::Failed { .. } | Outcome::Limited { .. } => self.load.penalise(attempt.met, now),
            Outcome::Cancelled { waited_ms: Some(waited_ms) } if !attempt.sampled && is_time(waited_ms) => {
                self.load.at_least(waited_ms, attempt.met, now);
                self.first_tokens.add(waited_ms, now);
            }
            Outcome::Refused | Outcome::ClientFault | Outcome::Cancelled { .. } => {}
        }
    }

    /// An attempt that nobody ended: its slot is free again, and nothing is learnt.
    pub fn abandon(&mut self, attempt: Attempt) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.breaker.release(attempt.pass);
    }

    pub fn cool_down(&mut self, wait: Duration, now: Moment) {
        self.breaker.cool_down(wait, now);
    }

    pub fn recover(&mut self) {
        if self.breaker.recover() {
            self.load.forget();
        }
    }

    pub fn state(&mut self, now: Moment) -> MemberState {
        MemberState {
            name: self.name.clone(),
            domain: self.domain.clone(),
            breaker: self.breaker.state(),
            cooldown_left: self.breaker.cooldown_left(now),
            in_flight: self.in_flight,
            latency_ms: self.load.latency_ms(),
            success_ratio: self.breaker.success_ratio(now),
            requests: self.requests,
            failures: self.failures,
            retries_denied: self.budget.denied(),
        }
    }

    fn learn(&mut self, attempt: Attempt, timing: &Timing, worth: f64, now: Moment) {
        self.load.learn_worth(timing);
        if attempt.sampled {
            return;
        }
        self.load.sample(timing.first_token_equivalent_ms(worth), attempt.met, now);
        if let Some(first_token_ms) = timing.first_token_ms.filter(|ms| is_time(*ms)) {
            self.first_tokens.add(first_token_ms, now);
        }
    }
}

fn verdict(outcome: Outcome) -> Option<Verdict> {
    match outcome {
        Outcome::Success(_) | Outcome::ClientFault => Some(Verdict::Good),
        Outcome::Failed { retry_after } => Some(Verdict::Failed { retry_after }),
        Outcome::Limited { retry_after } => Some(Verdict::Limited { retry_after }),
        Outcome::Refused => Some(Verdict::Refused),
        Outcome::Cancelled { .. } => None,
    }
}

fn is_time(ms: f64) -> bool {
    ms.is_finite() && ms >= 0.0
}
