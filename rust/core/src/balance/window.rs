//! Exact counts over the recent past.

use std::time::Duration;

use super::moment::Moment;

#[cfg(test)]
mod tests;

const BUCKETS: u64 = 10;

/// How many events the last `span` saw, kept in ten buckets: old ones leave a tenth of the span at a time.
///
/// Counts and not a moving average, because an average hides a burst: five failures in a row and five in a
/// minute are one number to it.
#[derive(Clone, Debug)]
pub struct Window {
    bucket_nanos: u64,
    newest: u64,
    counts: [u32; BUCKETS as usize],
    sum: u32,
}

impl Window {
    pub fn new(span: Duration) -> Self {
        let bucket_nanos = (u64::try_from(span.as_nanos()).unwrap_or(u64::MAX) / BUCKETS).max(1);
        Self { bucket_nanos, newest: 0, counts: [0; BUCKETS as usize], sum: 0 }
    }

    pub fn add(&mut self, now: Moment) {
        self.roll(now);
        if let Some(count) = self.counts.get_mut((self.newest % BUCKETS) as usize) {
            *count = count.saturating_add(1);
            self.sum = self.sum.saturating_add(1);
        }
    }

    pub fn sum(&mut self, now: Moment) -> u32 {
        self.roll(now);
        self.sum
    }

    pub fn clear(&mut self) {
        self.counts = [0; BUCKETS as usize];
        self.sum = 0;
    }

    fn roll(&mut self, now: Moment) {
        let bucket = now.as_nanos() / self.bucket_nanos;
        let passed = bucket.saturating_sub(self.newest);
        for step in 1..=passed.min(BUCKETS) {
            if let Some(count) = self.counts.get_mut(((self.newest + step) % BUCKETS) as usize) {
                self.sum = self.sum.saturating_sub(*count);
                *count = 0;
            }
        }
        self.newest = self.newest.max(bucket);
    }
}
