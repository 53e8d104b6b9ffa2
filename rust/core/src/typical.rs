//! How many tokens answers typically come to, deployment by deployment.
//!
//! ```text
//! mean += (tokens - mean) / 20
//! ```
//!
//! A mean that forgets: the last fourteen answers are half of it. It is what a request is expected to cost that does not
//! say how long its answer may be; before the first answer a guess stands for it.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

const FIRST_TOKENS: f64 = 256.0;
const WEIGHT: f64 = 0.05;
/// Whoever names deployments bounds their names; what is remembered of them is bounded anyway.
pub const MAX_NAMES: usize = 16_384;

#[derive(Clone, Debug, Default)]
pub struct Typical {
    means: HashMap<String, f64>,
}

impl Typical {
    /// Output tokens to expect of a deployment, a half rounded to the even number.
    #[must_use]
    pub fn output(&self, name: &str) -> u64 {
        self.means.get(name).copied().unwrap_or(FIRST_TOKENS).round_ties_even() as u64
    }

    /// An answer of a deployment had that many output tokens. A name too many has all forgotten.
    pub fn learn(&mut self, name: &str, tokens: u64) {
        let after = |mean: f64| mean + WEIGHT * (tokens as f64 - mean);
        if let Some(mean) = self.means.get_mut(name) {
            *mean = after(*mean);
            return;
        }
        if self.means.len() >= MAX_NAMES {
            self.means.clear();
        }
        self.means.insert(name.to_owned(), after(FIRST_TOKENS));
    }
}
