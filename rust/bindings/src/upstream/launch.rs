//! The first attempt of a request that every member of a tier takes as it came: chosen, written and sent in one call.
//!
//! Step by step the same costs four crossings and some dozens of objects, which is most of what a request costs in all.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use dragoman_core::balance::Ask;
use dragoman_core::body::Edits;
use dragoman_wire::attempt::{Lane, Limits};
use http::Uri;
use pyo3::exceptions::PyRuntimeError;
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
struct Seat {
    target: Py<Target>,
    uri: Uri,
    model: Option<String>,
    /// Whether streams are asked to end with their usage.
    asks_usage: bool,
    /// Headers of the answer that say who gave it.
    told: Vec<Py<PyTuple>>,
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
    exchange: Py<Exchange>,
    ticket: Py<Ticket>,
    headers: Py<PyList>,
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
        let bytes = body.bytes.as_bytes(py);
        if self.refused.iter().any(|name| body.read.field(bytes, name).is_some()) {
            return Ok(None);
        }
        let ask = Ask { tried: &[], again: false, session, last_resort };
        let Some(ticket) = self.balancer.get().begin(self.tier.get(), &ask) else { return Ok(None) };
        let seat = self.seats.get(&ticket.index);
        let seat = seat.ok_or_else(|| PyRuntimeError::new_err("a member of the tier has no seat"))?;
        let asks_usage = body.read.stream && !body.read.include_usage && seat.asks_usage;
        let remove: Vec<&str> = self.remove.iter().map(String::as_str).collect();
        let model = seat.model.as_deref().filter(|_| body.read.model.is_some());
        let edits = Edits { model, ask_usage: asks_usage, remove: &remove };
        let written = Bytes::from(body.read.rewrite(bytes, &edits));
        let by = seat.told.iter().map(|header| header.bind(py).clone().into_any());
        let answer_headers =
            PyList::new(py, before.iter().chain(by).chain(after.iter()).collect::<Vec<_>>())?;
        let lane = if body.read.stream { Lane::Stream { hide_usage: asks_usage } } else { Lane::Whole };
        let limits = self.limits(seat, within_s);
        let terms = Terms::post(limits, lane, answer_headers.clone().unbind());
        let exchange =
            seat.target.get().start(reply, (seat.uri.clone(), written), headers, Py::new(py, terms)?)?;
        let ticket = Py::new(py, ticket)?;
        Ok(Some(Launched { exchange, ticket, headers: answer_headers.unbind() }))
    }
}

impl Launcher {
    fn limits(&self, seat: &Seat, (remaining_s, first_byte_s): (f64, Option<f64>)) -> Limits {
        let remaining = seconds(remaining_s);
        Limits {
            first_byte: first_byte_s.map_or(seat.first_byte, seconds).min(remaining),
            idle: seat.idle,
            total: seat.total.min(remaining),
            heartbeat: self.heartbeat,
            answer_bytes: self.answer_bytes,
            event_bytes: self.event_bytes,
            hold: false,
        }
    }
}
