//! The first attempt of a request that every member of a tier takes as it came: chosen, written and sent in one call.
//!
//! Step by step the same costs four crossings and some dozens of objects, which is most of what a request costs in all.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use dragoman_core::balance::Ask;
use dragoman_core::body::{self, Edits};
use dragoman_wire::attempt::{Lane, Limits};
use http::Uri;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use super::exchange::Exchange;
use super::reply::Reply;
use super::target::{Target, Terms, seconds};
use crate::balance::{Balancer, Ticket, Tier};
use crate::body::RequestBody;

#[pyclass(frozen, module = "dragoman._core")]
pub struct Launcher {
    balancer: Py<Balancer>,
    tier: Py<Tier>,
    seats: HashMap<usize, Seat>,
    /// Fields of a body that are not for providers.
    remove: Vec<String>,
    /// Fields that some member does not take.
    refused: Vec<String>,
    heartbeat: Duration,
    answer_bytes: usize,
    event_bytes: usize,
}

/// A member, and how it is sent to.
pub struct Seat {
    pub target: Py<Target>,
    pub uri: Uri,
    model: Option<String>,
    /// Whether streams are asked to end with their usage.
    asks_usage: bool,
    /// Headers of the answer that say who gave it.
    told: Vec<Py<PyTuple>>,
    said: Vec<(String, String)>,
    first_byte: Duration,
    idle: Duration,
    total: Duration,
}

/// The keys of a dict.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Seating {
    index: usize,
    target: Py<Target>,
    path: String,
    model: Option<String>,
    asks_usage: bool,
    told: Vec<Py<PyTuple>>,
    first_byte_s: f64,
    idle_s: f64,
    total_s: f64,
}

impl Seating {
    fn into_seat(self) -> PyResult<(usize, Seat)> {
        let seat = Seat {
            uri: self.target.get().uri(&self.path)?,
            target: self.target,
            model: self.model,
            asks_usage: self.asks_usage,
            said: Python::attach(|py| {
                self.told.iter().map(|header| header.extract(py)).collect::<PyResult<_>>()
            })?,
            told: self.told,
            first_byte: seconds(self.first_byte_s),
            idle: seconds(self.idle_s),
            total: seconds(self.total_s),
        };
        Ok((self.index, seat))
    }
}

/// An attempt that has been sent.
#[pyclass(frozen, get_all, module = "dragoman._core")]
pub struct Launched {
    pub exchange: Py<Exchange>,
    pub ticket: Py<Ticket>,
    pub headers: Py<PyList>,
}

/// Who is sent to, and what.
pub struct Choice<'a> {
    pub ticket: Ticket,
    pub seat: &'a Seat,
    pub body: Bytes,
    pub lane: Lane,
}

#[pymethods]
impl Launcher {
    #[new]
    #[pyo3(signature = (chosen_by, seats, *, fields, heartbeat_s, sizes))]
    fn new(
        chosen_by: (Py<Balancer>, Py<Tier>),
        seats: Vec<Seating>,
        fields: (Vec<String>, Vec<String>),
        heartbeat_s: f64,
        sizes: (usize, usize),
    ) -> PyResult<Self> {
        let (balancer, tier) = chosen_by;
        let (remove, refused) = fields;
        let (answer_bytes, event_bytes) = sizes;
        let seats = seats.into_iter().map(Seating::into_seat).collect::<PyResult<_>>()?;
        let heartbeat = seconds(heartbeat_s);
        Ok(Self { balancer, tier, seats, remove, refused, heartbeat, answer_bytes, event_bytes })
    }

    /// Sends to a member. `None`: there is none to choose, or the body has a field that one does not take.
    #[pyo3(signature = (reply, body, *, headers, within_s, ask))]
    fn launch<'py>(
        &self,
        reply: &Bound<'py, Reply>,
        body: &RequestBody,
        headers: (Vec<(String, String)>, Bound<'py, PyList>, Bound<'py, PyList>),
        within_s: (f64, Option<f64>),
        ask: (Option<u64>, bool),
    ) -> PyResult<Option<Launched>> {
        let py = reply.py();
        let (headers, before, after) = headers;
        let (session, last_resort) = ask;
        let ask = Ask { tried: &[], again: false, session, last_resort };
        let Some(choice) = self.choose(body.bytes.as_bytes(py), &body.read, &ask) else { return Ok(None) };
        let Choice { ticket, seat, body, lane } = choice;
        let by = seat.told.iter().map(|header| header.bind(py).clone().into_any());
        let answer_headers =
            PyList::new(py, before.iter().chain(by).chain(after.iter()).collect::<Vec<_>>())?;
        let (remaining_s, first_byte_s) = within_s;
        let limits = self.limits(seat, seconds(remaining_s), first_byte_s.map(seconds));
        let terms = Terms::post(limits, lane, answer_headers.clone().unbind());
        let exchange =
            seat.target.get().start(reply, (seat.uri.clone(), body), headers, Py::new(py, terms)?)?;
        let ticket = Py::new(py, ticket)?;
        Ok(Some(Launched { exchange, ticket, headers: answer_headers.unbind() }))
    }
}

impl Launcher {
    /// Chooses a member, counts an attempt at it as begun, and writes what it gets. `None`: there is none to choose,
    /// or the body has a field that one does not take.
    pub fn choose(&self, bytes: &[u8], body: &body::RequestBody, ask: &Ask<'_>) -> Option<Choice<'_>> {
        if self.refused.iter().any(|name| body.field(bytes, name).is_some()) {
            return None;
        }
        let ticket = self.balancer.get().begin(self.tier.get(), ask)?;
        let Some(seat) = self.seats.get(&ticket.index) else {
            ticket.finish_neutral();
            return None;
        };
        let asks_usage = body.stream && !body.include_usage && seat.asks_usage;
        let remove: Vec<&str> = self.remove.iter().map(String::as_str).collect();
        let model = seat.model.as_deref().filter(|_| body.model.is_some());
        let edits = Edits { model, ask_usage: asks_usage, remove: &remove };
        let written = Bytes::from(body.rewrite(bytes, &edits));
        let lane = if body.stream { Lane::Stream { hide_usage: asks_usage } } else { Lane::Whole };
        Some(Choice { ticket, seat, body: written, lane })
    }

    /// Headers of an answer that say that a member gave it.
    pub fn said(&self, index: usize) -> &[(String, String)] {
        self.seats.get(&index).map_or(&[], |seat| &seat.said)
    }

    /// What bounds an attempt that may take so long.
    pub fn limits(&self, seat: &Seat, remaining: Duration, first_byte: Option<Duration>) -> Limits {
        Limits {
            first_byte: first_byte.unwrap_or(seat.first_byte).min(remaining),
            idle: seat.idle,
            total: seat.total.min(remaining),
            heartbeat: self.heartbeat,
            answer_bytes: self.answer_bytes,
            event_bytes: self.event_bytes,
            hold: false,
        }
    }
}
