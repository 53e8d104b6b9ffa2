//! How long a deployment would keep the next request waiting.
//!
//! ```text
//! load = latency x exp(-min(silence / decay, passed_over / 200)) x (in_flight + 4) / (met_in_flight + 4) / weight
//! ```
//!
//! This is Peak EWMA x requests in flight (Finagle; Eriksen, "Your server as a function", 2013; also linkerd
//! and tower) with three departures. Each was measured in `simulation`, whose table shows the textbook form
//! beside this one.
//!
//! *The peak is softened.* In the textbook the mean jumps to any sample above it and forgets at the pace of
//! the clock only. Latencies of models are heavy-tailed: at ten requests in a decay the textbook's mean is
//! the worst of ten, and the best deployment is left each time it draws a bad answer. Here a sample weighs at
//! least 0.1 (0.2 when it is above the mean: bad news still travels twice as fast) and at most 0.5, whatever
//! the time since the last one, so that a rarely used deployment is not judged by one answer and a busy one
//! is judged by its last ten.
//!
//! *Requests in flight are compared with those in flight when the latency was measured.* The textbook
//! multiplies by `in_flight + 1`, which is right for a server that works on one request at a time. A provider
//! works on thousands: fifty in flight then make the quickest look fifty times as slow, and traffic spreads
//! as `1 / latency^2` over all, with a mean wait 80 % above the best (`simulation`, 200 requests a second).
//! What a sample took includes the queue that it met; only the difference from that queue is news. A
//! deployment that stalls still shows within a few requests, since its count rises before any answer comes.
//! The four keeps one request more or less from mattering.
//!
//! *Silence is forgiven at the pace of the clock or of the traffic, whichever is slower.* The textbook decays
//! by time alone: at one request a minute all have decayed to nothing, and least latency has become round
//! robin. Counting the choices that passed a deployment over keeps exploration to two or three requests in a
//! hundred at any rate, the fewer the slower a deployment was.
//!
//! # One scale for streams and whole answers
//!
//! A stream's latency is its time to the first token. A whole answer shows only its total, most of which is
//! length: taken as it is, one long answer would condemn the deployment that gave it. It is brought to the
//! same scale by
//!
//! ```text
//! first_token_equivalent = total x k / (k + output_tokens)
//! ```
//!
//! where `k` says how many tokens' time a first token takes: the wait if the answer's time had been spread as
//! streams' time is. For a deployment with first token `f` and `t` a token this is `f` for a short answer and
//! tends to `k x t` for a long one, so it stays between two honest measures of its speed at every length. `k`
//! is learnt from streams (`first_token / ((total - first_token) / (tokens - 1))`, averaged as logarithms),
//! and one ruler measures all members of a tier: with each on its own, one that generates slowly would excuse
//! its slowness by it.

use std::time::Duration;

use super::moment::Moment;

#[cfg(test)]
mod tests;

/// What a deployment with no sample is taken for once it has been sent a request: slow, so that one is not
/// followed by a hundred more before anything is known of it.
pub const UNKNOWN_MS: f64 = 1000.0;
/// A first token's time in tokens, until a stream has shown it.
pub const TYPICAL_WORTH: f64 = 25.0;

const LEAST_WEIGHT: f64 = 0.1;
const LEAST_WEIGHT_UP: f64 = 0.2;
const MOST_WEIGHT: f64 = 0.5;
const PASSED_OVER_SCALE: f64 = 200.0;
const IN_FLIGHT_SLACK: f64 = 4.0;
const CEILING_MS: f64 = 600_000.0;
const WORTH_WEIGHT: f64 = 0.05;
const WORTH_RANGE: (f64, f64) = (1.0, 1000.0);
const WORTH_MIN_TOKENS: u32 = 16;

/// A deployment's measured latency, and what it takes to turn it into a load.
#[derive(Clone, Debug)]
pub struct Load {
    decay_s: f64,
    mean: Option<Mean>,
    /// Not chosen since nothing has been known of it.
    untried: bool,
    passed_over: u32,
    log_worth: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
struct Mean {
    latency_ms: f64,
    met_in_flight: f64,
    sampled_at: Moment,
}

/// One answer's times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// Of a stream; `None` when the answer came whole.
    pub first_token_ms: Option<f64>,
    pub total_ms: f64,
    /// Zero where tokens are not what takes the time, or none were counted.
    pub output_tokens: u32,
}

impl Timing {
    /// The latency on the common scale; see the module's text.
    pub fn first_token_equivalent_ms(&self, worth: f64) -> f64 {
        match self.first_token_ms {
            Some(ms) => ms,
            None => self.total_ms * worth / (worth + f64::from(self.output_tokens)),
        }
    }

    fn worth(&self) -> Option<f64> {
        let first_ms = self.first_token_ms?;
        if self.output_tokens < WORTH_MIN_TOKENS {
            return None;
        }
        let token_ms = (self.total_ms - first_ms) / f64::from(self.output_tokens - 1);
        let worth = first_ms / token_ms;
        (token_ms > 0.0 && worth > 0.0).then(|| worth.clamp(WORTH_RANGE.0, WORTH_RANGE.1))
    }
}

impl Load {
    pub fn new(decay: Duration) -> Self {
        Self {
            decay_s: decay.as_secs_f64().max(1e-3),
            mean: None,
            untried: true,
            passed_over: 0,
            log_worth: None,
        }
    }

    /// The load that a request arriving now would meet.
    ///
    /// Zero for what is untried, so that it comes before anything that is known, but once: one whose requests
    /// all end without a measure (rejected, cancelled) must not be asked first for ever.
    pub fn at(&self, now: Moment, in_flight: u32) -> f64 {
        if self.untried {
            return 0.0;
        }
        let overlooked = f64::from(self.passed_over) / PASSED_OVER_SCALE;
        let (latency_ms, met, forgiven) = match self.mean {
            Some(mean) => {
                let silence = now.since(mean.sampled_at).as_secs_f64() / self.decay_s;
                (mean.latency_ms, mean.met_in_flight, silence.min(overlooked))
            }
            None => (UNKNOWN_MS, 0.0, overlooked),
        };
        latency_ms * (-forgiven).exp() * (f64::from(in_flight) + IN_FLIGHT_SLACK) / (met + IN_FLIGHT_SLACK)
    }

    /// Enters a latency; `met` is how many requests were in flight when its own was sent.
    pub fn sample(&mut self, latency_ms: f64, met: u32, now: Moment) {
        if !(latency_ms.is_finite() && latency_ms >= 0.0) {
            return;
        }
        self.untried = false;
        let (latency_ms, met) = (latency_ms.min(CEILING_MS), f64::from(met));
        let Some(mean) = &mut self.mean else {
            self.mean = Some(Mean { latency_ms, met_in_flight: met, sampled_at: now });
            return;
        };
        let elapsed_s = now.since(mean.sampled_at).as_secs_f64();
        let least = if latency_ms > mean.latency_ms { LEAST_WEIGHT_UP } else { LEAST_WEIGHT };
        let weight = (1.0 - (-elapsed_s / self.decay_s).exp()).clamp(least, MOST_WEIGHT);
        mean.latency_ms += weight * (latency_ms - mean.latency_ms);
        mean.met_in_flight += weight * (met - mean.met_in_flight);
        mean.sampled_at = now;
    }

    /// Enters the least that a latency would have been: a wait that ended without an answer. It can only
    /// worsen the mean.
    pub fn at_least(&mut self, waited_ms: f64, met: u32, now: Moment) {
        if self.latency_ms().is_none_or(|mean| waited_ms > mean) {
            self.sample(waited_ms, met, now);
        }
    }

    /// Enters a failure as twice the mean: the time it took, and as much again for asking elsewhere.
    pub fn penalise(&mut self, met: u32, now: Moment) {
        self.sample(2.0 * self.latency_ms().unwrap_or(UNKNOWN_MS), met, now);
    }

    /// Forgets the latency: what was measured before an outage says nothing about after it.
    pub fn forget(&mut self) {
        self.mean = None;
        self.untried = true;
    }

    /// Learns from a stream how many tokens' time its first token took.
    pub fn learn_worth(&mut self, timing: &Timing) {
        if let Some(worth) = timing.worth() {
            let sample = worth.ln();
            let mean = self.log_worth.get_or_insert(sample);
            *mean += WORTH_WEIGHT * (sample - *mean);
        }
    }

    pub fn log_worth(&self) -> Option<f64> {
        self.log_worth
    }

    pub fn pass_over(&mut self) {
        self.passed_over = self.passed_over.saturating_add(1);
    }

    pub fn choose(&mut self) {
        self.untried = false;
        self.passed_over = 0;
    }

    pub fn latency_ms(&self) -> Option<f64> {
        self.mean.map(|mean| mean.latency_ms)
    }
}

/// The ruler of a tier: the geometric mean of what its members have learnt, or the typical worth.
pub fn common_worth(log_worths: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = log_worths.fold((0.0, 0.0), |(sum, count), log| (sum + log, count + 1.0));
    if count > 0.0 { f64::exp(sum / count) } else { TYPICAL_WORTH }
}
