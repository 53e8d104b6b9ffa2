//! An answer as its client gets it, for others that have asked the same: from its beginning, and on as it comes.
//!
//! One writes, any number follow, each at its own pace and from whatever thread. What a follower waits by is the caller's
//! affair: it leaves a *waiter* here, and whoever changes something is given all waiters, to wake them once the lock is
//! free. A waiter is never left where there is something to be had already, so none is forgotten.

use crate::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(test)]
mod tests;

/// While others follow, an answer is recorded beyond what would be kept of it, up to so many times as much.
const FOLLOWED_SHARE: usize = 16;

#[derive(Debug)]
pub struct Recording<W> {
    max_bytes: usize,
    state: Mutex<State<W>>,
}

/// What the lock guards.
#[derive(Debug)]
struct State<W> {
    content_type: Option<String>,
    bytes: Vec<u8>,
    /// It was too large: nothing is left of it.
    dropped: bool,
    ended: bool,
    followers: usize,
    waiters: Vec<W>,
}

/// What there is after a position.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<T> {
    More(T),
    /// Nothing yet.
    Nothing,
    /// Nothing, and there will be none.
    Over,
}

impl<W> Recording<W> {
    pub fn new(max_bytes: usize) -> Self {
        let state = State {
            content_type: None,
            bytes: Vec::new(),
            dropped: false,
            ended: false,
            followers: 0,
            waiters: Vec::new(),
        };
        Self { max_bytes, state: Mutex::new(state) }
    }

    pub fn begin(&self, content_type: &str) {
        self.lock().content_type = Some(content_type.to_owned());
    }

    /// A piece of the answer. Says whom to wake.
    pub fn push(&self, data: &[u8]) -> Vec<W> {
        let mut state = self.lock();
        let share = if state.followers > 0 { FOLLOWED_SHARE } else { 1 };
        if !state.dropped && state.bytes.len() + data.len() > self.max_bytes.saturating_mul(share) {
            state.dropped = true;
            state.bytes = Vec::new();
        }
        if !state.dropped {
            state.bytes.extend_from_slice(data);
        }
        std::mem::take(&mut state.waiters)
    }

    /// That was all. Says whom to wake.
    pub fn end(&self) -> Vec<W> {
        let mut state = self.lock();
        state.ended = true;
        std::mem::take(&mut state.waiters)
    }

    /// All that wait, to be woken whether there is more or not.
    pub fn stir(&self) -> Vec<W> {
        std::mem::take(&mut self.lock().waiters)
    }

    /// One more follows. False: it is too late.
    pub fn join(&self) -> bool {
        let mut state = self.lock();
        let possible = !state.dropped && !state.ended;
        state.followers += usize::from(possible);
        possible
    }

    /// One follows no more. How many still do.
    pub fn leave(&self) -> usize {
        let mut state = self.lock();
        state.followers = state.followers.saturating_sub(1);
        state.followers
    }

    /// Leaves a waiter, or gives it back: there is something after the position, or nothing will come.
    pub fn wait(&self, position: usize, waiter: W) -> Option<W> {
        let mut state = self.lock();
        if state.bytes.len() > position || state.ended || state.dropped {
            return Some(waiter);
        }
        state.waiters.push(waiter);
        None
    }

    /// All there is after a position, made into something by `take`.
    pub fn after<T>(&self, position: usize, take: impl FnOnce(&[u8]) -> T) -> Next<T> {
        let state = self.lock();
        match state.bytes.get(position..).filter(|rest| !rest.is_empty()) {
            Some(rest) => Next::More(take(rest)),
            None if state.ended || state.dropped => Next::Over,
            None => Next::Nothing,
        }
    }

    pub fn body<T>(&self, take: impl FnOnce(&[u8]) -> T) -> T {
        take(&self.lock().bytes)
    }

    pub fn content_type(&self) -> Option<String> {
        self.lock().content_type.clone()
    }

    pub fn followers(&self) -> usize {
        self.lock().followers
    }

    /// Whether somebody gets the answer beside its own client, at their own pace.
    pub fn is_followed(&self) -> bool {
        let state = self.lock();
        state.followers > 0 && !state.dropped
    }

    pub fn is_dropped(&self) -> bool {
        self.lock().dropped
    }

    /// A panic elsewhere leaves what was recorded as it was.
    fn lock(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
