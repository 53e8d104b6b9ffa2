//! Locks and threads: the standard library's. `rust/interleavings` compiles the log over some of its own.

pub use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
pub use std::thread;
