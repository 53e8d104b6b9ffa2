//! An attempt on its way.

use crate::sync::{Arc, Mutex};

use super::member::{Attempt, Outcome};
use super::moment::Moment;
use super::strategy::Reason;
use super::tier::Tier;
use super::{State, lock};

/// What choosing returns: an attempt that counts as in flight until the ticket's end.
///
/// `finish` says how the attempt ended. A ticket that is dropped instead, by a panic, a cancelled task or an
/// oversight, frees its slot and counts as cancelled: accounting cannot be forgotten, and what nobody saw is
/// never called a failure.
#[derive(Debug)]
pub struct Ticket {
    state: Arc<Mutex<State>>,
    tier: Tier,
    member: usize,
    reason: Reason,
    attempt: Option<Attempt>,
}

impl Ticket {
    pub(super) fn new(
        state: Arc<Mutex<State>>,
        tier: Tier,
        member: usize,
        reason: Reason,
        attempt: Attempt,
    ) -> Self {
        Self { state, tier, member, reason, attempt: Some(attempt) }
    }

    /// The member to send to.
    pub fn member(&self) -> usize {
        self.member
    }

    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Reports a first token as it comes. Optional: `finish` knows it too, but a long stream ends long after.
    pub fn first_token(&mut self, first_token_ms: f64, now: Moment) {
        let mut state = lock(&self.state);
        if let (Some(attempt), Some(member)) = (&mut self.attempt, state.members.get_mut(self.member)) {
            member.first_token(attempt, first_token_ms, now);
        }
    }

    /// Settles the attempt. `random` spreads the cooldown that a failure may start.
    pub fn finish(mut self, outcome: Outcome, now: Moment, random: u64) {
        if let Some(attempt) = self.attempt.take() {
            lock(&self.state).settle(&self.tier, (self.member, attempt), outcome, now, random);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(attempt) = self.attempt.take()
            && let Some(member) = lock(&self.state).members.get_mut(self.member)
        {
            member.abandon(attempt);
        }
    }
}
