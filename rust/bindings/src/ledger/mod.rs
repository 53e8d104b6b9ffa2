//! Limits and budgets: `Ledger`, `LedgerScope`, `Hold`, `Refused`; and `SharedLedger`, of several processes.
//!
//! The clock is supplied here. It runs with the monotonic one, and follows the wall clock only in small steps: a wall
//! clock that jumps must neither refill a limit nor end a month.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use dragoman_core::ledger::{self, Amounts, Figure, Measure, Period, Reserved, Rule};
use dragoman_wire::shared;
use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;

use self::remote::Remote;
use self::told::Lefts;
use crate::body::RequestBody;

pub mod bound;
pub mod remote;
pub mod told;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Ledger>()?;
    module.add_class::<bound::Pricing>()?;
    module.add_class::<remote::SharedLedger>()?;
    module.add_class::<LedgerScope>()?;
    module.add_class::<Hold>()?;
    module.add_class::<Refused>()?;
    module.add_class::<Standing>()?;
    module.add_function(wrap_pyfunction!(period_slot, module)?)
}

/// The wall clock is followed while it is no further away than this.
const MOST_DRIFT_MS: u64 = 60_000;

struct Clock {
    since: Instant,
    /// What the wall clock said then.
    wall_ms: u64,
    frozen_ms: Option<u64>,
}

impl Clock {
    fn now_ms(&mut self) -> u64 {
        if let Some(frozen_ms) = self.frozen_ms {
            return frozen_ms;
        }
        let passed_ms = self.since.elapsed().as_millis();
        let expected_ms = self.wall_ms.saturating_add(u64::try_from(passed_ms).unwrap_or(u64::MAX));
        let told_ms = wall_ms();
        if told_ms.abs_diff(expected_ms) > MOST_DRIFT_MS {
            return expected_ms;
        }
        (self.since, self.wall_ms) = (Instant::now(), told_ms);
        told_ms
    }
}

fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

struct Books {
    ledger: ledger::Ledger,
    clock: Clock,
}

type Local = Arc<Mutex<Books>>;
type Row = (usize, String, u64, i64, i64, Option<u64>);

fn lock(shared: &Local) -> MutexGuard<'_, Books> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[pyclass(frozen, module = "dragoman._core")]
struct Ledger {
    books: Local,
}

#[pyclass(frozen, module = "dragoman._core")]
pub struct LedgerScope {
    scope: Counted,
    #[pyo3(get)]
    pub counts_tokens: bool,
    #[pyo3(get)]
    pub counts_cost: bool,
}

/// Accounts of this process, or of all that share a server.
enum Counted {
    Here(ledger::Scope, Local),
    There(Arc<remote::Scope>),
}

#[pyclass(frozen, module = "dragoman._core")]
pub struct Hold {
    held: Mutex<Option<Held>>,
    #[pyo3(get)]
    shadowed: Vec<usize>,
    pub left: Lefts,
}

enum Held {
    Here(ledger::Hold, Local),
    There(Box<shared::hold::Hold>, Remote),
}

#[pyclass(frozen, get_all, module = "dragoman._core")]
struct Refused {
    rule: usize,
    who: String,
    used: i64,
    asked: i64,
    wait_s: Option<f64>,
}

#[pyclass(frozen, get_all, module = "dragoman._core")]
struct Standing {
    rule: usize,
    who: String,
    spent: i64,
    held: i64,
    resets_s: Option<f64>,
}

#[derive(IntoPyObject)]
enum Answer {
    Held(Hold),
    Refused(Refused),
}

fn measure(name: &str) -> PyResult<Measure> {
    match name {
        "requests" => Ok(Measure::Requests),
        "tokens" => Ok(Measure::Tokens),
        "concurrent" => Ok(Measure::Concurrent),
        "cost" => Ok(Measure::Cost),
        _ => Err(PyValueError::new_err(format!("there is no measure {name:?}"))),
    }
}

fn period(name: &str, sliding_s: Option<f64>) -> PyResult<Period> {
    match (name, sliding_s) {
        ("sliding", Some(seconds)) if (0.001..=1e9).contains(&seconds) =>
        {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in range")]
            Ok(Period::Sliding((seconds * 1e3).round() as u64))
        }
        ("day", None) => Ok(Period::Day),
        ("week", None) => Ok(Period::Week),
        ("month", None) => Ok(Period::Month),
        ("year", None) => Ok(Period::Year),
        ("ever", None) => Ok(Period::Ever),
        _ => Err(PyValueError::new_err(format!("there is no period {name:?} of {sliding_s:?} seconds"))),
    }
}

/// When the slot of a period began that a moment falls into, and when it no longer counts.
#[pyfunction]
#[pyo3(signature = (period, sliding_s, now_ms))]
fn period_slot(period: &str, sliding_s: Option<f64>, now_ms: u64) -> PyResult<(u64, Option<u64>)> {
    let period = self::period(period, sliding_s)?;
    let slot_ms = period.slot(now_ms);
    Ok((slot_ms, period.leaves(slot_ms)))
}

fn rule_of(
    (name, measure, most): (&str, &str, i64),
    (period, sliding_s): (&str, Option<f64>),
    (enforced, durable): (bool, bool),
    mut levels: Vec<f64>,
) -> PyResult<Rule> {
    if most < 0 || levels.iter().any(|level| !level.is_finite() || *level <= 0.0) {
        return Err(PyValueError::new_err("most must not be below zero, and levels must be above"));
    }
    levels.sort_by(f64::total_cmp);
    let (measure, period) = (self::measure(measure)?, self::period(period, sliding_s)?);
    Ok(Rule { name: name.into(), measure, period, most, enforced, durable, levels })
}

fn row(figure: Figure) -> Row {
    (figure.rule, figure.who, figure.slot_ms, figure.spent, figure.claimed, figure.leaves_ms)
}

fn figure((rule, who, slot_ms, spent, claimed, leaves_ms): Row) -> Figure {
    Figure { rule, who, slot_ms, spent, claimed, leaves_ms }
}

type Left = (i64, i64, Option<f64>);

/// What is left, with how long until the oldest leaves.
fn lefts([requests, tokens]: [Option<ledger::Left>; 2], now_ms: u64) -> Lefts {
    let resets_s = |left: &ledger::Left| Some(seconds(left.resets_ms?.saturating_sub(now_ms)));
    let told = |left: ledger::Left| (left.most, left.left, resets_s(&left));
    Lefts { requests: requests.map(told), tokens: tokens.map(told) }
}

impl From<ledger::Refusal> for Refused {
    fn from(refusal: ledger::Refusal) -> Self {
        Self {
            rule: refusal.rule,
            who: refusal.who,
            used: refusal.used,
            asked: refusal.asked,
            wait_s: refusal.wait_ms.map(seconds),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a calendar fit a double")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1e3
}

#[pymethods]
impl Ledger {
    #[new]
    fn new() -> Self {
        let clock = Clock { since: Instant::now(), wall_ms: wall_ms(), frozen_ms: None };
        Self { books: Arc::new(Mutex::new(Books { ledger: ledger::Ledger::default(), clock })) }
    }

    #[pyo3(signature = (name, measure, most, *, period, sliding_s = None, enforced = true, durable = false, levels = vec![]))]
    #[pyo3(
        text_signature = "($self, name, measure, most, *, period, sliding_s=None, enforced=True, durable=False, levels=[])"
    )]
    #[expect(clippy::too_many_arguments, reason = "each is a keyword in Python")]
    fn rule(
        &self,
        name: &str,
        measure: &str,
        most: i64,
        period: &str,
        sliding_s: Option<f64>,
        enforced: bool,
        durable: bool,
        levels: Vec<f64>,
    ) -> PyResult<usize> {
        let rule = rule_of((name, measure, most), (period, sliding_s), (enforced, durable), levels)?;
        Ok(lock(&self.books).ledger.rule(rule))
    }

    fn scope(&self, parts: Vec<(usize, String)>) -> PyResult<LedgerScope> {
        let mut books = lock(&self.books);
        let scope = books.ledger.scope(parts.iter().map(|(rule, who)| (*rule, who.as_str())));
        let scope = scope.ok_or_else(too_many)?;
        Ok(LedgerScope {
            counts_tokens: books.ledger.measures(&scope, Measure::Tokens),
            counts_cost: books.ledger.measures(&scope, Measure::Cost),
            scope: Counted::Here(scope, Arc::clone(&self.books)),
        })
    }

    #[pyo3(signature = (scope, *, requests = 1, tokens = 0, cost_nanousd = 0))]
    fn reserve(
        &self,
        scope: &LedgerScope,
        requests: i64,
        tokens: i64,
        cost_nanousd: i64,
    ) -> PyResult<Option<Answer>> {
        let most = amounts(requests, tokens, cost_nanousd)?;
        let scope = self.own(scope)?;
        let mut books = lock(&self.books);
        let now_ms = books.clock.now_ms();
        Ok(match books.ledger.reserve(scope, most, now_ms) {
            Reserved::Held(hold) => Some(Answer::Held(Hold::here(hold, &self.books, now_ms))),
            Reserved::Refused(refusal) => Some(Answer::Refused(refusal.into())),
            Reserved::Unclaimed => None,
        })
    }

    fn take(
        &self,
        py: Python<'_>,
        scope: &LedgerScope,
        priced: (Py<bound::Pricing>, Py<RequestBody>),
        given: u64,
        unsaid: u64,
    ) -> PyResult<Option<Hold>> {
        let (pricing, body) = (priced.0.get(), priced.1.get());
        let (tokens, cost_nanousd) = pricing.of_chat(body.bytes.as_bytes(py), &body.read, given, unsaid);
        let (Ok(tokens), Ok(cost_nanousd)) = (i64::try_from(tokens), i64::try_from(cost_nanousd)) else {
            return Ok(None);
        };
        let answer = self.reserve(scope, 1, tokens, cost_nanousd)?;
        Ok(match answer {
            Some(Answer::Held(hold)) => Some(hold),
            Some(Answer::Refused(_)) | None => None,
        })
    }

    #[pyo3(signature = (scope = None))]
    fn standings(&self, scope: Option<&LedgerScope>) -> PyResult<Vec<Standing>> {
        let scope = scope.map(|scope| self.own(scope)).transpose()?;
        let mut books = lock(&self.books);
        let now_ms = books.clock.now_ms();
        let standings = match scope {
            Some(scope) => books.ledger.standings(scope, now_ms),
            None => books.ledger.all(now_ms),
        };
        Ok(standings.into_iter().map(|one| shown(one, now_ms)).collect())
    }

    #[getter]
    fn held(&self) -> i64 {
        lock(&self.books).ledger.held()
    }

    fn unsaved(&self) -> Vec<Row> {
        lock(&self.books).ledger.unsaved().into_iter().map(row).collect()
    }

    fn saved(&self, rows: Vec<Row>) {
        let figures: Vec<Figure> = rows.into_iter().map(figure).collect();
        lock(&self.books).ledger.saved(&figures);
    }

    fn closing(&self) -> Vec<Row> {
        lock(&self.books).ledger.closing().into_iter().map(row).collect()
    }

    fn restore(&self, rows: Vec<Row>) {
        let mut books = lock(&self.books);
        for one in rows {
            books.ledger.restore(&figure(one));
        }
    }

    fn crossings(&self) -> Vec<(usize, String, f64, i64)> {
        let crossings = lock(&self.books).ledger.crossings();
        crossings.into_iter().map(|one| (one.rule, one.who, one.level, one.spent)).collect()
    }

    fn sweep(&self) {
        let mut books = lock(&self.books);
        let now_ms = books.clock.now_ms();
        books.ledger.sweep(now_ms);
    }

    #[getter]
    fn now_ms(&self) -> u64 {
        lock(&self.books).clock.now_ms()
    }

    fn freeze(&self, now_ms: u64) {
        lock(&self.books).clock.frozen_ms = Some(now_ms);
    }
}

impl Ledger {
    fn own<'a>(&self, scope: &'a LedgerScope) -> PyResult<&'a ledger::Scope> {
        match &scope.scope {
            Counted::Here(scope, books) if Arc::ptr_eq(books, &self.books) => Ok(scope),
            _ => Err(another_ledger()),
        }
    }
}

fn shown(one: ledger::Standing, now_ms: u64) -> Standing {
    Standing {
        rule: one.rule,
        who: one.who,
        spent: one.spent,
        held: one.held,
        resets_s: one.resets_ms.map(|resets_ms| seconds(resets_ms.saturating_sub(now_ms))),
    }
}

fn another_ledger() -> PyErr {
    PyValueError::new_err("the scope is another ledger's")
}

fn too_many() -> PyErr {
    PyOverflowError::new_err("limits are counted for too many names at a time")
}

fn amounts(requests: i64, tokens: i64, cost: i64) -> PyResult<Amounts> {
    if requests < 0 || tokens < 0 || cost < 0 {
        return Err(PyValueError::new_err("nothing is used that is below zero"));
    }
    Ok(Amounts { requests, tokens, cost })
}

impl LedgerScope {
    /// Holds what a request may come to. `None`: it is refused, or would be if every rule were enforced; or it is to be
    /// written down first, or those that count it do not answer.
    pub async fn take(&self, tokens: u64, cost_nanousd: u64) -> Option<Hold> {
        let (tokens, cost) = (i64::try_from(tokens).ok()?, i64::try_from(cost_nanousd).ok()?);
        let most = Amounts { requests: 1, tokens, cost };
        match &self.scope {
            Counted::Here(scope, books) => take_here(scope, books, most),
            Counted::There(scope) => scope.take(most).await,
        }
    }
}

fn take_here(scope: &ledger::Scope, books: &Local, most: Amounts) -> Option<Hold> {
    let mut open = lock(books);
    let now_ms = open.clock.now_ms();
    let Reserved::Held(hold) = open.ledger.reserve(scope, most, now_ms) else { return None };
    if !hold.shadowed.is_empty() {
        open.ledger.settle(hold, Amounts::default());
        return None;
    }
    Some(Hold::here(hold, books, now_ms))
}

impl Drop for LedgerScope {
    fn drop(&mut self) {
        if let Counted::Here(scope, books) = &self.scope {
            lock(books).ledger.forget(scope);
        }
    }
}

impl Hold {
    fn here(mut hold: ledger::Hold, books: &Local, now_ms: u64) -> Self {
        let (shadowed, left) = (std::mem::take(&mut hold.shadowed), lefts(hold.left, now_ms));
        Self { held: Mutex::new(Some(Held::Here(hold, Arc::clone(books)))), shadowed, left }
    }

    fn there(mut hold: shared::hold::Hold, remote: Remote) -> Self {
        let (shadowed, left) = (std::mem::take(&mut hold.shadowed), lefts(hold.left, 0));
        Self { held: Mutex::new(Some(Held::There(Box::new(hold), remote))), shadowed, left }
    }

    /// Ends it, once; `None`: what was used is not known.
    pub fn end(&self, used: Option<Amounts>) -> bool {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (held, used) {
            (None, _) => return false,
            (Some(Held::Here(hold, books)), Some(used)) => lock(&books).ledger.settle(hold, used),
            (Some(Held::Here(hold, books)), None) => lock(&books).ledger.keep(hold),
            (Some(Held::There(hold, remote)), used) => remote.end(*hold, used),
        }
        true
    }
}

#[pymethods]
impl Hold {
    #[pyo3(signature = (*, tokens = 0, cost_nanousd = 0, requests = 1))]
    fn settle(&self, tokens: i64, cost_nanousd: i64, requests: i64) -> PyResult<bool> {
        Ok(self.end(Some(amounts(requests, tokens, cost_nanousd)?)))
    }

    pub fn release(&self) -> bool {
        self.end(Some(Amounts::default()))
    }

    #[getter]
    fn requests_left(&self) -> Option<Left> {
        self.left.requests
    }

    #[getter]
    fn tokens_left(&self) -> Option<Left> {
        self.left.tokens
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        self.left.headers()
    }

    #[getter]
    fn is_open(&self) -> bool {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

impl Drop for Hold {
    /// One that nobody settled is never free.
    fn drop(&mut self) {
        self.end(None);
    }
}
