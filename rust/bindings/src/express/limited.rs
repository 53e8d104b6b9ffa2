//! What limits requests: held before one is sent, and settled by what it came to.
//!
//! Held is what Python would hold (`Holds.take_at_once`), of the same accounts. A request that is refused is Python's,
//! which knows the words for that; so is one that a limit in shadow would have refused, one whose budget has to be
//! written down first, one that names somebody who is counted apart, and one that Redis, where processes count together,
//! does not answer. Nothing is held for any of these when they are handed over.

use dragoman_core::body::RequestBody;
use dragoman_core::frames::answer::Usage;
use dragoman_core::ledger::Amounts;
use pyo3::prelude::*;

use super::growing::Longest;
use super::pass::Known;
use crate::ledger::bound::Pricing;
use crate::ledger::{Hold, LedgerScope};
use crate::tokens::TokenCount;

/// What limits the requests of a pass; the keys of a dict.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Limited {
    /// `None`: nothing does, or only what is counted by end user.
    pub scope: Option<Py<LedgerScope>>,
    pricing: Py<Pricing>,
    /// Tokens of an answer of which nothing says how long it may be.
    unsaid: u64,
    /// Whether those are told apart whom requests name as their end users.
    by_end_user: bool,
}

/// What is held for a request.
pub struct Held {
    pub hold: Hold,
    /// For a stream whose length is limited.
    pub longest: Option<Longest>,
}

/// It is Python that holds for a request, or refuses it.
pub struct NotHere;

impl Known {
    /// Holds what a request may come to; `None`: nothing limits it.
    pub async fn hold(
        &self,
        bytes: &[u8],
        read: &RequestBody,
        counted: &TokenCount,
    ) -> Result<Option<Held>, NotHere> {
        let limited = &self.limited;
        if limited.by_end_user && read.end_user.as_ref().is_some_and(|name| !name.is_empty()) {
            return Err(NotHere);
        }
        let Some(scope) = limited.scope.as_ref().map(Py::get) else { return Ok(None) };
        let given = counted.most();
        let (tokens, cost_nanousd) = limited.pricing.get().of_chat(bytes, read, given, limited.unsaid);
        let hold = scope.take(tokens, cost_nanousd).await.ok_or(NotHere)?;
        let longest = Longest { given, answered: tokens.saturating_sub(given), cost_nanousd };
        let counts_length = scope.counts_tokens || scope.counts_cost;
        Ok(Some(Held { hold, longest: (read.stream && counts_length).then_some(longest) }))
    }
}

/// Gives back what is held for a request that was not sent.
pub fn release(held: Option<Held>) {
    if let Some(held) = held {
        held.hold.release();
    }
}

/// Puts what a request came to in the place of what is held for it. One that has no price is held to no money.
pub fn settle(held: Option<Held>, usage: &Usage, cost_nanousd: Option<i64>) {
    let tokens = i64::try_from(usage.input.saturating_add(usage.output)).unwrap_or(i64::MAX);
    if let Some(held) = held {
        held.hold.end(Some(Amounts { requests: 1, tokens, cost: cost_nanousd.unwrap_or(0) }));
    }
}
