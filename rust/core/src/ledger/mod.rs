//! Who may still use how much: every limit that a request falls under is charged at once before it is sent, or none is.
//!
//! Why not check and then add up: requests that come together all pass the check before any of them has been added, and
//! the more there are, the more is overspent. Here the most that a request may come to is *held* first and the truth
//! *settled* afterwards, both under one lock, so the sum of what was spent and of what is held never passes a limit.
//! A request that comes to more than was held is recorded as it is, and the next one is refused.
//!
//! What must outlive the process (`Rule::durable`) is written down *ahead* of the spending, in leases of a hundredth of
//! the limit (or of one request): a crash forgets nothing, and counts at most one lease too much. Nobody waits for the writing but the first
//! request of a period, and those that come faster than leases are written.

mod account;
mod bound;
mod period;
mod rule;
mod told;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use account::Account;
pub use bound::{Asked, Ceiling, Priced, bound, given_at_most};
pub use period::Period;
pub use rule::{Amounts, Measure, Rule};
pub use told::duration;

/// Limits are counted for names that clients choose (end users, tags): there are no more than so many at a time.
pub const MAX_ACCOUNTS: usize = 1_000_000;

/// The accounts that a kind of request falls under.
#[derive(Debug, Default)]
pub struct Scope {
    accounts: Vec<usize>,
}

/// What is held for one request. It must be settled or released.
#[derive(Debug)]
pub struct Hold {
    lines: Vec<Line>,
    /// Rules that are not enforced, and would have refused.
    pub shadowed: Vec<usize>,
    /// What is left of requests, and of tokens, under the limit that has the least left.
    pub left: [Option<Left>; 2],
}

/// What is left of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    pub most: i64,
    pub left: i64,
    pub resets_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    account: usize,
    slot_ms: u64,
    amount: i64,
}

#[derive(Debug)]
pub enum Reserved {
    Held(Hold),
    Refused(Refusal),
    /// More has to be written down first (`unsaved`); then ask again.
    Unclaimed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub rule: usize,
    pub who: String,
    pub used: i64,
    pub asked: i64,
    /// Until it fits if nothing else comes; `None`: waiting does not help.
    pub wait_ms: Option<u64>,
}

/// What a limit stands at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub rule: usize,
    pub who: String,
    pub spent: i64,
    pub held: i64,
    pub resets_ms: Option<u64>,
}

/// A figure to be written down, or one that was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    pub rule: usize,
    pub who: String,
    pub slot_ms: u64,
    pub spent: i64,
    pub claimed: i64,
    /// When it no longer counts; `None`: it always does.
    pub leaves_ms: Option<u64>,
}

/// A level that was crossed.
#[derive(Clone, Debug, PartialEq)]
pub struct Crossing {
    pub rule: usize,
    pub who: String,
    pub level: f64,
    pub spent: i64,
}

/// Until a request under way ends nobody knows when the next fits.
const CONCURRENT_WAIT_MS: u64 = 1_000;

#[derive(Debug, Default)]
pub struct Ledger {
    rules: Vec<Rule>,
    numbers: HashMap<(Box<str>, Measure, Period), usize>,
    accounts: Vec<Option<Account>>,
    free: Vec<usize>,
    index: HashMap<(usize, Box<str>), usize>,
    crossings: Vec<Crossing>,
    /// Accounts that have something to be written down.
    listed: Vec<usize>,
    now_ms: u64,
}

impl Ledger {
    /// The number of a rule. One of the same name, measure and period keeps its number and all that it has counted.
    pub fn rule(&mut self, rule: Rule) -> usize {
        let number =
            *self.numbers.entry((rule.name.clone(), rule.measure, rule.period)).or_insert(self.rules.len());
        match self.rules.get_mut(number) {
            Some(known) => *known = rule,
            None => self.rules.push(rule),
        }
        number
    }

    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The accounts of rules and of those whom they count for; `None`: there are too many. Give it back with `forget`.
    pub fn scope<'a>(&mut self, parts: impl Iterator<Item = (usize, &'a str)>) -> Option<Scope> {
        let mut scope = Scope::default();
        let known = self.rules.len();
        for (rule, who) in parts.filter(|(rule, _)| *rule < known) {
            let Some(number) = self.account(rule, who) else {
                self.forget(&scope);
                return None;
            };
            self.refer(number, 1);
            scope.accounts.push(number);
        }
        Some(scope)
    }

    pub fn forget(&mut self, scope: &Scope) {
        for &number in &scope.accounts {
            self.refer(number, -1);
        }
    }

    /// Whether anything of a scope is counted so.
    pub fn measures(&self, scope: &Scope, measure: Measure) -> bool {
        self.of_scope(scope).any(|(rule, _)| rule.measure == measure)
    }

    /// Charges every account with the most that a request may come to, or none.
    pub fn reserve(&mut self, scope: &Scope, most: Amounts, now_ms: u64) -> Reserved {
        let now_ms = self.clock(now_ms);
        let mut refusal: Option<Refusal> = None;
        let (mut shadowed, mut unclaimed) = (Vec::new(), false);
        for &number in &scope.accounts {
            let Some((rule, account)) = pair(&self.rules, &mut self.accounts, number) else { continue };
            account.roll(rule, now_ms);
            let amount = rule.of(most);
            if account.used().saturating_add(amount) <= rule.most {
                // What refuses nobody is not waited for.
                unclaimed |= rule.durable && rule.enforced && !account.is_claimed(rule, amount, now_ms);
            } else if rule.enforced {
                let latest = refused(rule, account, amount, now_ms);
                if refusal.as_ref().is_none_or(|known| is_longer(latest.wait_ms, known.wait_ms)) {
                    refusal = Some(latest);
                }
            } else {
                shadowed.push(account.rule);
            }
        }
        match refusal {
            Some(refusal) => Reserved::Refused(refusal),
            None if unclaimed => {
                self.list(scope);
                Reserved::Unclaimed
            }
            None => {
                let mut hold = Hold { lines: Vec::new(), shadowed, left: [None; 2] };
                self.hold(&mut hold, scope, most, now_ms);
                Reserved::Held(hold)
            }
        }
    }

    /// Puts what was used in the place of what was held.
    pub fn settle(&mut self, hold: Hold, used: Amounts) {
        for line in hold.lines {
            self.end(line, |rule| rule.spent(used));
        }
    }

    /// Settles at what was held: what a request came to is not known.
    pub fn keep(&mut self, hold: Hold) {
        for line in hold.lines {
            self.end(line, |rule| if rule.measure == Measure::Concurrent { 0 } else { line.amount });
        }
    }

    fn end(&mut self, line: Line, spent: impl Fn(&Rule) -> i64) {
        let Some((rule, account)) = pair(&self.rules, &mut self.accounts, line.account) else { return };
        let crossed = account.end(rule, line.slot_ms, line.amount, spent(rule));
        account.refs = account.refs.saturating_sub(1);
        let reached = rule.levels.get(crossed).unwrap_or_default();
        for &level in reached {
            let (who, spent) = (account.who.to_string(), account.spent());
            self.crossings.push(Crossing { rule: account.rule, who, level, spent });
        }
        self.list_one(line.account);
    }

    /// What the accounts of a scope stand at, in their order.
    pub fn standings(&mut self, scope: &Scope, now_ms: u64) -> Vec<Standing> {
        let now_ms = self.clock(now_ms);
        let numbers = scope.accounts.iter().copied();
        numbers.filter_map(|number| standing(&self.rules, &mut self.accounts, number, now_ms)).collect()
    }

    /// What all accounts stand at.
    pub fn all(&mut self, now_ms: u64) -> Vec<Standing> {
        let now_ms = self.clock(now_ms);
        let numbers = 0..self.accounts.len();
        numbers.filter_map(|number| standing(&self.rules, &mut self.accounts, number, now_ms)).collect()
    }

    /// The sum of what is held, of every measure.
    pub fn held(&self) -> i64 {
        self.accounts.iter().flatten().map(Account::held).sum()
    }

    /// What is to be written down.
    pub fn unsaved(&mut self) -> Vec<Figure> {
        let mut figures = Vec::new();
        for &number in &self.listed {
            let Some((rule, account)) = pair(&self.rules, &mut self.accounts, number) else { continue };
            let slots = account.unsaved(rule);
            figures.extend(slots.iter().map(|(slot, claim)| figure(rule, account, slot, *claim)));
        }
        figures
    }

    /// Figures have been written down.
    pub fn saved(&mut self, figures: &[Figure]) {
        for figure in figures {
            let key = (figure.rule, Box::from(figure.who.as_str()));
            let Some(&number) = self.index.get(&key) else { continue };
            if let Some((rule, account)) = pair(&self.rules, &mut self.accounts, number) {
                account.saved(rule, figure.slot_ms, figure.spent, figure.claimed);
            }
        }
        let mut listed = std::mem::take(&mut self.listed);
        listed.retain(|&number| match pair(&self.rules, &mut self.accounts, number) {
            Some((rule, account)) => {
                let is_listed = !account.unsaved(rule).is_empty();
                account.is_listed = is_listed;
                is_listed
            }
            None => false,
        });
        self.listed = listed;
    }

    /// All that outlives the process, as it is to be found by the next: nothing is claimed beyond what is used.
    pub fn closing(&self) -> Vec<Figure> {
        let rule_of = |account: &Account| self.rules.get(account.rule).filter(|rule| rule.durable);
        let accounts =
            self.accounts.iter().flatten().filter_map(|account| Some((rule_of(account)?, account)));
        accounts
            .flat_map(|(rule, account)| account.slots().map(move |slot| figure(rule, account, slot, 0)))
            .collect()
    }

    /// Lets go of accounts that count nothing.
    pub fn sweep(&mut self, now_ms: u64) {
        let now_ms = self.clock(now_ms);
        for number in 0..self.accounts.len() {
            let Some((rule, account)) = pair(&self.rules, &mut self.accounts, number) else { continue };
            account.roll(rule, now_ms);
            if account.is_idle(rule) {
                self.remove(number);
            }
        }
    }

    /// What was written down before this start: all that was claimed counts as spent.
    pub fn restore(&mut self, figure: &Figure) {
        if let Some(number) = self.account(figure.rule, &figure.who)
            && let Some((rule, account)) = pair(&self.rules, &mut self.accounts, number)
        {
            account.restore(rule, figure.slot_ms, figure.claimed.max(figure.spent));
        }
    }

    /// Levels that were crossed since the last time.
    pub fn crossings(&mut self) -> Vec<Crossing> {
        std::mem::take(&mut self.crossings)
    }

    /// Time never goes back here, whatever the clock does.
    fn clock(&mut self, now_ms: u64) -> u64 {
        self.now_ms = self.now_ms.max(now_ms);
        self.now_ms
    }

    fn hold(&mut self, hold: &mut Hold, scope: &Scope, most: Amounts, now_ms: u64) {
        hold.lines.reserve_exact(scope.accounts.len());
        for &number in &scope.accounts {
            let Some((rule, account)) = pair(&self.rules, &mut self.accounts, number) else { continue };
            let amount = rule.of(most);
            let slot_ms = account.hold(rule, amount, now_ms);
            account.refs += 1;
            hold.lines.push(Line { account: number, slot_ms, amount });
            let told = match rule.measure {
                Measure::Requests => hold.left.first_mut(),
                Measure::Tokens => hold.left.last_mut(),
                _ => None,
            };
            if let Some(told) = told.filter(|_| rule.enforced) {
                let left = rule.most.saturating_sub(account.used());
                if told.is_none_or(|known| left < known.left) {
                    *told = Some(Left { most: rule.most, left, resets_ms: account.resets_ms(rule, now_ms) });
                }
            }
        }
        self.list(scope);
    }

    /// Has what changes on the accounts of a scope written down.
    fn list(&mut self, scope: &Scope) {
        for &number in &scope.accounts {
            self.list_one(number);
        }
    }

    fn list_one(&mut self, number: usize) {
        if let Some((rule, account)) = pair(&self.rules, &mut self.accounts, number)
            && rule.durable
            && !account.is_listed
        {
            account.is_listed = true;
            self.listed.push(number);
        }
    }

    fn account(&mut self, rule: usize, who: &str) -> Option<usize> {
        let key = (rule, Box::from(who));
        if let Some(&number) = self.index.get(&key) {
            return Some(number);
        }
        let account = Some(Account::new(rule, who));
        let number = match self.free.pop() {
            Some(number) => number,
            None if self.accounts.len() >= MAX_ACCOUNTS => return None,
            None => self.accounts.len(),
        };
        match self.accounts.get_mut(number) {
            Some(place) => *place = account,
            None => self.accounts.push(account),
        }
        self.index.insert(key, number);
        Some(number)
    }

    fn remove(&mut self, number: usize) {
        if let Some(account) = self.accounts.get_mut(number).and_then(Option::take) {
            self.index.remove(&(account.rule, account.who));
            self.free.push(number);
        }
    }

    fn refer(&mut self, number: usize, change: i32) {
        if let Some(Some(account)) = self.accounts.get_mut(number) {
            account.refs = account.refs.saturating_add_signed(change);
        }
    }

    fn of_scope<'a>(&'a self, scope: &'a Scope) -> impl Iterator<Item = (&'a Rule, &'a Account)> {
        let accounts = scope.accounts.iter().filter_map(|&number| self.accounts.get(number)?.as_ref());
        accounts.filter_map(|account| Some((self.rules.get(account.rule)?, account)))
    }
}

fn pair<'a>(
    rules: &'a [Rule],
    accounts: &'a mut [Option<Account>],
    number: usize,
) -> Option<(&'a Rule, &'a mut Account)> {
    let account = accounts.get_mut(number)?.as_mut()?;
    Some((rules.get(account.rule)?, account))
}

fn figure(rule: &Rule, account: &Account, slot: &account::Slot, claim: i64) -> Figure {
    Figure {
        rule: account.rule,
        who: account.who.to_string(),
        slot_ms: slot.start_ms,
        spent: slot.spent,
        claimed: claim.max(slot.used()),
        leaves_ms: rule.period.leaves(slot.start_ms),
    }
}

fn refused(rule: &Rule, account: &Account, amount: i64, now_ms: u64) -> Refusal {
    let wait_ms = match rule.measure {
        Measure::Concurrent => Some(CONCURRENT_WAIT_MS),
        _ => account.wait_ms(rule, amount, now_ms),
    };
    Refusal { rule: account.rule, who: account.who.to_string(), used: account.used(), asked: amount, wait_ms }
}

fn is_longer(wait: Option<u64>, than: Option<u64>) -> bool {
    match (wait, than) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(wait), Some(than)) => wait > than,
    }
}

fn standing(
    rules: &[Rule],
    accounts: &mut [Option<Account>],
    number: usize,
    now_ms: u64,
) -> Option<Standing> {
    let (rule, account) = pair(rules, accounts, number)?;
    account.roll(rule, now_ms);
    Some(Standing {
        rule: account.rule,
        who: account.who.to_string(),
        spent: account.spent(),
        held: account.held(),
        resets_ms: account.resets_ms(rule, now_ms),
    })
}
