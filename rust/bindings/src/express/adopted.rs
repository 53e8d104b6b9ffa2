//! Requests that are not as usual, handed to Python with all that has been done for them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use dragoman_wire::attempt::{Lane, Limits};
use dragoman_wire::outcome::Outcome;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::growing::Growing;
use super::limited::Held;
use super::lock;
use super::pass::Known;
use super::ride::Ride;
use crate::balance::Ticket;
use crate::ledger::Hold;
use crate::upstream::conclude::{Concluded, conclude};
use crate::upstream::exchange::Exchange;
use crate::upstream::launch::Launched;
use crate::upstream::reply::{Client, Reply};
use crate::upstream::target::Terms;

#[pyclass(frozen, get_all, module = "dragoman._core")]
pub struct Adopted {
    scope: Py<PyAny>,
    proto: Py<PyAny>,
    watcher: Py<PyAny>,
    reply: Py<Reply>,
    id: String,
    started_at_ms: u64,
    age_s: f64,
    body: Option<Py<PyBytes>>,
    trouble: &'static str,
    launched: Option<Py<Launched>>,
    told: Option<Py<PyAny>>,
    hold: Option<Py<Hold>>,
    allowance: Option<Py<PyAny>>,
    is_gone: bool,
    is_stopping: bool,
    is_watched: bool,
}

/// An attempt that is over.
pub struct Sent {
    pub pass: Arc<Known>,
    pub ticket: Ticket,
    pub ended: Outcome,
    pub client: Client,
    pub limits: Limits,
    pub lane: Lane,
    /// For the request.
    pub held: Option<Held>,
}

impl Sent {
    /// What is held for the request, whose further attempts Python follows if their length is limited.
    fn held(&mut self, ride: &Arc<Ride>, py: Python<'_>) -> Option<Hold> {
        let Held { hold, longest } = self.held.take()?;
        if let Some(longest) = longest {
            let (pass, index) = (self.pass.clone(), self.ticket.index);
            Growing { ride: ride.clone(), pass, alarm: Weak::new(), index, longest }.follow(py);
        }
        Some(hold)
    }

    fn launched(self: Box<Self>, py: Python<'_>, ride: &Ride) -> PyResult<(Py<Launched>, Py<PyAny>)> {
        let Self { pass, ticket, ended, client, limits, lane, held: _ } = *self;
        let headers = client.head.list(py)?;
        let terms = Py::new(py, Terms::post(limits, lane, headers.clone_ref(py)))?;
        let event_loop = ride.shared.event_loop.clone_ref(py);
        let exchange = Exchange::new(event_loop, ride.reply.clone_ref(py), headers.clone_ref(py));
        let exchange = Py::new(py, exchange)?;
        conclude(py, Concluded { ended, client, terms, exchange: exchange.clone_ref(py) });
        let launched = Launched { exchange, ticket: Py::new(py, ticket)?, headers };
        Ok((Py::new(py, launched)?, pass.told.clone_ref(py)))
    }
}

impl Ride {
    /// Hands the request to Python.
    pub fn adopt(
        self: &Arc<Self>,
        py: Python<'_>,
        body: Option<Bytes>,
        sent: Option<Box<Sent>>,
        trouble: &'static str,
    ) {
        if sent.is_none() {
            self.origin.luck.handed_over();
        }
        let adopt = lock(&self.shared.adopt).as_ref().map(|adopt| adopt.clone_ref(py));
        let adopted = self.adopted(py, body, sent, trouble);
        let given =
            adopted.and_then(|adopted| adopt.map_or(Ok(()), |adopt| adopt.call1(py, (adopted,)).map(drop)));
        // Python counts it as its own by now.
        self.shared.let_go(self.number);
        if let Err(error) = given {
            error.write_unraisable(py, None);
        }
    }

    fn adopted(
        self: &Arc<Self>,
        py: Python<'_>,
        body: Option<Bytes>,
        mut sent: Option<Box<Sent>>,
        trouble: &'static str,
    ) -> PyResult<Adopted> {
        let hold = sent.as_mut().and_then(|sent| sent.held(self, py));
        let (launched, told) = sent.map(|sent| sent.launched(py, self)).transpose()?.unzip();
        Ok(Adopted {
            scope: self.scope.clone_ref(py),
            proto: self.proto.clone_ref(py),
            watcher: self.watcher.clone_ref(py),
            reply: self.reply.clone_ref(py),
            id: self.id.clone(),
            started_at_ms: self.started_at_ms,
            age_s: self.arrived.elapsed().as_secs_f64(),
            body: body.map(|body| PyBytes::new(py, &body).unbind()),
            trouble,
            launched,
            told,
            hold: hold.map(|hold| Py::new(py, hold)).transpose()?,
            allowance: self.progress.allowance(),
            is_gone: self.progress.is_gone.load(Ordering::Acquire),
            is_stopping: self.progress.is_stopping.load(Ordering::Acquire),
            is_watched: self.progress.is_watched.load(Ordering::Acquire),
        })
    }
}
