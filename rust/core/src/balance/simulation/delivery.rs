//! Chains of requests through the real balancer, with retries, while deployments fail.
//!
//! A request goes to the tier, then to members that it has not tried, and when all are tried around once more
//! after a backoff: the attempts A, B, C, A, B spread as A, A, B, B, C do and fail as rarely, with fewer of
//! them spent on a place that has just failed. Each attempt after the first needs a grant from the retry
//! budget.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::Dice;
use crate::balance::{Ask, Balancer, Moment, Outcome, Reason, Seat, Strategy, Ticket, Tier, Timing, backoff};

const LATENCY_MS: f64 = 400.0;
const SIGMA: f64 = 0.4;
const FAILURE_MS: f64 = 60.0;

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub deployments: usize,
    pub chains: u32,
    /// Requests of a chain, one after the other; the chain fails with the first that is not delivered.
    pub steps: u32,
    /// Chains begun a second.
    pub rate: f64,
    /// The most attempts a request.
    pub attempts: u32,
    pub strategy: Strategy,
}

/// How likely an attempt at `member` fails; `again` when one of the same request has failed there before.
pub type Faults<'a> = &'a dyn Fn(Try) -> f64;

/// What a fault may depend on.
#[derive(Clone, Copy, Debug)]
pub struct Try {
    pub member: usize,
    pub at_s: f64,
    pub again: bool,
}

/// One attempt, as it went.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub sent_s: f64,
    pub ended_s: f64,
    pub member: usize,
    pub reason: Reason,
    /// 1 for a request's first.
    pub attempt: u32,
    pub failed: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Delivered {
    pub chains_whole: u32,
    pub chains_broken: u32,
    pub requests: u64,
    pub requests_failed: u64,
    pub retries_denied: u64,
    pub calls: Vec<Call>,
}

impl Delivered {
    /// Calls beyond one a request, as a share of the requests.
    pub fn extra_share(&self) -> f64 {
        self.calls.len() as f64 / self.requests as f64 - 1.0
    }

    pub fn whole_share(&self) -> f64 {
        f64::from(self.chains_whole) / f64::from(self.chains_whole + self.chains_broken)
    }

    /// The share of the calls sent between two moments that went to `member`.
    pub fn share_of(&self, member: usize, from_s: f64, to_s: f64) -> f64 {
        let within = || self.calls.iter().filter(move |call| (from_s..to_s).contains(&call.sent_s));
        within().filter(|call| call.member == member).count() as f64 / within().count() as f64
    }

    /// How many calls were sent to `member`, probes apart, between the end of the first that failed after
    /// `from_s` and `to_s`: what it went on receiving when its failing could be known.
    pub fn sent_after_first_failure(&self, member: usize, from_s: f64, to_s: f64) -> usize {
        let here = || self.calls.iter().filter(move |call| call.member == member);
        let failures = here().filter(|call| call.failed && call.sent_s >= from_s).map(|call| call.ended_s);
        let known_s = failures.fold(f64::INFINITY, f64::min);
        let wasted = here().filter(|call| call.reason != Reason::Probe);
        wasted.filter(|call| call.sent_s >= known_s && call.sent_s < to_s).count()
    }
}

/// Sends the load, and returns when all of it has ended.
pub fn deliver(load: &Load, faults: Faults<'_>, seed: u64) -> Delivered {
    let balancer = Balancer::default();
    let register = |index: usize| balancer.register(&format!("deployment-{index}"), "", None);
    let seats = (0..load.deployments).map(register);
    let seats = seats.map(|member| Seat { member, weight: 1.0, price: None }).collect();
    let Ok(tier) = balancer.tier(seats, load.strategy) else { return Delivered::default() };
    let mut run = Run {
        load,
        faults,
        balancer,
        tier,
        dice: Dice::new(seed),
        events: BinaryHeap::new(),
        requests: HashMap::new(),
        delivered: Delivered::default(),
    };
    let mut starts_s = 0.0;
    for chain in 0..load.chains {
        starts_s += run.dice.exponential() / load.rate;
        run.request(chain, load.steps, starts_s);
    }
    while let Some(Reverse((at, chain))) = run.events.pop() {
        run.step(chain, at as f64 / 1e9);
    }
    run.delivered
}

struct Run<'a> {
    load: &'a Load,
    faults: Faults<'a>,
    balancer: Balancer,
    tier: Tier,
    dice: Dice,
    /// When something happens to a chain. Each has one event at a time.
    events: BinaryHeap<Reverse<(u64, u32)>>,
    requests: HashMap<u32, Request>,
    delivered: Delivered,
}

/// The request that a chain is at.
struct Request {
    steps_left: u32,
    attempts: u32,
    tried: Vec<usize>,
    /// Around once more, over members that were tried.
    again: bool,
    /// The attempt on its way, and how it will end.
    running: Option<(Ticket, f64, bool)>,
}

impl Run<'_> {
    fn request(&mut self, chain: u32, steps_left: u32, at_s: f64) {
        let request = Request { steps_left, attempts: 0, tried: Vec::new(), again: false, running: None };
        self.requests.insert(chain, request);
        self.schedule(chain, at_s);
    }

    fn schedule(&mut self, chain: u32, at_s: f64) {
        self.events.push(Reverse(((at_s * 1e9) as u64, chain)));
    }

    fn step(&mut self, chain: u32, now_s: f64) {
        let Some(mut request) = self.requests.remove(&chain) else { return };
        let Some((ticket, sent_s, failed)) = request.running.take() else {
            return self.attempt(chain, request, now_s);
        };
        let (member, reason, now) = (ticket.member(), ticket.reason(), moment(now_s));
        self.delivered.calls.push(Call {
            sent_s,
            ended_s: now_s,
            member,
            reason,
            attempt: request.attempts,
            failed,
        });
        if !failed {
            let total_ms = (now_s - sent_s) * 1e3;
            let timing = Timing { first_token_ms: None, total_ms, output_tokens: 0 };
            ticket.finish(Outcome::Success(timing), now, self.dice.bits());
            return self.succeed(chain, &request, now_s);
        }
        ticket.finish(Outcome::Failed { retry_after: None }, now, self.dice.bits());
        request.tried.push(member);
        let first = request.tried.first().copied().unwrap_or(member);
        if request.attempts >= self.load.attempts {
            self.fail();
        } else if self.balancer.may_retry(first, now) {
            self.attempt(chain, request, now_s);
        } else {
            self.delivered.retries_denied += 1;
            self.fail();
        }
    }

    fn attempt(&mut self, chain: u32, mut request: Request, now_s: f64) {
        if request.attempts == 0 {
            self.delivered.requests += 1;
        }
        let bits = self.dice.bits();
        let ask = Ask { tried: &request.tried, again: request.again, ..Ask::default() };
        let Some(ticket) = self.balancer.choose(&self.tier, &ask, moment(now_s), bits) else {
            if request.again || request.tried.is_empty() {
                return self.fail();
            }
            request.again = true;
            let wait = backoff(request.attempts.saturating_sub(1), self.dice.unit());
            self.requests.insert(chain, request);
            return self.schedule(chain, now_s + wait.as_secs_f64());
        };
        let again = request.tried.contains(&ticket.member());
        let chance = (self.faults)(Try { member: ticket.member(), at_s: now_s, again });
        let failed = self.dice.unit() < chance;
        let takes_ms = if failed { FAILURE_MS } else { LATENCY_MS * self.dice.log_normal(SIGMA) };
        request.attempts += 1;
        request.running = Some((ticket, now_s, failed));
        self.requests.insert(chain, request);
        self.schedule(chain, now_s + takes_ms / 1e3);
    }

    fn succeed(&mut self, chain: u32, request: &Request, now_s: f64) {
        if request.steps_left > 1 {
            self.request(chain, request.steps_left - 1, now_s);
        } else {
            self.delivered.chains_whole += 1;
        }
    }

    fn fail(&mut self) {
        self.delivered.requests_failed += 1;
        self.delivered.chains_broken += 1;
    }
}

fn moment(seconds: f64) -> Moment {
    Moment::from_nanos((seconds * 1e9) as u64)
}
