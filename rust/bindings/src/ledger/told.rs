//! What is left of limits, in the headers that OpenAI's clients know.

use dragoman_core::ledger::duration;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use super::Left;

type Headers<'py> = Vec<Bound<'py, PyTuple>>;

/// What is left of requests and of tokens, each of the limit that has the least left.
#[derive(Clone, Copy, Default)]
pub struct Lefts {
    pub requests: Option<Left>,
    pub tokens: Option<Left>,
}

impl Lefts {
    /// The headers `x-ratelimit-limit-`, `-remaining-` and `-reset-`, of requests and of tokens.
    pub fn headers(self, py: Python<'_>) -> PyResult<Headers<'_>> {
        let mut headers = Vec::with_capacity(6);
        let limit = intern!(py, "x-ratelimit-limit-requests");
        let remaining = intern!(py, "x-ratelimit-remaining-requests");
        let reset = intern!(py, "x-ratelimit-reset-requests");
        add(&mut headers, self.requests, [limit, remaining, reset])?;
        let limit = intern!(py, "x-ratelimit-limit-tokens");
        let remaining = intern!(py, "x-ratelimit-remaining-tokens");
        let reset = intern!(py, "x-ratelimit-reset-tokens");
        add(&mut headers, self.tokens, [limit, remaining, reset])?;
        Ok(headers)
    }
}

fn add<'py>(
    headers: &mut Headers<'py>,
    left: Option<Left>,
    [limit, remaining, reset]: [&Bound<'py, PyString>; 3],
) -> PyResult<()> {
    let Some((most, left, resets_s)) = left else { return Ok(()) };
    let py = limit.py();
    headers.push((limit, most.to_string()).into_pyobject(py)?);
    headers.push((remaining, left.max(0).to_string()).into_pyobject(py)?);
    if let Some(seconds) = resets_s {
        headers.push((reset, duration(millis(seconds))).into_pyobject(py)?);
    }
    Ok(())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast stops at the ends")]
fn millis(seconds: f64) -> u64 {
    (seconds * 1e3).round() as u64
}
