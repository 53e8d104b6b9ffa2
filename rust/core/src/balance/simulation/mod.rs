//! Worlds in which the balancer can be measured: no network, no clock, one seed.
//!
//! Built for the tests of this crate, which hold the thresholds, and for the bench that prints the figures
//! (feature `simulation`). `latency` compares policies over deployments of unlike and shifting speed;
//! `delivery` sends requests through the real balancer, retries and budgets included, while deployments fail.

use std::f64::consts::TAU;

use super::chance;

pub mod delivery;
pub mod latency;
mod textbook;

#[cfg(test)]
mod tests;

/// A stream of random numbers that its seed determines.
#[derive(Clone, Debug)]
pub struct Dice {
    seed: u64,
    thrown: u64,
}

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self { seed: chance::mix(seed), thrown: 0 }
    }

    pub fn bits(&mut self) -> u64 {
        self.thrown = self.thrown.wrapping_add(1);
        chance::mix(self.seed ^ chance::mix(self.thrown))
    }

    /// Uniform between 0 and 1.
    pub fn unit(&mut self) -> f64 {
        chance::unit(self.bits())
    }

    /// Exponential of mean 1: the time between arrivals that know nothing of each other.
    pub fn exponential(&mut self) -> f64 {
        -self.unit().ln()
    }

    /// Log-normal of mean 1: the shape of latencies, with a heavy tail.
    pub fn log_normal(&mut self, sigma: f64) -> f64 {
        let normal = (-2.0 * self.unit().ln()).sqrt() * (TAU * self.unit()).cos();
        (sigma * normal - sigma * sigma / 2.0).exp()
    }
}
