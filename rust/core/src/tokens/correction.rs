//! Learns how far a count made with the nearest vocabulary is off, from what a provider reports.
//!
//! The correction is the ratio of two sums, tokens reported and tokens counted, so that long requests, where the
//! vocabulary matters more than the provider's fixed additions, weigh more. Old sums fade, so that it follows a model
//! that changes under its name; a report far from what is expected is drawn in, so that one wrong report cannot turn it.

/// Sums are halved when this many counted tokens are in them.
const MEMORY_TOKENS: f64 = 1_000_000.0;
/// Before so many tokens were counted the ratio is drawn towards one.
const PRIOR_TOKENS: f64 = 100.0;
/// Bounds of a single report's ratio once something is known, relative to the correction so far.
const OUTLIER: f64 = 2.0;
/// Bounds of the correction itself.
const BOUND: f64 = 4.0;

/// The running ratio of one model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Correction {
    counted: f64,
    reported: f64,
    reports: u32,
}

impl Default for Correction {
    fn default() -> Self {
        Correction { counted: PRIOR_TOKENS, reported: PRIOR_TOKENS, reports: 0 }
    }
}

impl Correction {
    /// Takes in that `counted` tokens, uncorrected, were `reported` by the provider.
    pub fn learn(&mut self, counted: usize, reported: usize) {
        if counted == 0 || reported == 0 {
            return;
        }
        let counted = counted as f64;
        let ratio = (reported as f64 / counted).clamp(1.0 / BOUND, BOUND);
        let so_far = self.ratio();
        let known = self.reports >= 4;
        let ratio = if known { ratio.clamp(so_far / OUTLIER, so_far * OUTLIER) } else { ratio };
        self.counted += counted;
        self.reported += counted * ratio;
        self.reports = self.reports.saturating_add(1);
        while self.counted > MEMORY_TOKENS {
            self.counted /= 2.0;
            self.reported /= 2.0;
        }
    }

    /// What a count is multiplied by.
    pub fn ratio(&self) -> f64 {
        (self.reported / self.counted).clamp(1.0 / BOUND, BOUND)
    }

    /// A count, corrected.
    pub fn apply(&self, counted: usize) -> usize {
        ((counted as f64 * self.ratio()).round() as usize).max(usize::from(counted > 0))
    }
}

#[cfg(test)]
mod tests;
