//! What rows of usage come to: the figures that reports tell and rollups keep.
//!
//! Rows that count in the same cells (of one minute, under the same names) are added up once, and their sum is then
//! added to each of those cells: a batch of a busy gateway has hundreds of rows and a few such groups.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use crate::quantiles::Quantiles;

/// How many figures there are, in the order of `python/dragoman/usage/sums.py`.
pub const COUNTED: usize = 19;
/// Kinds of tokens, in the same order.
pub const KINDS: usize = 11;
/// How many names a row counts under.
pub const NAMES: usize = 11;
/// A million dollars, in one request: one absurd figure of a provider must not overflow a sum.
pub const LARGEST_ADDED: i64 = 1_000_000_000_000_000;
const LARGEST_SUM: i128 = i64::MAX as i128;
const MINUTE_MS: i64 = 60_000;

/// What is counted of one request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Row {
    pub is_error: bool,
    /// Those of the whole prompt first, those of the whole answer fourth.
    pub tokens: [i64; KINDS],
    /// `None`: it has no price.
    pub cost_nanousd: Option<i64>,
    /// The answer was given again.
    pub is_hit: bool,
    pub saved_nanousd: i64,
    pub total_ms: f64,
    pub first_token_ms: Option<f64>,
}

impl Row {
    /// What it adds to each figure.
    fn counts(&self) -> [i64; COUNTED] {
        let [
            input,
            cached,
            cache_write,
            output,
            reasoning,
            audio_in,
            audio_out,
            hour,
            cached_audio,
            image_in,
            image_out,
        ] = self.tokens;
        let tokens = input.saturating_add(output);
        // What is no number counts for nothing, and the infinite for the most there is.
        let total_us = (self.total_ms * 1000.0).floor() as i64;
        [
            1,
            i64::from(self.is_error),
            input,
            cached,
            cache_write,
            output,
            reasoning,
            audio_in,
            audio_out,
            hour,
            cached_audio,
            image_in,
            image_out,
            self.cost_nanousd.unwrap_or(0),
            i64::from(self.cost_nanousd.is_none() && tokens > 0),
            i64::from(self.is_hit),
            if self.is_hit { tokens } else { 0 },
            self.saved_nanousd,
            total_us,
        ]
        .map(|count| count.clamp(-LARGEST_ADDED, LARGEST_ADDED))
    }
}

/// What some rows come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    counts: [i128; COUNTED],
    pub latency: Quantiles,
    pub first_token: Quantiles,
}

impl Sums {
    /// What a database has kept of some. A sketch that was damaged begins anew, and the figures go on being counted.
    pub fn kept(counts: &[i64; COUNTED], latency: &[u8], first_token: &[u8]) -> Self {
        Self {
            counts: counts.map(i128::from),
            latency: Quantiles::decode(latency).unwrap_or_default(),
            first_token: Quantiles::decode(first_token).unwrap_or_default(),
        }
    }

    /// The figures, none larger than a database takes.
    pub fn counts(&self) -> [i64; COUNTED] {
        self.counts.map(|count| count.clamp(-LARGEST_SUM, LARGEST_SUM) as i64)
    }

    fn add(&mut self, row: &Row) {
        self.counts.iter_mut().zip(row.counts()).for_each(|(sum, count)| *sum += i128::from(count));
        self.latency.add(row.total_ms);
        if let Some(first_token_ms) = row.first_token_ms {
            self.first_token.add(first_token_ms);
        }
    }

    /// Adds other sums.
    pub fn include(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(sum, count)| *sum += count);
        self.latency.include(&other.latency);
        self.first_token.include(&other.first_token);
    }
}

/// Sums of rows, by their minute and their names.
#[derive(Debug, Default)]
pub struct Tally {
    places: HashMap<Vec<u8>, usize>,
    groups: Vec<Sums>,
    key: Vec<u8>,
    /// The group of the row that was added last.
    last: usize,
}

impl Tally {
    /// Adds a row. True: it is the first of a new group, which is numbered by how many there were before.
    pub fn add(&mut self, started_at_ms: i64, names: &[&str; NAMES], row: &Row) -> bool {
        self.key.clear();
        self.key.extend_from_slice(&minute_of(started_at_ms).to_le_bytes());
        for name in names {
            self.key.extend_from_slice(&name.len().to_le_bytes());
            self.key.extend_from_slice(name.as_bytes());
        }
        if let Some(&place) = self.places.get(&self.key) {
            self.last = place;
            self.add_again(row);
            return false;
        }
        let mut sums = Sums::default();
        sums.add(row);
        self.last = self.groups.len();
        self.places.insert(self.key.clone(), self.last);
        self.groups.push(sums);
        true
    }

    /// Adds a row of the same minute and names as the one before it.
    pub fn add_again(&mut self, row: &Row) {
        if let Some(sums) = self.groups.get_mut(self.last) {
            sums.add(row);
        }
    }

    /// What a group comes to, by its number.
    pub fn group(&self, number: usize) -> Option<&Sums> {
        self.groups.get(number)
    }
}

/// When the minute of a moment began.
pub fn minute_of(at_ms: i64) -> i64 {
    at_ms.saturating_sub(at_ms.rem_euclid(MINUTE_MS))
}
