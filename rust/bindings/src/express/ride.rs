//! A request on its way: its body, its one attempt, its answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use dragoman_core::body::{self, RequestBody};
use dragoman_core::frames::answer::Usage;
use dragoman_core::luck::Luck;
use dragoman_core::price::Kinds;
use dragoman_wire::attempt::{Limits, attempt};
use dragoman_wire::outcome::{self as wire, Outcome};
use http::Method;
use pyo3::exceptions::PyStopIteration;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::adopted::Sent;
use super::cleared::Cleared;
use super::ended::{Ended, Over};
use super::growing::{Growing, close};
use super::limited::{Held, settle};
use super::pass::{Asker, Fare, Known, Way};
use super::traced::Trace;
use super::{Rules, Shared, lock};
use crate::balance::Ticket;
use crate::ledger::told::Lefts;
use crate::price::usd;
use crate::tokens::TokenCount;
use crate::upstream::conclude::{Ready, write, write_held};
use crate::upstream::launch::Choice;
use crate::upstream::outcome::{millis, usage_tuple};
use crate::upstream::reply::{Client, Head, Reply};

/// No part of what is counted.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
const END_USER_CHARS: usize = 256;
/// Text that nothing is known of is counted up to this size, and estimated beyond it.
const COUNT_BYTES: usize = 8 * 1024;

/// What is known of a request from its head.
pub struct Origin {
    pub asker: Asker,
    pub luck: Arc<Luck>,
    /// It may be one that is answered with what is kept.
    pub may_be_kept: bool,
    /// Its address.
    pub client: String,
    pub trace: Trace,
    /// Of its body.
    pub length: usize,
}

pub struct Ride {
    pub number: u64,
    pub shared: Arc<Shared>,
    pub rules: Arc<Rules>,
    pub id: String,
    pub started_at_ms: u64,
    pub arrived: Instant,
    pub origin: Origin,
    pub scope: Py<PyAny>,
    /// The server's way to the client, and what it wants to be told of the request's end by.
    pub proto: Py<PyAny>,
    pub watcher: Py<PyAny>,
    pub reply: Arc<Py<Reply>>,
    pub progress: Progress,
}

/// How far a request has come.
#[derive(Default)]
pub struct Progress {
    /// The server's future of the body, while that is waited for.
    reading: Mutex<Option<Py<PyAny>>>,
    /// Notified when the attempt is to end.
    cancel: Arc<Notify>,
    /// The client has left.
    pub is_gone: AtomicBool,
    /// The process is to end.
    pub is_stopping: AtomicBool,
    /// The client's leaving is noticed.
    pub is_watched: AtomicBool,
    /// What more Python holds for a stream that may become longer than was held for.
    allowance: Mutex<Option<Py<PyAny>>>,
}

impl Progress {
    pub fn is_wanted(&self) -> bool {
        !self.is_gone.load(Ordering::Acquire) && !self.is_stopping.load(Ordering::Acquire)
    }

    pub fn is_reading(&self) -> bool {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Ends the attempt.
    pub fn cancel(&self) {
        self.cancel.notify_one();
    }

    pub fn is_followed(&self) -> bool {
        lock(&self.allowance).is_some()
    }

    pub fn followed_by(&self, allowance: Py<PyAny>) {
        *lock(&self.allowance) = Some(allowance);
    }

    /// What more is held, which is the caller's from now on.
    pub fn allowance(&self) -> Option<Py<PyAny>> {
        lock(&self.allowance).take()
    }

    /// Ends what the request is waiting for.
    pub fn give_up(&self, py: Python<'_>) -> PyResult<()> {
        self.cancel.notify_one();
        let reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner).take();
        reading.map_or(Ok(()), |future| future.call_method0(py, intern!(py, "cancel")).map(drop))
    }
}

/// A request as the server calls back for it.
#[pyclass(frozen, module = "dragoman._core")]
pub struct Waiting {
    ride: Arc<Ride>,
}

#[pymethods]
impl Waiting {
    /// The body has come, or will not.
    fn came(&self, future: &Bound<'_, PyAny>) -> PyResult<()> {
        if future.call_method0(intern!(future.py(), "cancelled"))?.is_truthy()? {
            self.ride.adopt(future.py(), None, None, "late");
            return Ok(());
        }
        self.ride.read(future)
    }

    /// The client has left.
    fn left(&self, future: &Bound<'_, PyAny>) -> PyResult<()> {
        self.ride.progress.is_gone.store(true, Ordering::Release);
        self.ride.progress.give_up(future.py())
    }
}

/// Requests whose bodies have come, on their way to the client's thread.
pub type Come = UnboundedSender<(Arc<Ride>, Bytes)>;

/// Starts the task that sends them.
///
/// To start a task from another thread wakes that one each time. What is put into a channel does so only once, until
/// somebody has looked there, and threads that wake each other at every request cost more than the request.
pub fn start(runtime: &Handle) -> Come {
    let (sender, mut receiver) = unbounded_channel::<(Arc<Ride>, Bytes)>();
    runtime.spawn(async move {
        while let Some((ride, body)) = receiver.recv().await {
            tokio::spawn(async move {
                let mut going = Going(Some(ride.clone()));
                ride.go(body).await;
                going.0 = None;
            });
        }
    });
    sender
}

/// Hands a request to Python that has come to no end: what served it has panicked.
struct Going(Option<Arc<Ride>>);

impl Drop for Going {
    fn drop(&mut self) {
        if let Some(ride) = self.0.take() {
            let conclusions = ride.shared.conclusions.clone();
            let _ = conclusions.send(Ready::Then(Box::new(move |py| ride.adopt(py, None, None, "failed"))));
        }
    }
}

impl Ride {
    /// Goes on with the body once it has come.
    pub fn read(self: &Arc<Self>, future: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = future.py();
        let Err(ended) = future.call_method0(intern!(py, "__await__"))?.call_method0(intern!(py, "__next__"))
        else {
            *self.progress.reading.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(future.clone().unbind());
            return self.call_back(py, future, intern!(py, "came"));
        };
        self.progress.reading.lock().unwrap_or_else(PoisonError::into_inner).take();
        if !ended.is_instance_of::<PyStopIteration>(py) {
            self.adopt(py, None, None, "broken");
            return Ok(());
        }
        let body = ended.value(py).getattr(intern!(py, "value"))?.cast_into::<PyBytes>()?;
        if body.as_bytes().len() != self.origin.length {
            self.adopt(py, None, None, "broken");
            return Ok(());
        }
        if self.origin.may_be_kept && self.recall(&body) {
            return Ok(());
        }
        let body = Bytes::copy_from_slice(body.as_bytes());
        // Refused only when the runtime is going down, and nobody waits any more.
        let _ = self.shared.come.send((self.clone(), body));
        Ok(())
    }

    /// Has the server say when the client leaves.
    pub fn watch(self: &Arc<Self>, py: Python<'_>) -> PyResult<()> {
        let leaves = self.proto.call_method0(py, intern!(py, "client_disconnect"))?;
        self.call_back(py, leaves.bind(py), intern!(py, "left"))
    }

    fn call_back(
        self: &Arc<Self>,
        py: Python<'_>,
        future: &Bound<'_, PyAny>,
        name: &Bound<'_, pyo3::types::PyString>,
    ) -> PyResult<()> {
        let waiting = Bound::new(py, Waiting { ride: self.clone() })?;
        future.call_method1(intern!(py, "add_done_callback"), (waiting.getattr(name)?,)).map(drop)
    }

    /// Sends the request and follows its answer, without the GIL.
    async fn go(self: Arc<Self>, body: Bytes) {
        let Some((Way::Sent(pass), read)) = self.known(&body) else { return self.hand_over(body, None) };
        if !pass.guards.let_in(&body, read.stream).await {
            return self.hand_over(body, None);
        }
        let Some((counted, estimate)) = priced(&pass, &body, &read) else {
            return self.hand_over(body, None);
        };
        let Some(Cleared { held, choice, left }) = self.clear(&pass, &body, &read, &counted).await else {
            return self.hand_over(body, None);
        };
        let Choice { ticket, seat, body: sent, lane } = choice;
        let limits =
            Limits { hold: pass.guards.hold_answers(), ..pass.launcher.get().limits(seat, left, None) };
        let target = seat.target.get();
        let call = target.call(
            Method::POST,
            (seat.uri.clone(), sent),
            self.origin.trace.headers(self.shared.span(self.number)),
        );
        let left = held.as_ref().map(|held| held.hold.left);
        let head = self.head(&pass, ticket.index, estimate, left);
        let mut client = Client::alone(self.reply.clone(), head, &self.shared.conclusions);
        self.watch_length(&pass, held.as_ref(), &client, ticket.index);
        let cancel = self.progress.cancel.clone();
        let ended = attempt(target.pool(), &call, &limits, lane, &mut client, cancel).await;
        let is_let_out = pass.guards.let_out(&ended, &body).await;
        let usage = ended.progress.usage.as_ref().filter(|usage| is_let_out && !usage.suspect);
        let (None, Some(usage), Some(fare)) = (&ended.failure, usage, pass.fares.get(&ticket.index)) else {
            let sent = Sent { pass, ticket, ended, client, limits, lane, held };
            return self.hand_over(body, Some(Box::new(sent)));
        };
        learn(&pass, fare, &counted, usage);
        let cost_nanousd = fare.cost(&kinds_of(usage));
        settle(held, usage, cost_nanousd);
        let record =
            Ended { cost_nanousd, ..self.came_to(&pass, (read, body), &ended.progress, usage, &ticket) };
        ticket.finish_success(
            record.first_token_ms,
            record.ms,
            u32::try_from(usage.output).unwrap_or(u32::MAX),
        );
        let conclusions = self.shared.conclusions.clone();
        // Refused only when the runtime is going down, and nobody waits any more.
        let _ = conclusions.send(Ready::Then(Box::new(move |py| self.finish(py, ended, client, record))));
    }

    /// What is put on record of the request, but what it cost.
    fn came_to(
        &self,
        pass: &Arc<Known>,
        (read, body): (RequestBody, Bytes),
        progress: &wire::Progress,
        usage: &Usage,
        ticket: &Ticket,
    ) -> Ended {
        Ended {
            id: self.id.clone(),
            started_at_ms: self.started_at_ms,
            client: self.origin.client.clone(),
            status: progress.status,
            index: ticket.index,
            why: ticket.reason,
            ms: millis(progress.ended.saturating_duration_since(progress.started)),
            first_token_ms: progress.since_start(progress.first_content).map(millis),
            overhead_ms: 0.0, // as of its end
            upstream_ms: 0.0,
            stream: read.stream,
            end_user: end_user_of(read),
            trace_id: self.origin.trace.id().to_owned(),
            finish_reason: progress.finish_reason.clone().unwrap_or_default(),
            tokens: usage_tuple(usage),
            cost_nanousd: None,
            body: pass.keeps_bodies.then_some(body),
            pass: pass.clone(),
        }
    }

    /// What is known of such requests. `None`: nothing, or this one is not like them.
    pub fn known(&self, bytes: &[u8]) -> Option<(Way, RequestBody)> {
        if !self.progress.is_wanted() {
            return None;
        }
        let read = body::read(bytes, self.rules.max_json_depth).ok()?;
        let way = self.shared.way(&self.origin.asker, read.model.as_deref()?)?;
        let speaks = self.shared.fields.iter().any(|name| read.field(bytes, name).is_some());
        let is_like_them = !speaks && !self.shared.words.are_in(bytes) && self.started_at_ms < way.until_ms();
        is_like_them.then_some((way, read))
    }

    /// The headers of the answer, as far as they are known.
    fn head(&self, pass: &Arc<Known>, index: usize, estimate: Option<i64>, left: Option<Lefts>) -> Head {
        let (pass, id) = (pass.clone(), self.id.clone());
        Head::Made(Box::new(move |py| {
            let headers = PyList::empty(py);
            headers.append((intern!(py, "x-request-id"), &id))?;
            let told = pass.launcher.get().told(index);
            for header in pass.headers.iter().chain(told).chain(pass.guards.told()) {
                headers.append(header)?;
            }
            if let Some(nanousd) = estimate {
                headers.append((intern!(py, "x-dragoman-cost-estimate"), usd(nanousd)))?;
            }
            for header in left.unwrap_or_default().headers(py)? {
                headers.append(header)?;
            }
            Ok(headers.unbind())
        }))
    }

    /// Writes what is not written of the answer, and lets the request go.
    fn finish(&self, py: Python<'_>, mut ended: Outcome, client: Client, mut record: Ended) {
        if record.pass.guards.hold_answers() {
            write_held(py, &mut ended, &client, record.cost_nanousd);
        } else {
            write(py, &mut ended, &client, true);
        }
        close(py, self);
        (record.overhead_ms, record.upstream_ms) = self.reply.get().times_ms();
        self.over(py, Over::Sent(record));
    }

    /// Puts a request on record that has been answered, and lets it go.
    pub fn over(&self, py: Python<'_>, over: Over) {
        self.shared.let_go(self.number);
        self.origin.luck.served();
        self.shared.ended.push(over);
        if let Err(error) = self.watcher.call_method0(py, intern!(py, "done")) {
            error.write_unraisable(py, None);
        }
    }

    /// Has a stream followed whose length is limited, if it comes to that.
    fn watch_length(self: &Arc<Self>, pass: &Arc<Known>, held: Option<&Held>, client: &Client, index: usize) {
        if let Some(longest) = held.and_then(|held| held.longest) {
            let (pass, alarm) = (pass.clone(), Arc::downgrade(client.alarm()));
            Growing { ride: self.clone(), pass, alarm, index, longest }.watch();
        }
    }

    fn hand_over(self: Arc<Self>, body: Bytes, sent: Option<Box<Sent>>) {
        let conclusions = self.shared.conclusions.clone();
        let _ = conclusions.send(Ready::Then(Box::new(move |py| self.adopt(py, Some(body), sent, ""))));
    }
}

/// Whom a body names as its end user, as far as that is put on record.
pub fn end_user_of(read: RequestBody) -> String {
    read.end_user.map(|name| name.chars().take(END_USER_CHARS).collect()).unwrap_or_default()
}

/// Counts a request, and says what it may cost, in nano-dollars.
fn priced(pass: &Known, body: &[u8], read: &RequestBody) -> Option<(TokenCount, Option<i64>)> {
    let first = pass.first()?;
    let text = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let counted = first.counter.get().count_chat(text, (&first.model, &first.known), COUNT_BYTES).ok()?;
    let asked = read.max_tokens.filter(|most| *most > 0);
    let output = asked.unwrap_or_else(|| pass.typical.get().output(&first.known_as));
    let estimate = first.cost(&Kinds { input: counted.tokens() as u64, output, ..Kinds::default() });
    Some((counted, estimate))
}

/// Notes what an answer came to, for the requests to come.
fn learn(pass: &Known, fare: &Fare, counted: &TokenCount, usage: &Usage) {
    if usage.output > 0 {
        pass.typical.get().learn(&fare.known_as, usage.output);
    }
    if !counted.exact {
        let input = usize::try_from(usage.input).unwrap_or(usize::MAX);
        fare.counter.get().learn(&fare.model, counted, input);
    }
}

/// An answer's tokens by kind.
fn kinds_of(usage: &Usage) -> Kinds {
    Kinds {
        input: usage.input,
        output: usage.output,
        cached_input: usage.cached_input,
        cache_write: usage.cache_write,
        reasoning: usage.reasoning,
        audio_input: usage.audio_input,
        audio_output: usage.audio_output,
        ..Kinds::default()
    }
}
