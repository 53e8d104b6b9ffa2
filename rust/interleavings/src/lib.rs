//! What has locks in Rust, run under a scheduler that decides at every lock who goes on (`shuttle`).
//!
//! Threads meet the one bad interleaving of a million in production and not in tests. Here all threads are one, the
//! scheduler chooses among those that may run, by a seed, and a failure prints the schedule that led to it. To be under
//! its rule the code has to take its locks from `crate::sync`: these are the same source files as in their own crates,
//! compiled over the scheduler's locks in place of the standard library's. Nothing of this is in what is shipped.
//!
//! Why not `loom`: it tries all interleavings, which is out of reach for more than a handful of locks, and knows no
//! random ones; what is bounded here is the number of schedules (`DRAGOMAN_SCHEDULES`), not the size of the code.

#[path = "../../core/src/balance/mod.rs"]
pub mod balance;
#[allow(dead_code, reason = "what reads the log is not needed here")]
#[path = "../../journal/src/files.rs"]
mod files;
#[path = "../../journal/src/log.rs"]
pub mod log;
#[path = "../../core/src/recording/mod.rs"]
pub mod recording;

pub mod sync {
    //! The scheduler's.

    pub use shuttle::sync::{Arc, Condvar, Mutex, MutexGuard};
    pub use shuttle::thread;
    pub use std::sync::PoisonError;
}

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

const SEED: u64 = 0x0064_7261_676f_6d61;
/// How many changes of thread a bug may need that the second half of the schedules looks for.
const DEPTH: usize = 3;

/// Runs what `test` starts under so many schedules: half of them any, half with few changes of thread at odd places.
pub fn explore(schedules: usize, test: impl Fn() + Send + Sync + Copy + 'static) {
    let schedules = std::env::var("DRAGOMAN_SCHEDULES")
        .ok()
        .and_then(|asked| asked.parse().ok())
        .unwrap_or(schedules)
        .div_ceil(2);
    Runner::new(RandomScheduler::new_from_seed(SEED, schedules), Config::new()).run(test);
    Runner::new(PctScheduler::new_from_seed(SEED, DEPTH, schedules), Config::new()).run(test);
}
