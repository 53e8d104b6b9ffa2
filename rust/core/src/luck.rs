//! Whether it is worth while to take the requests of an asker on the express way (`rust/bindings/src/express`).
//!
//! One that is taken and then handed to Python before it is sent costs more than one that is left to Python at once, by
//! about a third of what is saved by one that is served here. So those are taken now and then only whose requests are
//! mostly handed over.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

/// How many that are handed over weigh as much as one that is served.
const WORTH: i32 = 3;
/// So much is remembered, of either kind.
const MOST: i32 = 24;
/// One in so many is taken of an asker without luck.
const EVERY: u32 = 32;

/// What became of the requests of one asker.
#[derive(Debug, Default)]
pub struct Luck {
    balance: AtomicI32,
    left_alone: AtomicU32,
}

impl Luck {
    /// Whether the next request is to be taken.
    pub fn is_tried(&self) -> bool {
        self.balance.load(Ordering::Relaxed) > -MOST
            || self.left_alone.fetch_add(1, Ordering::Relaxed) % EVERY == EVERY - 1
    }

    /// A request has been served here.
    pub fn served(&self) {
        self.change(WORTH);
    }

    /// A request has been handed over before it was sent.
    pub fn handed_over(&self) {
        self.change(-1);
    }

    fn change(&self, by: i32) {
        let changed = |balance: i32| Some((balance + by).clamp(-MOST, MOST));
        let _ = self.balance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, changed);
    }
}
