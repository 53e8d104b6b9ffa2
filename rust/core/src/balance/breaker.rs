//! When to stop sending to a deployment, and how to start again.
//!
//! ```text
//!            5 hard failures in a row, or under half good of 20 in 30 s
//!   closed ------------------------------------------------------------> open
//!     ^      Retry-After; a refused credential                            |
//!     | success: in flight limited to 1, then 4, 16, no limit             | cooldown over and a request comes
//!     +---------------------------- half open (one probe) <---------------+
//!                                     failure: open, for twice as long
//! ```
//!
//! Two rules trip it because each is blind to the other's case: a row of failures is quick but any lucky
//! success breaks it; a ratio sees every second request fail but needs twenty to say so. Both are exact
//! counts over windows (as in linkerd), not averages, which smooth away a burst. A 429 counts for the ratio
//! only: it is no sign of being broken; but the answer to a probe it fails, for a deployment that limits one
//! request cannot be given all of them.
//!
//! The probe is a real request, so no call is paid for that nobody asked for. Nothing else is sent until it
//! has ended, and one that was cancelled leaves its place to the next. Which of several processes may send it
//! is for them to settle; those that may not cool down on, until they are told how it went.
//!
//! A member whose tier has no better one may be chosen while open (a *last resort*). Its success closes the
//! breaker. Its failure only moves it to the end of the line: doubling the cooldown at the rate of the
//! traffic would reach the cap in a second, and going to the end of the line spreads last resorts over all
//! members.

use std::time::Duration;

use super::chance;
use super::moment::Moment;
use super::retry_after::CAP as RETRY_AFTER_CAP;
use super::window::Window;

#[cfg(test)]
mod tests;

const SPAN: Duration = Duration::from_secs(30);
const CONSECUTIVE: u32 = 5;
const RATIO_FLOOR: u32 = 20;
const BASE_S: f64 = 5.0;
const CAP_S: f64 = 300.0;
const JITTER: f64 = 0.25;
const REFUSED_BASE_S: f64 = 300.0;
const REFUSED_CAP_S: f64 = 3600.0;
const RAMP_FIRST: u32 = 1;
const RAMP_FACTOR: u32 = 4;
const RAMP_LAST: u32 = 16;

/// What an operator sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Closed,
    Open,
    HalfOpen,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// What a request may expect; the order is the order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    Ready,
    /// The cooldown is over: the next request is the probe.
    Due,
    /// Recovering, and as many requests in flight as it may have yet.
    Ramping,
    /// Cooling down, or its probe is out.
    Open,
}

/// How an attempt was let through; what its end means depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    role: Role,
    epoch: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Normal,
    Probe,
    LastResort,
}

/// How an attempt ended, as far as health goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Good,
    Failed {
        retry_after: Option<Duration>,
    },
    Limited {
        retry_after: Option<Duration>,
    },
    /// The credential was refused.
    Refused,
}

/// The breaker of one deployment and credential.
#[derive(Clone, Debug)]
pub struct Breaker {
    state: State,
    /// When the cooldown ends; of use while not closed.
    until: Moment,
    /// Changes with the state, so that an attempt begun before is known by it.
    epoch: u32,
    trips: u32,
    consecutive: u32,
    answered: Window,
    failed: Window,
    /// The most in flight while recovering.
    ramp: Option<u32>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            state: State::Closed,
            until: Moment::default(),
            epoch: 0,
            trips: 0,
            consecutive: 0,
            answered: Window::new(SPAN),
            failed: Window::new(SPAN),
            ramp: None,
        }
    }
}

impl Breaker {
    pub fn standing(&self, in_flight: u32, now: Moment) -> Standing {
        match self.state {
            State::Closed if self.ramp.is_some_and(|limit| in_flight >= limit) => Standing::Ramping,
            State::Closed => Standing::Ready,
            State::Open if now >= self.until => Standing::Due,
            State::Open | State::HalfOpen => Standing::Open,
        }
    }

    /// Lets an attempt through that was chosen in this standing.
    pub fn begin(&mut self, standing: Standing) -> Pass {
        let role = match standing {
            Standing::Ready | Standing::Ramping => Role::Normal,
            Standing::Due => {
                self.enter(State::HalfOpen);
                Role::Probe
            }
            Standing::Open => Role::LastResort,
        };
        Pass { role, epoch: self.epoch }
    }

    /// Enters the end of an attempt. True when that closed the breaker.
    pub fn settle(&mut self, pass: Pass, verdict: Verdict, now: Moment, random: u64) -> bool {
        self.answered.add(now);
        match verdict {
            Verdict::Good => {
                self.consecutive = 0;
                let proven = self.prove(pass);
                if !proven {
                    self.climb();
                }
                return proven;
            }
            Verdict::Failed { retry_after } => {
                self.failed.add(now);
                if pass.epoch == self.epoch {
                    self.consecutive = self.consecutive.saturating_add(1);
                }
                self.punish(pass, retry_after, now, random);
            }
            Verdict::Limited { retry_after } => {
                self.failed.add(now);
                self.punish(pass, retry_after, now, random);
            }
            Verdict::Refused => {
                self.failed.add(now);
                self.open_for(cooldown(REFUSED_BASE_S, REFUSED_CAP_S, self.trips, random), now);
                self.trips = self.trips.saturating_add(1);
            }
        }
        false
    }

    /// A first token of this attempt came: enough to close the breaker, long before the answer's end. True
    /// when it did.
    pub fn prove(&mut self, pass: Pass) -> bool {
        let proven = pass.role != Role::Normal && pass.epoch == self.epoch;
        if proven {
            self.close();
        }
        proven
    }

    /// Closes by what the probe of another process has found. False: it was closed.
    pub fn recover(&mut self) -> bool {
        let was_closed = self.state == State::Closed;
        if !was_closed {
            self.close();
        }
        !was_closed
    }

    /// The attempt ended without saying anything about health. A probe leaves its place to the next request.
    pub fn release(&mut self, pass: Pass) {
        if pass.role == Role::Probe && pass.epoch == self.epoch {
            self.enter(State::Open);
        }
    }

    pub fn state(&self) -> State {
        self.state
    }

    /// Opens for so long at least, by what others have found; not while a probe finds out.
    pub fn cool_down(&mut self, wait: Duration, now: Moment) {
        if self.state != State::HalfOpen {
            self.open_for(wait.min(RETRY_AFTER_CAP), now);
        }
    }

    pub fn until(&self) -> Moment {
        self.until
    }

    pub fn cooldown_left(&self, now: Moment) -> Duration {
        if self.state == State::Closed { Duration::ZERO } else { self.until.since(now) }
    }

    /// The share of good ends among those of the last 30 s.
    pub fn success_ratio(&mut self, now: Moment) -> Option<f64> {
        let answered = f64::from(self.answered.sum(now));
        (answered > 0.0).then(|| 1.0 - f64::from(self.failed.sum(now)) / answered)
    }

    fn punish(&mut self, pass: Pass, retry_after: Option<Duration>, now: Moment, random: u64) {
        let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_CAP);
        let current = pass.epoch == self.epoch;
        let probe_failed = self.state == State::HalfOpen && pass.role == Role::Probe;
        let worn_out = self.state == State::Closed && self.should_trip(now);
        match self.state {
            State::Closed | State::HalfOpen if current && (probe_failed || worn_out) => {
                self.trip(asked, now, random);
            }
            State::Open if current && pass.role == Role::LastResort => {
                let wait = cooldown(BASE_S, CAP_S, self.trips.saturating_sub(1), random).max(asked);
                self.until = self.until.max(now.after(wait));
            }
            State::Closed | State::Open if asked > Duration::ZERO => self.open_for(asked, now),
            State::Closed | State::Open | State::HalfOpen => {}
        }
    }

    fn should_trip(&mut self, now: Moment) -> bool {
        let (answered, failed) = (self.answered.sum(now), self.failed.sum(now));
        let relapsed = self.ramp.is_some() && self.consecutive > 0;
        relapsed || self.consecutive >= CONSECUTIVE || (answered >= RATIO_FLOOR && failed * 2 > answered)
    }

    fn trip(&mut self, asked: Duration, now: Moment, random: u64) {
        self.open_for(cooldown(BASE_S, CAP_S, self.trips, random).max(asked), now);
        self.trips = self.trips.saturating_add(1);
    }

    fn open_for(&mut self, wait: Duration, now: Moment) {
        let until = now.after(wait);
        if self.state == State::Open {
            self.until = self.until.max(until);
        } else {
            self.until = until;
            self.enter(State::Open);
        }
        self.ramp = None;
    }

    fn close(&mut self) {
        self.enter(State::Closed);
        self.ramp = Some(RAMP_FIRST);
        self.consecutive = 0;
        self.answered.clear();
        self.failed.clear();
    }

    fn climb(&mut self) {
        match self.ramp {
            Some(limit) if limit >= RAMP_LAST => {
                self.ramp = None;
                self.trips = 0;
            }
            Some(limit) => self.ramp = Some(limit * RAMP_FACTOR),
            None => {}
        }
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.epoch = self.epoch.wrapping_add(1);
    }
}

/// `base x 2^trips`, up to a quarter more by chance, and no more than the cap.
fn cooldown(base_s: f64, cap_s: f64, trips: u32, random: u64) -> Duration {
    let jitter = 1.0 + JITTER * chance::unit(random);
    Duration::from_secs_f64((base_s * 2.0_f64.powi(trips.min(16) as i32) * jitter).min(cap_s))
}
