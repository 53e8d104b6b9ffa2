//! What requests come to at most: `Pricing`.

use dragoman_core::body::RequestBody;
use dragoman_core::ledger::{Asked, Ceiling, Priced, bound};
use pyo3::prelude::*;

use crate::words::Words;

/// Answers that a request may ask for at once.
const MOST_CHOICES: u64 = 128;

type Tier = (u64, u64, ((u64, u64), (u64, u64)), (u64, u64));

#[pyclass(frozen, module = "dragoman._core")]
pub struct Pricing {
    deployments: Vec<Priced>,
    cached: Py<Words>,
    heard: Py<Words>,
}

impl Pricing {
    /// What a request to chat comes to: tokens, and nano-dollars.
    pub fn of_chat(&self, bytes: &[u8], read: &RequestBody, given: u64, unsaid: u64) -> (u64, u64) {
        let number = |name| read.field(bytes, name).and_then(whole);
        let longest = read.max_tokens.map(|told| {
            told.max(number("max_tokens").unwrap_or(0)).max(number("max_completion_tokens").unwrap_or(0))
        });
        let choices = read.n.unwrap_or(1).max(number("best_of").unwrap_or(1)).clamp(1, MOST_CHOICES);
        let asked = Asked {
            given,
            longest: longest.filter(|tokens| *tokens > 0),
            unsaid,
            choices,
            cached: self.cached.get().are_in(bytes),
            heard: self.heard.get().are_in(bytes),
        };
        let (answered, cost_nanousd) = bound(&self.deployments, asked);
        (given.saturating_add(answered), cost_nanousd)
    }
}

/// A whole number; the largest there is for one that is larger.
fn whole(json: &[u8]) -> Option<u64> {
    let digits =
        std::str::from_utf8(json).ok().filter(|json| json.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some(digits.parse().unwrap_or(u64::MAX))
}

#[pymethods]
impl Pricing {
    #[new]
    fn new(deployments: Vec<(Option<u64>, Vec<Tier>)>, cached: Py<Words>, heard: Py<Words>) -> Self {
        let ceiling = |(above, request, given, answered): Tier| {
            let ((plain, audio), (written, both)) = given;
            let given = [[plain, audio], [written, both]];
            Ceiling { above, request, given, answered: [answered.0, answered.1] }
        };
        let priced = |(longest, tiers): (Option<u64>, Vec<Tier>)| Priced {
            longest,
            tiers: tiers.into_iter().map(ceiling).collect(),
        };
        Self { deployments: deployments.into_iter().map(priced).collect(), cached, heard }
    }

    fn of(
        &self,
        given: u64,
        longest: Option<u64>,
        unsaid: u64,
        choices: u64,
        kinds: (bool, bool),
    ) -> (u64, u64) {
        let (cached, heard) = kinds;
        bound(&self.deployments, Asked { given, longest, unsaid, choices, cached, heard })
    }
}
