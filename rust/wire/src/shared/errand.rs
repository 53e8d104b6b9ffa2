//! What the database is asked and told: it grants what may be spent here, and learns what was.
//!
//! Whoever asks has the account for two seconds at most, and nobody else asks about it meanwhile; an answer that comes
//! later counts for nothing here, and what was granted by it is found spent by the next to ask.

use super::ledger::Ledger;
use super::{Trouble, script};

/// About one account.
#[derive(Clone, Debug)]
pub struct Errand {
    pub key: String,
    pub token: String,
    pub id: String,
    pub most: i64,
    pub enforced: bool,
    pub slots: Vec<Slot>,
}

/// About one slot of it.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    pub slot_ms: i64,
    /// 0: never.
    pub ends_ms: i64,
    /// Less is of no use.
    pub needed: i64,
    pub wanted: i64,
    /// Granted, and given back.
    pub back: i64,
    /// Since the database was told.
    pub spent: i64,
}

/// What the database has answered.
#[derive(Clone, Debug)]
pub struct Granted {
    pub key: String,
    pub token: String,
    pub id: String,
    pub slots: Vec<GrantedSlot>,
}

#[derive(Clone, Copy, Debug)]
pub struct GrantedSlot {
    pub slot_ms: i64,
    pub ends_ms: i64,
    /// Now.
    pub more: i64,
    /// Ever, to whomever.
    pub in_all: i64,
    /// Of what was spent, so much is written.
    pub told: i64,
}

impl Ledger {
    /// What the database is to be told of, of some accounts.
    pub async fn collect(&self, token: &str) -> Result<Vec<Errand>, Trouble> {
        let line = self.shared.line()?;
        let mut call = self.call(&script::COLLECT, &line);
        call.arg(token);
        let found: Vec<Vec<redis::Value>> = self.shared.run(&line, &call).await?;
        Ok(found.iter().filter_map(|told| errand(told, token)).collect())
    }

    /// The database has answered.
    pub async fn grant(&self, granted: &[Granted]) -> Result<(), Trouble> {
        let line = self.shared.line()?;
        let mut call = self.call(&script::GRANT, &line);
        for one in granted {
            call.key(&one.key).arg(&one.token).arg(&one.id).arg(one.slots.len());
            for slot in &one.slots {
                call.arg(slot.slot_ms).arg(slot.ends_ms).arg(slot.more).arg(slot.in_all).arg(slot.told);
            }
        }
        let _: i64 = self.shared.run(&line, &call).await?;
        Ok(())
    }
}

fn errand(told: &[redis::Value], token: &str) -> Option<Errand> {
    let [key, id, most, enforced, rest @ ..] = told else { return None };
    let number = |value: &redis::Value| redis::from_redis_value_ref::<i64>(value).ok();
    let figures: Vec<i64> = rest.iter().filter_map(number).collect();
    let slots = figures.chunks(5).filter_map(|figures| {
        let [slot_ms, ends_ms, wanted, back, spent] = *figures else { return None };
        Some(Slot { slot_ms, ends_ms, needed: 0, wanted, back, spent })
    });
    Some(Errand {
        key: redis::from_redis_value_ref(key).ok()?,
        token: token.to_owned(),
        id: redis::from_redis_value_ref(id).ok()?,
        most: number(most)?,
        enforced: number(enforced)? != 0,
        slots: slots.collect(),
    })
}
