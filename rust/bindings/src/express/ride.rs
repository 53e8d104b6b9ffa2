//! A request on its way: its body, its one attempt, its answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use dragoman_core::body::{self, RequestBody};
use dragoman_core::frames::answer::Usage;
use dragoman_core::luck::Luck;
use dragoman_core::price::Kinds;
use dragoman_wire::attempt::{Limits, attempt};
use dragoman_wire::front::{self, Door};
use dragoman_wire::outcome::{self as wire, Outcome};
use http::Method;
use pyo3::prelude::*;
use tokio::sync::Notify;

use super::adopted::Sent;
use super::cleared::Cleared;
use super::ended::{Answered, Over, Request};
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
use crate::upstream::reply::{Back, Client, Head};

/// No part of what is counted.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
const END_USER_CHARS: usize = 256;
/// Text that nothing is known of is counted up to this size, and estimated beyond it.
const COUNT_BYTES: usize = 8 * 1024;

/// What is known of a request from its head.
pub struct Origin {
    pub asker: Asker,
    pub luck: Arc<Luck>,
    /// Its address.
    pub client: String,
    pub trace: Trace,
}

pub struct Ride {
    pub number: u64,
    pub shared: Arc<Shared>,
    pub rules: Arc<Rules>,
    pub id: String,
    pub started_at_ms: u64,
    pub arrived: Instant,
    pub origin: Origin,
    pub head: front::Head,
    pub door: Arc<Door>,
    pub back: Arc<Back>,
    pub progress: Progress,
}

/// How far a request has come.
#[derive(Default)]
pub struct Progress {
    /// Notified when the attempt is to end.
    cancel: Arc<Notify>,
    /// The client has left.
    pub is_gone: AtomicBool,
    /// The process is to end.
    pub is_stopping: AtomicBool,
    /// What more Python holds for a stream that may become longer than was held for.
    allowance: Mutex<Option<Py<PyAny>>>,
}

impl Progress {
    pub fn is_wanted(&self) -> bool {
        !self.is_gone.load(Ordering::Acquire) && !self.is_stopping.load(Ordering::Acquire)
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
}

/// Hands a request to Python that has come to no end: what served it has panicked.
struct Going(Option<Arc<Ride>>);

impl Drop for Going {
    fn drop(&mut self) {
        if let Some(ride) = self.0.take() {
            let conclusions = ride.shared.conclusions.clone();
            let _ = conclusions.send(Ready::Then(Box::new(move |py| ride.adopt(py, None, None))));
        }
    }
}

impl Ride {
    /// Goes to its end.
    pub async fn run(self: Arc<Self>, body: Bytes) {
        let left = Arc::downgrade(&self);
        self.door.when_left(move || {
            if let Some(ride) = left.upgrade() {
                ride.progress.is_gone.store(true, Ordering::Release);
                ride.progress.cancel();
            }
        });
        let mut going = Going(Some(self.clone()));
        self.go(body).await;
        going.0 = None;
    }

    /// Sends the request and follows its answer, without the GIL.
    async fn go(self: Arc<Self>, body: Bytes) {
        let (pass, read) = match self.known(&body) {
            Some((Way::Sent(pass), read)) => (pass, read),
            Some((Way::Kept(pass), read)) => return self.recall(pass, read, body),
            None => return self.hand_over(body, None),
        };
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
        let mut client = Client::alone(self.back.clone(), head, &self.shared.conclusions);
        self.watch_length(&pass, held.as_ref(), &client, ticket.index);
        let cancel = self.progress.cancel.clone();
        let ended = attempt(target.pool(), call, &limits, lane, &mut client, cancel).await;
        let is_let_out = pass.guards.let_out(&ended, &body).await;
        let usage = ended.progress.usage.as_ref().filter(|usage| is_let_out && !usage.suspect);
        let (None, Some(usage), Some(fare)) = (&ended.failure, usage, pass.fares.get(&ticket.index)) else {
            let sent = Sent { pass, ticket, ended, client, limits, lane, held };
            return self.hand_over(body, Some(Box::new(sent)));
        };
        learn(&pass, fare, &counted, usage);
        let cost_nanousd = fare.cost(&kinds_of(usage));
        settle(held, usage, cost_nanousd);
        let body = pass.keeps_bodies.then_some(body);
        let record = Answered { cost_nanousd, ..self.came_to((read, body), &ended.progress, usage, &ticket) };
        ticket.finish_success(
            record.first_token_ms,
            record.ms,
            u32::try_from(usage.output).unwrap_or(u32::MAX),
        );
        self.finish(pass, ended, &client, record);
    }

    /// What is put on record of the request, but what it cost.
    fn came_to(
        &self,
        (read, body): (RequestBody, Option<Bytes>),
        progress: &wire::Progress,
        usage: &Usage,
        ticket: &Ticket,
    ) -> Answered {
        Answered {
            request: self.request(read, body, 0.0), // as of its end
            status: progress.status,
            index: ticket.index,
            why: ticket.reason,
            ms: millis(progress.ended.saturating_duration_since(progress.started)),
            first_token_ms: progress.since_start(progress.first_content).map(millis),
            upstream_ms: 0.0, // the same
            finish_reason: progress.finish_reason.clone().unwrap_or_default(),
            tokens: usage_tuple(usage),
            cost_nanousd: None,
        }
    }

    /// What is put on record of every request.
    pub fn request(&self, read: RequestBody, body: Option<Bytes>, overhead_ms: f64) -> Request {
        Request {
            id: self.id.clone(),
            started_at_ms: self.started_at_ms,
            client: self.origin.client.clone(),
            overhead_ms,
            stream: read.stream,
            end_user: end_user_of(read),
            trace_id: self.origin.trace.id().to_owned(),
            body,
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
        Head::Said(Box::new(move |add| {
            add("x-request-id", &id);
            let said = pass.launcher.get().said(index);
            for (name, value) in pass.headers.iter().chain(said).chain(pass.guards.told()) {
                add(name, value);
            }
            if let Some(nanousd) = estimate {
                add("x-dragoman-cost-estimate", &usd(nanousd));
            }
            for (name, value) in left.unwrap_or_default().headers() {
                add(name, &value);
            }
        }))
    }

    /// Writes what is not written of the answer, and lets the request go.
    fn finish(&self, pass: Arc<Known>, mut ended: Outcome, client: &Client, mut record: Answered) {
        if pass.guards.hold_answers() {
            write_held(&mut ended, client, record.cost_nanousd);
        } else {
            write(&mut ended, client, true);
        }
        close(self);
        (record.request.overhead_ms, record.upstream_ms) = self.back.times_ms();
        self.over(Over::Sent(pass, record));
    }

    /// Puts a request on record that has been answered, and lets it go.
    pub fn over(&self, over: Over) {
        self.shared.let_go(self.number);
        self.origin.luck.served();
        self.shared.ended.push(over);
    }

    /// Has a stream followed whose length is limited, if it comes to that.
    fn watch_length(self: &Arc<Self>, pass: &Arc<Known>, held: Option<&Held>, client: &Client, index: usize) {
        if let Some(longest) = held.and_then(|held| held.longest) {
            let (pass, alarm) = (pass.clone(), Arc::downgrade(client.alarm()));
            Growing { ride: self.clone(), pass, alarm, index, longest }.watch();
        }
    }

    /// Hands the request to Python: on the client's thread if it has been sent, as any other if not.
    pub fn hand_over(self: Arc<Self>, body: Bytes, sent: Option<Box<Sent>>) {
        if sent.is_none() {
            let hands = self.shared.hands.clone();
            return hands.give(move |py| self.adopt(py, Some(body), None));
        }
        let conclusions = self.shared.conclusions.clone();
        // Refused only when the runtime is going down, and nobody waits any more.
        let _ = conclusions.send(Ready::Then(Box::new(move |py| self.adopt(py, Some(body), sent))));
    }
}

/// Whom a body names as its end user, as far as that is put on record.
fn end_user_of(read: RequestBody) -> String {
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
