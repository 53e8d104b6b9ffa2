//! Streams that may become longer than is held for.
//!
//! Nearly all end long before. From where one may be longer Python follows it (`ledger/allowance.py`): it counts what
//! has come, and holds more or ends the stream.

use std::sync::{Arc, Weak};

use pyo3::intern;
use pyo3::prelude::*;

use super::pass::Known;
use super::ride::Ride;
use crate::upstream::alarm::{Alarm, calling};

/// Hardly any text has a token for every two bytes.
const BYTES_A_TOKEN: u64 = 2;
/// A count may be too high by a quarter, and so much.
const SPARE_TOKENS: u64 = 64;

/// What is held for.
#[derive(Clone, Copy)]
pub struct Longest {
    /// Tokens of the prompt.
    pub given: u64,
    /// Tokens of the answer.
    pub answered: u64,
    pub cost_nanousd: u64,
}

impl Longest {
    /// Bytes of a stream that may be longer.
    fn due_bytes(self) -> u64 {
        let most = self.answered.saturating_add(self.answered / 4).saturating_add(SPARE_TOKENS);
        most.saturating_mul(BYTES_A_TOKEN)
    }
}

/// Such a stream, as Python follows it.
#[pyclass(frozen, module = "dragoman._core")]
pub struct Growing {
    pub ride: Arc<Ride>,
    pub pass: Arc<Known>,
    pub alarm: Weak<Alarm>,
    pub index: usize,
    pub longest: Longest,
}

#[pymethods]
impl Growing {
    #[getter]
    fn index(&self) -> usize {
        self.index
    }

    /// Tokens of the prompt, tokens of the answer, nano-dollars of both.
    #[getter]
    fn held(&self) -> (u64, u64, u64) {
        (self.longest.given, self.longest.answered, self.longest.cost_nanousd)
    }

    fn on_generated(&self, bytes: u64, callback: Py<PyAny>) {
        if let Some(alarm) = self.alarm.upgrade() {
            alarm.set(bytes, calling(callback));
        }
    }

    fn cancel(&self) {
        self.ride.progress.cancel();
    }
}

impl Growing {
    /// Has the stream followed from where it may be longer.
    pub fn watch(self) {
        if let Some(alarm) = self.alarm.upgrade() {
            let due_bytes = self.longest.due_bytes();
            alarm.set(due_bytes, Box::new(move |_, _| Python::attach(|py| self.follow(py))));
        }
    }

    /// Has Python follow it, unless it does. One that it cannot follow is ended.
    pub fn follow(self, py: Python<'_>) {
        let (ride, pass) = (self.ride.clone(), self.pass.clone());
        if ride.progress.is_followed() {
            return;
        }
        match pass.told.call_method1(py, intern!(py, "follow"), (self,)) {
            Ok(allowance) => ride.progress.followed_by(allowance),
            Err(error) => {
                error.write_unraisable(py, None);
                ride.progress.cancel();
            }
        }
    }
}

/// Gives back what more was held for a stream that is over.
pub fn close(ride: &Ride) {
    let Some(allowance) = ride.progress.allowance() else { return };
    Python::attach(|py| {
        if let Err(error) = allowance.call_method0(py, intern!(py, "close")) {
            error.write_unraisable(py, None);
        }
    });
}
