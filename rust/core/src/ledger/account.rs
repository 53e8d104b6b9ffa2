//! What one limit has counted for one of those it is about.

use std::collections::VecDeque;

use super::rule::Rule;

/// What was used in one slot of time.
#[derive(Clone, Debug, Default)]
pub struct Slot {
    pub start_ms: u64,
    /// Of what has ended.
    pub spent: i64,
    /// Of what is under way, at the most that it may come to.
    pub held: i64,
    /// What has been written down as spent, ahead of the spending: a crash forgets nothing below it.
    pub claimed: i64,
    /// What is to be claimed.
    pub wanted: i64,
    /// The figures that were written down last.
    pub saved: i64,
    pub saved_claim: i64,
    /// Whether less is to be written down than is written.
    is_lowered: bool,
    /// What the last request held.
    last: i64,
}

impl Slot {
    pub fn used(&self) -> i64 {
        self.spent.saturating_add(self.held)
    }

    /// What is to be written down as claimed: more before it is needed, so that nobody waits for it, and less where much
    /// more than is needed is claimed. That is given back here before it is there, so that nothing is relied on that is
    /// not written.
    fn claim(&mut self, rule: &Rule) -> i64 {
        let (lease, needed) = (rule.lease(self.last), rule.claim(self.used(), self.last));
        if self.wanted > self.claimed && self.wanted <= self.saved_claim {
            self.claimed = self.saved_claim;
        }
        if self.wanted > self.claimed {
            return self.wanted.max(needed);
        }
        self.wanted = 0;
        if self.claimed.saturating_sub(self.used()) < lease / 2 {
            return needed.max(self.claimed);
        }
        if self.claimed > needed.saturating_add(lease) {
            self.claimed = needed;
            self.saved_claim = self.saved_claim.min(needed);
            self.is_lowered = true;
        }
        self.claimed
    }
}

#[derive(Debug)]
pub struct Account {
    pub rule: usize,
    pub who: Box<str>,
    /// Scopes and holds that stand on it.
    pub refs: u32,
    /// Whether it is among those that have something to be written down.
    pub is_listed: bool,
    /// Oldest first; all of them count.
    slots: VecDeque<Slot>,
    /// No longer counting, but something of them is still under way or unwritten.
    late: Vec<Slot>,
    /// How many of the rule's levels have been told of.
    told: usize,
    spent: i64,
    held: i64,
}

impl Account {
    pub fn new(rule: usize, who: &str) -> Self {
        Self {
            rule,
            who: who.into(),
            refs: 0,
            is_listed: false,
            slots: VecDeque::new(),
            late: Vec::new(),
            told: 0,
            spent: 0,
            held: 0,
        }
    }

    pub fn spent(&self) -> i64 {
        self.spent
    }

    pub fn held(&self) -> i64 {
        self.held
    }

    pub fn used(&self) -> i64 {
        self.spent.saturating_add(self.held)
    }

    /// Whether it counts nothing and nobody stands on it.
    pub fn is_idle(&self, rule: &Rule) -> bool {
        let counts_nothing = self.slots.is_empty() || (!rule.durable && self.spent == 0 && self.held == 0);
        self.refs == 0 && counts_nothing && self.late.is_empty()
    }

    /// Lets go of what no longer counts.
    pub fn roll(&mut self, rule: &Rule, now_ms: u64) {
        while let Some(first) = self.slots.front() {
            if rule.period.leaves(first.start_ms).is_none_or(|leaves| leaves > now_ms) {
                return;
            }
            let Some(slot) = self.slots.pop_front() else { return };
            self.spent = self.spent.saturating_sub(slot.spent);
            self.held = self.held.saturating_sub(slot.held);
            if slot.held != 0 || (rule.durable && slot.spent != slot.saved) {
                self.late.push(slot);
            }
            self.told = rule.levels_below(self.spent);
        }
    }

    /// How long until `amount` more fits if nothing else comes; `None`: it never does.
    pub fn wait_ms(&self, rule: &Rule, amount: i64, now_ms: u64) -> Option<u64> {
        let mut used = self.used();
        for slot in &self.slots {
            used = used.saturating_sub(slot.used());
            if used.saturating_add(amount) <= rule.most {
                return rule.period.leaves(slot.start_ms).map(|leaves| leaves.saturating_sub(now_ms));
            }
        }
        None
    }

    /// When the oldest of what counts leaves.
    pub fn resets_ms(&self, rule: &Rule, now_ms: u64) -> Option<u64> {
        let start_ms = self.slots.front().map_or_else(|| rule.period.slot(now_ms), |slot| slot.start_ms);
        rule.period.leaves(start_ms)
    }

    /// The slot of now. Where the clock went back, the latest: nothing is used twice, and nothing comes back.
    fn current(&mut self, rule: &Rule, now_ms: u64) -> Option<&mut Slot> {
        let start_ms = rule.period.slot(now_ms);
        if self.slots.back().is_none_or(|slot| slot.start_ms < start_ms) {
            self.slots.push_back(Slot { start_ms, ..Slot::default() });
        }
        self.slots.back_mut()
    }

    /// Whether so much more is written down as spent already; if not, that it is to be.
    pub fn is_claimed(&mut self, rule: &Rule, amount: i64, now_ms: u64) -> bool {
        let Some(slot) = self.current(rule, now_ms) else { return false };
        let need = slot.used().saturating_add(amount);
        if need > slot.claimed {
            slot.wanted = slot.wanted.max(rule.claim(need, amount));
            slot.last = slot.last.max(amount);
        }
        need <= slot.claimed
    }

    /// Holds so much; says in which slot.
    pub fn hold(&mut self, rule: &Rule, amount: i64, now_ms: u64) -> u64 {
        self.held = self.held.saturating_add(amount);
        let Some(slot) = self.current(rule, now_ms) else { return 0 };
        slot.held = slot.held.saturating_add(amount);
        slot.last = amount;
        slot.start_ms
    }

    /// Ends a hold, in whose place `spent` was used. Returns the levels that this crosses.
    pub fn end(&mut self, rule: &Rule, start_ms: u64, held: i64, spent: i64) -> std::ops::Range<usize> {
        let live = self.slots.iter_mut().rev().find(|slot| slot.start_ms == start_ms);
        let is_live = live.is_some();
        if let Some(slot) = live.or_else(|| self.late.iter_mut().find(|slot| slot.start_ms == start_ms)) {
            slot.held = slot.held.saturating_sub(held);
            slot.spent = slot.spent.saturating_add(spent);
        }
        if !is_live {
            self.forget_late(rule);
            return 0..0;
        }
        self.held = self.held.saturating_sub(held);
        self.spent = self.spent.saturating_add(spent);
        let reached = rule.levels_below(self.spent);
        let crossed = self.told..reached.max(self.told);
        self.told = crossed.end;
        crossed
    }

    fn forget_late(&mut self, rule: &Rule) {
        self.late.retain(|slot| slot.held != 0 || (rule.durable && slot.spent != slot.saved));
    }

    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().chain(&self.late)
    }

    /// Slots that are to be written down, and with which claim.
    pub fn unsaved(&mut self, rule: &Rule) -> Vec<(Slot, i64)> {
        let claims = self.slots.iter_mut().chain(&mut self.late).map(|slot| (slot.claim(rule), slot));
        let changed = claims.filter(|(claim, slot)| {
            slot.spent != slot.saved || *claim != slot.saved_claim || slot.is_lowered
        });
        changed.map(|(claim, slot)| (slot.clone(), claim)).collect()
    }

    /// A slot has been written down.
    pub fn saved(&mut self, rule: &Rule, start_ms: u64, spent: i64, claimed: i64) {
        if let Some(slot) = self.slots.iter_mut().chain(&mut self.late).find(|slot| slot.start_ms == start_ms)
        {
            slot.is_lowered = false;
            slot.saved = spent;
            slot.saved_claim = claimed;
            slot.claimed = slot.claimed.max(claimed);
            if slot.wanted <= slot.claimed {
                slot.wanted = 0;
            }
        }
        self.forget_late(rule);
    }

    /// What was written down before a start counts as spent.
    pub fn restore(&mut self, rule: &Rule, start_ms: u64, spent: i64) {
        let place = self.slots.partition_point(|slot| slot.start_ms < start_ms);
        if self.slots.get(place).is_some_and(|slot| slot.start_ms == start_ms) {
            return;
        }
        let slot =
            Slot { start_ms, spent, claimed: spent, saved: spent, saved_claim: spent, ..Slot::default() };
        self.slots.insert(place, slot);
        self.spent = self.spent.saturating_add(spent);
        self.told = rule.levels_below(self.spent);
    }
}
