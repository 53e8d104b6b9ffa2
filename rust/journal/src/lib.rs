//! The audit log's files, as `dragoman_core::audit` says what is in them.
//!
//! One thread writes them, so that a request hands its record over in a microsecond: what has come meanwhile is written
//! and synced at once, and whoever waits for his record to be durable is called back then. A directory holds a folder
//! a *writer*, which is one process's life: its segments, the heads that close them, and a lock that is free when the
//! process is gone.

mod files;
mod log;
mod read;
mod sync;

#[cfg(test)]
mod tests;

pub use files::{HEADS, Segment, recover, segments, writers};
pub use log::{Log, Settings, Waiter};
pub use read::{Proof, Report, prove, scan, take_out, verify};
