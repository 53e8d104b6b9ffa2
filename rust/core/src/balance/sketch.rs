//! A distribution in 600 bytes: counts in buckets whose bounds grow by a tenth.
//!
//! Sketches of the same kind add up bucket by bucket, which estimators such as P2 do not: the quantile of a
//! tier is that of its members' sum, and a member keeps its own when tiers are rebuilt. A quantile is at most
//! a tenth too high (the idea of DDSketch; Masson, Rim, Lee, VLDB 2019).

#[cfg(test)]
mod tests;

const BUCKETS: usize = 144;
const GROWTH: f64 = 1.1;

/// Counts of values between 1 and about 800,000; what lies outside counts in the nearest bucket.
#[derive(Clone, Debug)]
pub struct Sketch {
    counts: [u32; BUCKETS],
    total: u32,
}

impl Default for Sketch {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], total: 0 }
    }
}

impl Sketch {
    pub fn add(&mut self, value: f64) {
        if let Some(count) = self.counts.get_mut(bucket(value)) {
            *count = count.saturating_add(1);
            self.total = self.total.saturating_add(1);
        }
    }

    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts.iter()) {
            *mine = mine.saturating_add(*theirs);
        }
        self.total = self.total.saturating_add(other.total);
    }

    /// Makes room for the new: each old value counts half as much.
    pub fn halve(&mut self) {
        self.counts.iter_mut().for_each(|count| *count /= 2);
        self.total = self.counts.iter().sum();
    }

    pub fn total(&self) -> u32 {
        self.total
    }

    /// The upper bound of the bucket in which the quantile lies; `None` without values.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        let rank = (f64::from(self.total) * quantile).ceil().max(1.0);
        let mut seen = 0.0;
        let found = self.counts.iter().position(|count| {
            seen += f64::from(*count);
            seen >= rank
        });
        found.map(|index| GROWTH.powi(index as i32))
    }

    /// The share of the values that lie above `value`'s bucket.
    pub fn share_above(&self, value: f64) -> f64 {
        if self.total == 0 {
            return 0.0;
        }
        let above: u32 = self.counts.iter().skip(bucket(value) + 1).sum();
        f64::from(above) / f64::from(self.total)
    }
}

/// Bucket `i` holds what is above `1.1^(i-1)` and at most `1.1^i`.
fn bucket(value: f64) -> usize {
    let index = (value.max(1.0).ln() / GROWTH.ln() - 1e-9).ceil();
    (index.max(0.0) as usize).min(BUCKETS - 1)
}
