//! What a run saw: counts, latencies, failures by name.

use crate::client::{Exchange, Failure};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[cfg(test)]
mod tests;

/// Times in nanoseconds, all kept: runs are bounded, and exact percentiles need no argument about buckets.
#[derive(Clone, Debug, Default)]
pub struct Spread(Vec<u64>);

impl Spread {
    pub fn record(&mut self, time_ns: u64) {
        self.0.push(time_ns);
    }

    /// Percentiles, mean and extremes in microseconds; null when nothing was recorded.
    #[must_use]
    pub fn report(mut self) -> Value {
        self.0.sort_unstable();
        let at = |share: f64| {
            let rank = (share * self.0.len() as f64).ceil() as usize;
            self.0.get(rank.max(1) - 1).map(|&time_ns| time_ns as f64 / 1e3)
        };
        let (Some(least), Some(most)) = (at(0.0), at(1.0)) else { return Value::Null };
        let mean = self.0.iter().sum::<u64>() as f64 / self.0.len() as f64 / 1e3;
        json!({"count": self.0.len(), "mean": mean, "min": least, "p50": at(0.5), "p90": at(0.9), "p99": at(0.99),
               "p999": at(0.999), "max": most})
    }
}

/// One run, or one side of a comparison.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    answers: u64,
    latency: Spread,
    first_byte: Spread,
    delay: Spread,
    failures: BTreeMap<String, u64>,
}

impl Tally {
    pub fn add(&mut self, outcome: Result<Exchange, Failure>) {
        match outcome {
            Ok(exchange) => {
                self.answers += 1;
                self.latency.record(exchange.total_ns);
                self.first_byte.record(exchange.first_byte_ns);
            }
            Err(failure) => *self.failures.entry(failure.to_string()).or_default() += 1,
        }
    }

    /// A timed event took this long from the mock to us.
    pub fn delay(&mut self, time_ns: u64) {
        self.delay.record(time_ns);
    }

    /// Right answers and wrong ones.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.answers + self.failures.values().sum::<u64>()
    }

    #[must_use]
    pub fn report(self, seconds: f64) -> Value {
        json!({
            "requests": self.requests(), "answers": self.answers, "failures": self.failures, "seconds": seconds,
            "rate": self.answers as f64 / seconds, "latency_us": self.latency.report(),
            "first_byte_us": self.first_byte.report(), "chunk_delay_us": self.delay.report(),
        })
    }
}
