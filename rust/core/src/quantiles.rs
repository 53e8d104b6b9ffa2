//! How long things took, in a few bytes that add up: quantiles of what is stored.
//!
//! Counts of values in classes whose bounds grow by a tenth, as in `balance::sketch` (DDSketch; Masson, Rim, Lee, VLDB
//! 2019), but for keeping: a sum never forgets, and only classes that hold something are written down. A database can
//! tell a value's class with one expression, `ceil(ln(value * 10) / ln(1.1))`, so what it counts itself adds up with
//! what is stored.
//!
//! A value is told as the middle of its class: right to within 1/21, or 4.8 %, from 0.1 to 3.6e9 (six weeks, in
//! milliseconds). What lies outside counts in the nearest class.

#[cfg(test)]
mod tests;

use thiserror::Error;

/// A class is a byte; the last one begins at six weeks.
pub const CLASSES: usize = 256;
const GROWTH: f64 = 1.1;
/// The upper bound of class 0.
const LEAST: f64 = 0.1;

#[derive(Debug, Error, PartialEq, Eq)]
#[error("these bytes are no counts of classes")]
pub struct Malformed;

/// The counts from the lowest class that holds something to the highest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quantiles {
    first: u8,
    counts: Vec<u64>,
}

impl Quantiles {
    /// Reads what `encode` has written.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut found = Self::default();
        found.merge(bytes)?;
        Ok(found)
    }

    pub fn add(&mut self, value: f64) {
        self.add_class(class_of(value), 1);
    }

    /// Counts values of one class.
    pub fn add_class(&mut self, class: u8, times: u64) {
        if times == 0 {
            return;
        }
        if self.counts.is_empty() {
            self.first = class;
        } else if class < self.first {
            let missing = usize::from(self.first - class);
            self.counts.splice(0..0, std::iter::repeat_n(0, missing));
            self.first = class;
        }
        let place = usize::from(class - self.first);
        if place >= self.counts.len() {
            self.counts.resize(place + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(place) {
            *count = count.saturating_add(times);
        }
    }

    /// Adds what another has encoded; nothing of it when it is malformed.
    pub fn merge(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let mut rest = bytes;
        while let Some(entry) = entry(rest)? {
            rest = entry.after;
        }
        rest = bytes;
        while let Some(entry) = entry(rest)? {
            self.add_class(entry.class, entry.times);
            rest = entry.after;
        }
        Ok(())
    }

    /// Adds another.
    pub fn include(&mut self, other: &Self) {
        other.classes().for_each(|(class, times)| self.add_class(class, times));
    }

    /// A class and its count, seven bits a byte, for each class that holds something, in order.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(2 * self.counts.len());
        for (class, count) in self.classes() {
            bytes.push(class);
            let mut rest = count;
            while rest >= 0x80 {
                bytes.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            bytes.push(rest as u8);
        }
        bytes
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The value that `share` of all do not exceed; `None` without values.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let rank = (self.count() as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0_u64;
        let mut last = None;
        for (class, count) in self.classes() {
            seen = seen.saturating_add(count);
            last = Some(class);
            if seen >= rank {
                break;
            }
        }
        last.map(middle)
    }

    fn classes(&self) -> impl Iterator<Item = (u8, u64)> {
        (self.first..=u8::MAX).zip(self.counts.iter().copied()).filter(|(_, count)| *count > 0)
    }
}

/// Class `i` holds what is above `1.1^(i-1)` tenths and at most `1.1^i` tenths.
fn class_of(value: f64) -> u8 {
    if value.is_nan() || value <= LEAST {
        return 0;
    }
    let class = ((value * 10.0).ln() / GROWTH.ln()).ceil();
    class.clamp(0.0, (CLASSES - 1) as f64) as u8
}

/// What is as far from both bounds of its class, measured by the bound.
fn middle(class: u8) -> f64 {
    if class == 0 { LEAST } else { LEAST * GROWTH.powi(i32::from(class)) * 2.0 / (GROWTH + 1.0) }
}

/// What is encoded of one class, and the bytes that come after it.
struct Entry<'a> {
    class: u8,
    times: u64,
    after: &'a [u8],
}

/// The first of what is encoded; `None` at the end.
fn entry(bytes: &[u8]) -> Result<Option<Entry<'_>>, Malformed> {
    let Some((&class, bytes)) = bytes.split_first() else { return Ok(None) };
    let mut times = 0_u64;
    for (place, byte) in bytes.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7f);
        if place == 9 && bits > 1 {
            break;
        }
        times |= bits << (7 * place);
        if byte & 0x80 == 0 {
            let after = bytes.get(place + 1..).ok_or(Malformed)?;
            return Ok(Some(Entry { class, times, after }));
        }
    }
    Err(Malformed)
}
