//! Requests that are not as usual, handed to Python with all that has been done for them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use dragoman_wire::attempt::{Lane, Limits};
use dragoman_wire::front::{self, Came, Trouble};
use dragoman_wire::outcome::Outcome;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::growing::Growing;
use super::limited::Held;
use super::pass::Known;
use super::ride::Ride;
use super::{Shared, lock, now_ms};
use crate::balance::Ticket;
use crate::front::door::Door;
use crate::front::scope::Scope;
use crate::ledger::Hold;
use crate::upstream::conclude::{Concluded, conclude};
use crate::upstream::exchange::Exchange;
use crate::upstream::launch::Launched;
use crate::upstream::reply::{Back, Client, Reply, To};
use crate::upstream::target::Terms;

/// A request that Python serves.
#[pyclass(frozen, get_all, module = "dragoman._core")]
pub struct Adopted {
    scope: Py<Scope>,
    /// What it is answered by, and what is to be told of its end.
    proto: Py<Door>,
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

    fn launched(
        self: Box<Self>,
        py: Python<'_>,
        ride: &Ride,
        reply: Py<Reply>,
    ) -> PyResult<(Py<Launched>, Py<PyAny>)> {
        let Self { pass, ticket, ended, client, limits, lane, held: _ } = *self;
        let headers = client.head.list(py)?;
        let terms = Py::new(py, Terms::post(limits, lane, headers.clone_ref(py)))?;
        let event_loop = ride.shared.event_loop.clone_ref(py);
        let exchange = Exchange::new(event_loop, reply, headers.clone_ref(py));
        let exchange = Py::new(py, exchange)?;
        conclude(py, Concluded { ended, client, terms, exchange: exchange.clone_ref(py) });
        let launched = Launched { exchange, ticket: Py::new(py, ticket)?, headers };
        Ok((Py::new(py, launched)?, pass.told.clone_ref(py)))
    }
}

impl Ride {
    /// Hands the request to Python.
    pub fn adopt(self: &Arc<Self>, py: Python<'_>, body: Option<Bytes>, sent: Option<Box<Sent>>) {
        if sent.is_none() {
            self.origin.luck.handed_over();
        }
        let adopted = self.adopted(py, body, sent);
        self.shared.adopt(py, adopted);
        // Python counts it as its own by now.
        self.shared.let_go(self.number);
    }

    fn adopted(
        self: &Arc<Self>,
        py: Python<'_>,
        body: Option<Bytes>,
        mut sent: Option<Box<Sent>>,
    ) -> PyResult<Adopted> {
        let hold = sent.as_mut().and_then(|sent| sent.held(self, py));
        let reply = Py::new(py, Reply { back: self.back.clone() })?;
        let launched = sent.map(|sent| sent.launched(py, self, reply.clone_ref(py))).transpose()?;
        let (launched, told) = launched.unzip();
        Ok(Adopted {
            scope: Py::new(py, Scope { head: self.head.clone(), client: self.origin.client.clone() })?,
            proto: Py::new(py, self.shared.door(self.door.clone()))?,
            reply,
            id: self.id.clone(),
            started_at_ms: self.started_at_ms,
            age_s: self.arrived.elapsed().as_secs_f64(),
            trouble: if body.is_some() { "" } else { "failed" },
            body: body.map(|body| PyBytes::new(py, &body).unbind()),
            launched,
            told,
            hold: hold.map(|hold| Py::new(py, hold)).transpose()?,
            allowance: self.progress.allowance(),
            is_gone: self.progress.is_gone.load(Ordering::Acquire),
            is_stopping: self.progress.is_stopping.load(Ordering::Acquire),
        })
    }
}

impl Shared {
    /// Hands a request to Python for which nothing has been done.
    pub fn hand(self: &Arc<Self>, came: Came) {
        let (shared, at_ms) = (self.clone(), now_ms());
        self.hands.give(move |py| {
            let adopted = shared.handed(py, came, at_ms);
            shared.adopt(py, adopted);
        });
    }

    fn handed(&self, py: Python<'_>, came: Came, started_at_ms: u64) -> PyResult<Adopted> {
        let Came { head, body, peer, arrived, door } = came;
        let to = To::Front(door.clone());
        let rules = self.rules();
        let back = Back::new(to, Some(peer), arrived.into(), rules.slowness());
        Ok(Adopted {
            scope: Py::new(py, Scope { head, client: peer.to_string() })?,
            proto: Py::new(py, self.door(door))?,
            reply: Py::new(py, Reply { back: Arc::new(back) })?,
            id: self.id(self.number(), started_at_ms),
            started_at_ms,
            age_s: arrived.elapsed().as_secs_f64(),
            trouble: match body {
                Ok(_) => "",
                Err(Trouble::Late) => "late",
                Err(Trouble::Broken) => "broken",
            },
            body: body.ok().map(|body| PyBytes::new(py, &body).unbind()),
            launched: None,
            told: None,
            hold: None,
            allowance: None,
            is_gone: false,
            is_stopping: self.is_stopping.load(Ordering::Acquire),
        })
    }

    /// A request's door, for Python.
    fn door(&self, door: Arc<front::Door>) -> Door {
        Door::new(door, self.hands.clone(), self.hands.count())
    }

    fn adopt(&self, py: Python<'_>, adopted: PyResult<Adopted>) {
        let adopt = lock(&self.adopt).as_ref().map(|adopt| adopt.clone_ref(py));
        let given =
            adopted.and_then(|adopted| adopt.map_or(Ok(()), |adopt| adopt.call1(py, (adopted,)).map(drop)));
        if let Err(error) = given {
            error.write_unraisable(py, None);
        }
    }
}
