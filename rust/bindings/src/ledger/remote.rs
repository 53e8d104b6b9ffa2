//! `SharedLedger`: what `Ledger` is, counted in Redis for all processes.

use std::sync::{Arc, Mutex, PoisonError};

use dragoman_core::ledger::{Amounts, Measure};
use dragoman_wire::shared::errand::{Errand, Granted, GrantedSlot};
use dragoman_wire::shared::hold::Hold as There;
use dragoman_wire::shared::ledger::{Account, Ledger as Wire, Reserved, Scope as Accounts};
use pyo3::prelude::*;

use super::{Counted, Hold, LedgerScope, Refused, Standing};
use crate::redis::{Asked, Talk};

/// The ledger there, and the way to it.
#[derive(Clone)]
pub struct Remote {
    pub ledger: Arc<Wire>,
    pub talk: Talk,
}

impl Remote {
    /// Ends a hold, in the background.
    pub fn end(&self, hold: There, used: Option<Amounts>) {
        let ledger = self.ledger.clone();
        self.talk.runtime.spawn(async move { ledger.end(hold, used).await });
    }
}

/// Accounts, let go of when nobody asks about them any more.
pub struct Scope {
    accounts: Accounts,
    remote: Remote,
}

impl Scope {
    /// Holds what a request may come to. `None`: it is Python's to hold or to refuse, and nothing is held.
    ///
    /// It is asked for on the thread that ends are told on, so that it overtakes none of a request that is over.
    pub async fn take(self: &Arc<Self>, most: Amounts) -> Option<Hold> {
        let scope = self.clone();
        self.remote.talk.runtime.spawn(async move { scope.try_to_take(most).await }).await.ok().flatten()
    }

    async fn try_to_take(&self, most: Amounts) -> Option<Hold> {
        let ledger = &self.remote.ledger;
        let hold = ledger.take(&self.accounts, most).await?;
        if !hold.shadowed.is_empty() {
            ledger.end(hold, Some(Amounts::default())).await;
            return None;
        }
        Some(Hold::there(hold, self.remote.clone()))
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        self.remote.ledger.forget(&mut self.accounts);
    }
}

type ErrandSlot = (i64, i64, i64, i64, i64, i64);
type ErrandRow = (String, String, String, i64, bool, Vec<ErrandSlot>);
type GrantedRow = (String, String, String, Vec<(i64, i64, i64, i64, i64)>);

fn errand_row(errand: Errand) -> ErrandRow {
    let slots = errand.slots.iter();
    let slots = slots.map(|one| (one.slot_ms, one.ends_ms, one.needed, one.wanted, one.back, one.spent));
    (errand.key, errand.token, errand.id, errand.most, errand.enforced, slots.collect())
}

fn granted((key, token, id, slots): GrantedRow) -> Granted {
    let slots = slots.into_iter().map(|(slot_ms, ends_ms, more, in_all, told)| GrantedSlot {
        slot_ms,
        ends_ms,
        more,
        in_all,
        told,
    });
    Granted { key, token, id, slots: slots.collect() }
}

#[pyclass(frozen, module = "dragoman._core")]
pub struct SharedLedger {
    remote: Remote,
    /// Who is asked, so that each claim is known by its own name.
    collected: Mutex<u64>,
}

impl SharedLedger {
    pub fn new(remote: Remote) -> Self {
        Self { remote, collected: Mutex::new(0) }
    }

    fn own(&self, scope: &LedgerScope) -> PyResult<Arc<Scope>> {
        match &scope.scope {
            Counted::There(scope) if Arc::ptr_eq(&scope.remote.ledger, &self.remote.ledger) => {
                Ok(scope.clone())
            }
            _ => Err(super::another_ledger()),
        }
    }

    fn look(&self, py: Python<'_>, accounts: Option<Vec<Arc<Account>>>) -> Vec<Standing> {
        let ledger = self.remote.ledger.clone();
        let work = async move { ledger.standings(accounts.as_deref()).await.unwrap_or_default() };
        let found = self.remote.talk.wait(py, work).unwrap_or_default();
        // What comes from there says how long, not until when.
        found.into_iter().map(|one| super::shown(one, 0)).collect()
    }
}

#[pymethods]
impl SharedLedger {
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
        let rule = super::rule_of((name, measure, most), (period, sliding_s), (enforced, durable), levels)?;
        Ok(self.remote.ledger.rule(rule))
    }

    fn scope(&self, parts: Vec<(usize, String)>) -> PyResult<LedgerScope> {
        let ledger = &self.remote.ledger;
        let accounts = ledger.scope(parts.iter().map(|(rule, who)| (*rule, who.as_str())));
        let accounts = accounts.ok_or_else(super::too_many)?;
        Ok(LedgerScope {
            counts_tokens: ledger.measures(&accounts, Measure::Tokens),
            counts_cost: ledger.measures(&accounts, Measure::Cost),
            scope: Counted::There(Arc::new(Scope { accounts, remote: self.remote.clone() })),
        })
    }

    #[pyo3(signature = (scope, *, requests = 1, tokens = 0, cost_nanousd = 0))]
    fn reserve(
        &self,
        py: Python<'_>,
        scope: &LedgerScope,
        requests: i64,
        tokens: i64,
        cost_nanousd: i64,
    ) -> PyResult<Py<Asked>> {
        let most = super::amounts(requests, tokens, cost_nanousd)?;
        let (scope, ledger, remote) = (self.own(scope)?, self.remote.ledger.clone(), self.remote.clone());
        let work = async move { ledger.reserve(&scope.accounts, most).await };
        self.remote.talk.ask(py, work, move |py, answer| {
            Ok(match answer {
                Ok(Reserved::Held(hold)) => Py::new(py, Hold::there(hold, remote))?.into_any(),
                Ok(Reserved::Refused(refusal)) => Py::new(py, Refused::from(refusal))?.into_any(),
                Ok(Reserved::Unclaimed(errands)) => {
                    let rows: Vec<ErrandRow> = errands.into_iter().map(errand_row).collect();
                    rows.into_pyobject(py)?.into_any().unbind()
                }
                Err(_) => py.None(),
            })
        })
    }

    fn collect(&self, py: Python<'_>) -> Vec<ErrandRow> {
        let token = {
            let mut collected = self.collected.lock().unwrap_or_else(PoisonError::into_inner);
            *collected += 1;
            format!("{}-c{:x}", self.remote.ledger.process(), *collected)
        };
        let ledger = self.remote.ledger.clone();
        let work = async move { ledger.collect(&token).await.unwrap_or_default() };
        let found = self.remote.talk.wait(py, work).unwrap_or_default();
        found.into_iter().map(errand_row).collect()
    }

    fn grant(&self, py: Python<'_>, rows: Vec<GrantedRow>) -> bool {
        let (ledger, rows): (_, Vec<Granted>) =
            (self.remote.ledger.clone(), rows.into_iter().map(granted).collect());
        self.remote.talk.wait(py, async move { ledger.grant(&rows).await.is_ok() }).unwrap_or(false)
    }

    fn beat(&self, py: Python<'_>) -> bool {
        let ledger = self.remote.ledger.clone();
        let work = async move {
            ledger.settle_the_rest().await;
            ledger.beat().await.is_ok()
        };
        self.remote.talk.wait(py, work).unwrap_or(false)
    }

    /// Tells the rest, and that this process is none of those that share any more.
    fn leave(&self, py: Python<'_>) -> bool {
        let ledger = self.remote.ledger.clone();
        let work = async move {
            while ledger.settling() > 0 {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            ledger.settle_the_rest().await;
            ledger.unsettled() == 0 && ledger.leave().await.is_ok()
        };
        self.remote.talk.wait(py, work).unwrap_or(false)
    }

    #[pyo3(signature = (scope = None))]
    fn standings(&self, py: Python<'_>, scope: Option<&LedgerScope>) -> PyResult<Vec<Standing>> {
        let scope = scope.map(|scope| self.own(scope)).transpose()?;
        Ok(self.look(py, scope.map(|scope| Wire::accounts(&scope.accounts).to_vec())))
    }

    #[getter]
    fn held(&self, py: Python<'_>) -> i64 {
        self.look(py, None).iter().map(|one| one.held).sum()
    }

    #[getter]
    fn processes(&self) -> u64 {
        self.remote.ledger.processes()
    }

    #[getter]
    fn reaped(&self) -> u64 {
        self.remote.ledger.reaped()
    }

    #[getter]
    fn unsettled(&self) -> usize {
        self.remote.ledger.unsettled()
    }

    fn crossings(&self) -> Vec<(usize, String, f64, i64)> {
        let crossings = self.remote.ledger.crossings();
        crossings.into_iter().map(|one| (one.rule, one.who, one.level, one.spent)).collect()
    }

    #[getter]
    fn now_ms(&self) -> u64 {
        self.remote.ledger.now_ms()
    }

    fn freeze(&self, now_ms: u64) {
        self.remote.ledger.freeze(now_ms);
    }
}
