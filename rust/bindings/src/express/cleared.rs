//! What stands before a request is sent: so much is held for it as it may come to, and somebody is chosen to send it to.
//!
//! Where processes share Redis, holding waits for it, and so may a probe of a deployment whose cooldown is over: one
//! process of all sends it, and which may is asked by Python.

use std::time::Duration;

use bytes::Bytes;
use dragoman_core::balance::{Ask, Reason};
use dragoman_core::body::RequestBody;

use super::limited::{Held, release};
use super::pass::Known;
use super::ride::Ride;
use crate::tokens::TokenCount;
use crate::upstream::launch::Choice;

/// An attempt that has less time than this is not begun.
const LEAST: Duration = Duration::from_millis(20);

/// What a request is sent with.
pub struct Cleared<'a> {
    pub held: Option<Held>,
    pub choice: Choice<'a>,
    /// How long it may take.
    pub left: Duration,
}

impl Ride {
    /// Clears a request to be sent. `None`: it is Python's, and nothing is held for it.
    pub async fn clear<'a>(
        &self,
        pass: &'a Known,
        body: &Bytes,
        read: &RequestBody,
        counted: &TokenCount,
    ) -> Option<Cleared<'a>> {
        self.left(pass)?;
        let held = pass.hold(body, read, counted).await.ok()?;
        let Some((choice, left)) = self.choose(pass, body, read).zip(self.left(pass)) else {
            release(held);
            return None;
        };
        Some(Cleared { held, choice, left })
    }

    /// How long an attempt may take. `None`: none is to be begun any more.
    fn left(&self, pass: &Known) -> Option<Duration> {
        let left = pass.deadline.saturating_sub(self.arrived.elapsed());
        (left > LEAST && self.progress.is_wanted()).then_some(left)
    }

    fn choose<'a>(&self, pass: &'a Known, body: &Bytes, read: &RequestBody) -> Option<Choice<'a>> {
        let ask = Ask { tried: &[], again: false, session: None, last_resort: pass.is_alone };
        let choice = pass.launcher.get().choose(body, read, &ask)?;
        if self.rules.shares_probes && choice.ticket.reason == Reason::Probe.as_str() {
            choice.ticket.finish_cancelled(None);
            return None;
        }
        Some(choice)
    }
}
