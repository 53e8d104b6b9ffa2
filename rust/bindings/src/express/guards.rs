//! The guardrails of requests that go the express way: sieves, which tell for all of them that nothing is to be found.
//!
//! A request of which they are not sure is Python's before it is sent, an answer before anything of it is written. So is
//! a stream whose answer would be looked at: it leaves before it is there as a whole.

use std::sync::Arc;

use bytes::Bytes;
use dragoman_wire::outcome::Outcome;
use pyo3::prelude::*;
use tokio::task::spawn_blocking;

use crate::guard::Sieve;

/// So much is seen through in a millisecond. More would hold up all else that is on its way.
const SHORT_BYTES: usize = 32 * 1024;

/// The keys of a dict.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Sieves {
    requests: Py<Sieve>,
    /// `None`: nobody looks at answers.
    answers: Option<Py<Sieve>>,
    /// The header that tells what came of it where nothing was found.
    told: (String, String),
}

/// All guardrails of a pass.
#[derive(Default)]
pub struct Guards {
    /// `None`: there are none.
    sieves: Option<Arc<Sieves>>,
}

impl From<Option<Sieves>> for Guards {
    fn from(sieves: Option<Sieves>) -> Self {
        Self { sieves: sieves.map(Arc::new) }
    }
}

impl Guards {
    /// Whether there is surely nothing in a request for them, and its answer can be looked at here.
    pub async fn let_in(&self, body: &Bytes, is_stream: bool) -> bool {
        let Some(sieves) = self.sieves.clone() else { return true };
        if is_stream && sieves.answers.is_some() {
            return false;
        }
        let body = body.clone();
        looked(body.len(), move || sieves.requests.get().lets_in(&body)).await
    }

    /// Whether there is surely nothing in a whole answer for them.
    pub async fn let_out(&self, ended: &Outcome, asked: &Bytes) -> bool {
        let Some(sieves) = self.sieves.clone().filter(|sieves| sieves.answers.is_some()) else { return true };
        if ended.failure.is_some() {
            return false;
        }
        let (body, asked) = (ended.progress.body.clone(), asked.clone());
        let passes =
            move || sieves.answers.as_ref().is_some_and(|answers| answers.get().lets_out(&body, &asked));
        looked(ended.progress.body.len(), passes).await
    }

    /// Whether answers are held until they have been looked at.
    pub fn hold_answers(&self) -> bool {
        self.sieves.as_ref().is_some_and(|sieves| sieves.answers.is_some())
    }

    /// What answers are told of them by.
    pub fn told(&self) -> Option<&(String, String)> {
        self.sieves.as_ref().map(|sieves| &sieves.told)
    }
}

async fn looked(bytes: usize, look: impl FnOnce() -> bool + Send + 'static) -> bool {
    if bytes > SHORT_BYTES { spawn_blocking(look).await.unwrap_or(false) } else { look() }
}
