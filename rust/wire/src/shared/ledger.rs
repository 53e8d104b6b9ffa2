//! The ledger of several processes: the rules of [`dragoman_core::ledger`], counted in one place.
//!
//! One script charges every account of a request or none. What must outlive the server is *granted* by the database
//! ahead of the spending ([`super::errand`]), in leases as the ledger of one process claims them: so a server that comes
//! back with nothing forgets nothing, and what was granted and not used counts as spent, at most a lease a limit and what
//! was under way. What outlives nothing (a minute's requests, concurrency) begins anew with the server.
//!
//! Figures above 2^53 are taken for 2^53: scripts count in doubles.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dragoman_core::ledger::{
    Amounts, Crossing, Left, MAX_ACCOUNTS, Measure, Period, Refusal, Rule, Standing,
};
use redis::{Script, ScriptInvocation};

use super::errand::{self, Errand};
use super::hold::{Hold, Line as Held};
use super::{Line, Shared, Trouble, lock, script};

const MOST: i64 = (1 << 53) - 1;
/// How often those are asked again that wait for what others ask the database.
const AGAIN: Duration = Duration::from_millis(2);
/// What others ask the database is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(3);

/// The accounts that a kind of request falls under.
#[derive(Debug, Default)]
pub struct Scope {
    accounts: Vec<Arc<Account>>,
}

/// What one limit counts for one of those it is about.
#[derive(Debug)]
pub struct Account {
    pub rule: usize,
    pub who: Box<str>,
    /// Its key, without what all keys begin with.
    key: String,
    /// What the database knows it by: name, measure, period and who, separated.
    pub id: String,
}

#[derive(Debug)]
pub enum Reserved {
    Held(Hold),
    Refused(Refusal),
    /// The database has to be asked first; then ask again.
    Unclaimed(Vec<Errand>),
}

#[derive(Default)]
struct Books {
    rules: Vec<Arc<Rule>>,
    numbers: HashMap<(Box<str>, Measure, Period), usize>,
    accounts: HashMap<(usize, Box<str>), Arc<Account>>,
}

/// What is asked of an answer.
const HELD: i64 = 0;
const REFUSED: i64 = 1;
const CLAIM: i64 = 2;
const WAIT: i64 = 3;
const CLOCK: i64 = 4;

pub struct Ledger {
    pub(super) shared: Arc<Shared>,
    books: Mutex<Books>,
    /// What tells this process from all others, at all times.
    pub(super) process: String,
    asked: AtomicU64,
    frozen_ms: AtomicU64,
    pub(super) crossings: Mutex<Vec<Crossing>>,
    pub(super) unsettled: Mutex<Vec<super::hold::Ending>>,
    pub(super) settling: AtomicU64,
    pub(super) processes: AtomicU64,
    pub(super) reaped: AtomicU64,
}

impl Ledger {
    pub fn new(shared: Arc<Shared>, process: String) -> Self {
        Self {
            shared,
            books: Mutex::default(),
            process,
            asked: AtomicU64::new(0),
            frozen_ms: AtomicU64::new(0),
            crossings: Mutex::default(),
            unsettled: Mutex::default(),
            settling: AtomicU64::new(0),
            processes: AtomicU64::new(1),
            reaped: AtomicU64::new(0),
        }
    }

    /// The number of a rule. One of the same name, measure and period keeps its number and all that it has counted.
    pub fn rule(&self, rule: Rule) -> usize {
        let mut books = lock(&self.books);
        let next = books.rules.len();
        let number = *books.numbers.entry((rule.name.clone(), rule.measure, rule.period)).or_insert(next);
        match books.rules.get_mut(number) {
            Some(known) => *known = Arc::new(rule),
            None => books.rules.push(Arc::new(rule)),
        }
        number
    }

    /// The accounts of rules and of those whom they count for; `None`: there are too many. Give it back with `forget`.
    pub fn scope<'a>(&self, parts: impl Iterator<Item = (usize, &'a str)>) -> Option<Scope> {
        let mut books = lock(&self.books);
        let mut scope = Scope::default();
        for (number, who) in parts {
            let Some(rule) = books.rules.get(number).cloned() else { continue };
            let place = (number, Box::from(who));
            let known = books.accounts.get(&place).cloned();
            if known.is_none() && books.accounts.len() >= MAX_ACCOUNTS {
                return None;
            }
            let account = known.unwrap_or_else(|| Arc::new(Account::new(number, &rule, who)));
            books.accounts.entry(place).or_insert_with(|| account.clone());
            // Once, since a script reads all before it writes any.
            if !scope.accounts.iter().any(|known| Arc::ptr_eq(known, &account)) {
                scope.accounts.push(account);
            }
        }
        Some(scope)
    }

    /// Accounts that nobody asks about any more are let go of here. The server keeps what they count.
    pub fn forget(&self, scope: &mut Scope) {
        let mut books = lock(&self.books);
        for account in scope.accounts.drain(..) {
            // Here, and among those that are known.
            if Arc::strong_count(&account) <= 2 {
                books.accounts.remove(&(account.rule, account.who.clone()));
            }
        }
    }

    /// Whether anything of a scope is counted so.
    pub fn measures(&self, scope: &Scope, measure: Measure) -> bool {
        scope.accounts.iter().any(|account| self.rule_of(account).measure == measure)
    }

    pub(super) fn rule_of(&self, account: &Account) -> Arc<Rule> {
        let known = lock(&self.books).rules.get(account.rule).cloned();
        known.unwrap_or_else(|| Arc::new(nothing()))
    }

    /// Charges every account with the most that a request may come to, or none.
    ///
    /// Where the answer does not come, what may have been held is released again.
    pub async fn reserve(&self, scope: &Scope, most: Amounts) -> Result<Reserved, Trouble> {
        self.try_to_reserve(scope, most, true).await
    }

    /// The same, of what is granted already. `None`: not all of it is, or it is refused, or there is no answer.
    pub async fn take(&self, scope: &Scope, most: Amounts) -> Option<Hold> {
        match self.try_to_reserve(scope, most, false).await {
            Ok(Reserved::Held(hold)) => Some(hold),
            Ok(Reserved::Refused(_) | Reserved::Unclaimed(_)) | Err(_) => None,
        }
    }

    async fn try_to_reserve(&self, scope: &Scope, most: Amounts, can_ask: bool) -> Result<Reserved, Trouble> {
        let id = format!("{}-{:x}", self.process, self.asked.fetch_add(1, Ordering::Relaxed));
        let until = Instant::now() + PATIENCE;
        let mut said_ms = None;
        loop {
            let line = self.shared.line()?;
            let now_ms = said_ms.unwrap_or_else(|| self.time(&line));
            let mut call = self.call(&script::RESERVE, &line);
            let by_ms = match self.frozen() {
                0 => {
                    line.now_ms().saturating_add(u64::try_from(self.shared.timeout.as_millis()).unwrap_or(0))
                }
                _ => 0,
            };
            call.arg(by_ms).arg(&id).arg(u8::from(can_ask));
            self.add_accounts(&mut call, &line, &scope.accounts, most, now_ms);
            let answer: Vec<i64> = match self.shared.run(&line, &call).await {
                Ok(answer) => answer,
                Err(trouble) => {
                    self.let_go(Hold::unknown(id, &line.epoch));
                    return Err(trouble);
                }
            };
            let (kind, figures) = match answer.as_slice() {
                [kind, _, figures @ ..] => (*kind, figures),
                _ => return Err(Trouble::Down),
            };
            match kind {
                HELD => {
                    let mut hold = Hold::unknown(id, &line.epoch);
                    self.fill(&mut hold, scope, most, figures, unsigned(answer.get(1)));
                    return Ok(Reserved::Held(hold));
                }
                REFUSED => return refusal(self, scope, most, figures).ok_or(Trouble::Down),
                CLAIM => return Ok(Reserved::Unclaimed(self.claims(&line, scope, &id, figures))),
                CLOCK if said_ms.is_none() => said_ms = Some(unsigned(answer.get(1))),
                WAIT if Instant::now() < until => tokio::time::sleep(AGAIN).await,
                _ => return Err(Trouble::Down),
            }
        }
    }

    /// What the accounts of a scope stand at, in their order; without one, all that this process knows.
    pub async fn standings(&self, scope: Option<&[Arc<Account>]>) -> Result<Vec<Standing>, Trouble> {
        let accounts: Vec<Arc<Account>> = match scope {
            Some(accounts) => accounts.to_vec(),
            None => {
                let mut known: Vec<_> = lock(&self.books).accounts.values().cloned().collect();
                known.sort_by(|one, other| (one.rule, &one.who).cmp(&(other.rule, &other.who)));
                known
            }
        };
        let line = self.shared.line()?;
        let mut found = Vec::with_capacity(accounts.len());
        for some in accounts.chunks(100) {
            let mut call = self.call(&script::LOOK, &line);
            call.arg(0).arg("");
            self.add_accounts(&mut call, &line, some, Amounts::default(), self.time(&line));
            let (now_ms, figures): (u64, Vec<i64>) = self.shared.run(&line, &call).await?;
            for (account, figures) in some.iter().zip(figures.chunks(3)) {
                let [spent, held, resets_ms] = *figures else { continue };
                let resets_ms = ends(resets_ms).map(|at| at.saturating_sub(now_ms));
                let who = account.who.to_string();
                found.push(Standing { rule: account.rule, who, spent, held, resets_ms });
            }
        }
        Ok(found)
    }

    pub fn accounts(scope: &Scope) -> &[Arc<Account>] {
        &scope.accounts
    }

    /// Levels that were crossed by what this process settled, since the last time.
    pub fn crossings(&self) -> Vec<Crossing> {
        std::mem::take(&mut *lock(&self.crossings))
    }

    /// How many processes count here, as far as is known.
    pub fn processes(&self) -> u64 {
        self.processes.load(Ordering::Relaxed).max(1)
    }

    /// How many holds were ended here whose processes had ended.
    pub fn reaped(&self) -> u64 {
        self.reaped.load(Ordering::Relaxed)
    }

    /// What tells this process from all others.
    pub fn process(&self) -> &str {
        &self.process
    }

    /// What the server's clock says, as far as is known; without one, what this machine's says.
    pub fn now_ms(&self) -> u64 {
        match (self.frozen(), self.shared.line()) {
            (0, Ok(line)) => line.now_ms(),
            (0, Err(_)) => wall_ms(),
            (frozen, _) => frozen,
        }
    }

    /// Stops the clock there. For tests.
    pub fn freeze(&self, now_ms: u64) {
        self.frozen_ms.store(now_ms, Ordering::Relaxed);
    }

    pub(super) fn frozen(&self) -> u64 {
        self.frozen_ms.load(Ordering::Relaxed)
    }

    fn time(&self, line: &Line) -> u64 {
        match self.frozen() {
            0 => line.now_ms(),
            frozen => frozen,
        }
    }

    /// A script, with the keys and the argument that all of them take.
    pub(super) fn call<'a>(&self, script: &'a Script, line: &Line) -> ScriptInvocation<'a> {
        let mut call = script.prepare_invoke();
        call.key(self.holds_key(&line.epoch, &self.process))
            .key(self.key(&line.epoch, "dirty"))
            .arg(self.frozen());
        call
    }

    pub(super) fn key(&self, epoch: &str, name: &str) -> String {
        format!("{}{epoch}:{name}", self.shared.prefix)
    }

    pub(super) fn holds_key(&self, epoch: &str, process: &str) -> String {
        format!("{}{epoch}:h:{process}", self.shared.prefix)
    }

    fn add_accounts(
        &self,
        call: &mut ScriptInvocation<'_>,
        line: &Line,
        accounts: &[Arc<Account>],
        amounts: Amounts,
        now_ms: u64,
    ) {
        let rules: Vec<_> = accounts.iter().map(|account| self.rule_of(account)).collect();
        for (account, rule) in accounts.iter().zip(rules) {
            call.key(self.key(&line.epoch, &account.key));
            let flags = u8::from(rule.enforced) + 2 * u8::from(rule.durable) + 4 * code(rule.measure);
            call.arg(rule.most.min(MOST)).arg(rule.of(amounts).min(MOST)).arg(flags);
            match (rule.period, rule.period.width_ms()) {
                (Period::Sliding(span_ms), Some(width_ms)) => call.arg(width_ms).arg(span_ms).arg(0),
                (period, _) => {
                    let slot_ms = period.slot(now_ms);
                    call.arg(0).arg(slot_ms).arg(period.leaves(slot_ms).unwrap_or(0))
                }
            };
            call.arg(if rule.durable { &account.id } else { "" });
        }
    }

    /// What is held, and what is left.
    fn fill(&self, hold: &mut Hold, scope: &Scope, most: Amounts, figures: &[i64], now_ms: u64) {
        for (account, figures) in scope.accounts.iter().zip(figures.chunks(3)) {
            let [used, resets_ms, shadowed] = *figures else { continue };
            let rule = self.rule_of(account);
            hold.lines.push(Held { account: account.clone(), amount: rule.of(most) });
            if shadowed != 0 {
                hold.shadowed.push(account.rule);
            }
            let told = match rule.measure {
                Measure::Requests => hold.left.first_mut(),
                Measure::Tokens => hold.left.last_mut(),
                _ => None,
            };
            let left = rule.most.saturating_sub(used);
            if let Some(told) = told.filter(|_| rule.enforced)
                && told.is_none_or(|known| left < known.left)
            {
                let resets_ms = ends(resets_ms).map(|at| at.saturating_sub(now_ms));
                *told = Some(Left { most: rule.most, left, resets_ms });
            }
        }
    }

    fn claims(&self, line: &Line, scope: &Scope, token: &str, figures: &[i64]) -> Vec<Errand> {
        let claim = |figures: &[i64]| {
            let [place, slot_ms, ends_ms, needed, wanted] = *figures else { return None };
            let account = scope.accounts.get(usize::try_from(place).ok()?)?;
            let rule = self.rule_of(account);
            Some(Errand {
                key: self.key(&line.epoch, &account.key),
                token: token.to_owned(),
                id: account.id.clone(),
                most: rule.most,
                enforced: rule.enforced,
                slots: vec![errand::Slot { slot_ms, ends_ms, needed, wanted, back: 0, spent: 0 }],
            })
        };
        figures.chunks(5).filter_map(claim).collect()
    }
}

impl Account {
    fn new(number: usize, rule: &Rule, who: &str) -> Self {
        let period = match rule.period {
            Period::Sliding(ms) => format!("sliding:{ms}"),
            Period::Day => "day".into(),
            Period::Week => "week".into(),
            Period::Month => "month".into(),
            Period::Year => "year".into(),
            Period::Ever => "ever".into(),
        };
        let (name, measure) = (&rule.name, word(rule.measure));
        Self {
            rule: number,
            who: who.into(),
            key: format!("a:{}:{name}:{measure}:{period}:{who}", name.len()),
            id: format!("{name}\x1f{measure}\x1f{period}\x1f{who}"),
        }
    }
}

fn refusal(ledger: &Ledger, scope: &Scope, most: Amounts, figures: &[i64]) -> Option<Reserved> {
    let [place, used, wait_ms] = *figures else { return None };
    let account = scope.accounts.get(usize::try_from(place).ok()?)?;
    let asked = ledger.rule_of(account).of(most);
    let wait_ms = u64::try_from(wait_ms).ok();
    Some(Reserved::Refused(Refusal {
        rule: account.rule,
        who: account.who.to_string(),
        used,
        asked,
        wait_ms,
    }))
}

/// Of a rule that is not known: it cannot be, since they only become more.
fn nothing() -> Rule {
    Rule {
        name: "".into(),
        measure: Measure::Requests,
        period: Period::Ever,
        most: 0,
        enforced: false,
        durable: false,
        levels: Vec::new(),
    }
}

fn code(measure: Measure) -> u8 {
    match measure {
        Measure::Requests => 0,
        Measure::Tokens => 1,
        Measure::Concurrent => 2,
        Measure::Cost => 3,
    }
}

fn word(measure: Measure) -> &'static str {
    match measure {
        Measure::Requests => "requests",
        Measure::Tokens => "tokens",
        Measure::Concurrent => "concurrent",
        Measure::Cost => "cost",
    }
}

fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A moment, where 0 is never.
fn ends(at_ms: i64) -> Option<u64> {
    u64::try_from(at_ms).ok().filter(|at_ms| *at_ms > 0)
}

fn unsigned(figure: Option<&i64>) -> u64 {
    figure.and_then(|figure| u64::try_from(*figure).ok()).unwrap_or(0)
}
