//! Locks: the standard library's. `rust/interleavings` compiles the modules that use them over locks of its own.

pub use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
