//! How long to wait before another attempt at a place that said nothing about it.
//!
//! Full jitter: a uniform draw between nothing and a ceiling that doubles. Attempts that failed together then
//! come back spread over the whole interval; with a fixed part in the wait they would come back together, a
//! little later. (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.)

use std::time::Duration;

#[cfg(test)]
mod tests;

const FIRST_S: f64 = 0.25;
const CAP_S: f64 = 8.0;

/// The wait before attempt `attempt` (0 is the first repetition): `chance x min(8, 0.25 x 2^attempt)`
/// seconds.
///
/// `chance` is uniform between 0 and 1; what is outside counts as the nearer end.
pub fn backoff(attempt: u32, chance: f64) -> Duration {
    let ceiling_s = (FIRST_S * 2.0_f64.powi(attempt.min(16) as i32)).min(CAP_S);
    Duration::try_from_secs_f64(ceiling_s * chance.clamp(0.0, 1.0)).unwrap_or_default()
}
