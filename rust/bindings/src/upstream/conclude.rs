//! Attempts that are over, on their way back to Python.
//!
//! Taking the GIL from another thread costs more than what is done with it, so attempts that end together share one
//! taking: they queue here, and the task that empties the queue runs after all that is ready.

use dragoman_wire::attempt::Lane;
use dragoman_wire::outcome::{Failure, Outcome as Ended, Written};
use pyo3::prelude::*;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::exchange::Exchange;
use super::outcome::Outcome;
use super::reply::Client;
use super::target::Terms;

/// An attempt that is over, with all of Python that it held: dropping that takes the GIL as well.
pub struct Concluded {
    pub ended: Ended,
    pub client: Client,
    pub terms: Py<Terms>,
    pub exchange: Py<Exchange>,
}

/// What goes to Python next.
pub enum Ready {
    Attempt(Box<Concluded>),
    /// Events have come for whoever is to be called.
    Events(Py<PyAny>),
    /// Somebody goes on here, and with what.
    Call(Py<PyAny>, Py<PyAny>),
    /// Something else that is Python's.
    Then(Box<dyn FnOnce(Python<'_>) + Send>),
}

pub type Conclusions = UnboundedSender<Ready>;

/// Starts the task that concludes attempts.
pub fn start(runtime: &Handle) -> Conclusions {
    let (sender, receiver) = unbounded_channel();
    runtime.spawn(conclude_all(receiver));
    sender
}

async fn conclude_all(mut receiver: UnboundedReceiver<Ready>) {
    while let Some(first) = receiver.recv().await {
        Python::attach(|py| {
            let mut next = Some(first);
            while let Some(ready) = next {
                match ready {
                    Ready::Attempt(concluded) => conclude(py, *concluded),
                    Ready::Events(callback) => call(py, &callback, py.None()),
                    Ready::Call(callback, argument) => call(py, &callback, argument),
                    Ready::Then(work) => work(py),
                }
                next = receiver.try_recv().ok();
            }
        });
    }
}

fn call(py: Python<'_>, callback: &Py<PyAny>, argument: Py<PyAny>) {
    if let Err(error) = callback.call1(py, (argument,)) {
        error.write_unraisable(py, Some(callback.bind(py)));
    }
}

/// Writes a whole answer, unless that is left to the caller, and hands the outcome on.
pub fn conclude(py: Python<'_>, concluded: Concluded) {
    let Concluded { mut ended, client, terms, exchange } = concluded;
    let (back, terms) = (client.back(), terms.get());
    if !matches!(terms.lane, Lane::Events { .. } | Lane::Json) {
        write(&mut ended, &client, !terms.limits.hold);
    } else if !client.has_begun() {
        // Whoever reads it has not begun to answer, or finds yet that it is no answer.
        back.add_upstream_time(ended.progress.ended.saturating_duration_since(ended.progress.started));
    }
    let exchange = exchange.bind(py);
    let given = Py::new(py, Outcome::from(ended)).and_then(|outcome| Exchange::complete(exchange, outcome));
    if let Err(error) = given {
        error.write_unraisable(py, Some(exchange.as_any()));
    }
}

/// Writes an answer that came whole, unless that is left to the caller.
pub fn write(ended: &mut Ended, client: &Client, at_once: bool) {
    let progress = &mut ended.progress;
    if progress.written != Written::Nothing {
        return;
    }
    let back = client.back();
    back.add_upstream_time(progress.ended.saturating_duration_since(progress.started));
    if ended.failure.is_some() {
        return;
    }
    if !back.take() {
        ended.failure = Some(Failure::Beaten);
        return;
    }
    let answered = at_once.then(|| back.answer(progress, &client.head));
    if matches!(answered, Some(Ok(()))) {
        progress.written = Written::Whole;
    }
}

/// Writes a whole answer that was held until it had been looked at, with what it cost.
pub fn write_held(ended: &mut Ended, client: &Client, cost_nanousd: Option<i64>) {
    write(ended, client, false);
    if ended.failure.is_some() {
        return;
    }
    let (progress, body) = (&ended.progress, ended.progress.body.clone());
    let written = client.back().answer_held(progress, &client.head, "application/json", cost_nanousd, body);
    if let Err(error) = written {
        Python::attach(|py| error.write_unraisable(py, None));
    }
}
