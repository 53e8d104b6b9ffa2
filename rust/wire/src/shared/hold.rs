//! Holds, and their ends.
//!
//! An end is told to the server in the background. One that it does not take is told again once it is back, and changes
//! nothing a second time, since a hold ends once; one of an epoch that is over counts there as it was held.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dragoman_core::ledger::{Amounts, Crossing, Left};

use super::ledger::{Account, Ledger};
use super::{Trouble, lock, script};

/// A process that has not been heard of for so long has ended, and so have its holds.
pub const SILENT: Duration = Duration::from_secs(15);
const MOST_UNSETTLED: usize = 100_000;

/// What is held for one request.
#[derive(Clone, Debug)]
pub struct Hold {
    pub id: String,
    pub epoch: Arc<str>,
    pub lines: Vec<Line>,
    pub shadowed: Vec<usize>,
    /// Of requests and of tokens; here `resets_ms` is how long until then.
    pub left: [Option<Left>; 2],
}

#[derive(Clone, Debug)]
pub struct Line {
    pub account: Arc<Account>,
    pub amount: i64,
}

/// How a hold ends.
#[derive(Debug)]
pub struct Ending {
    hold: Hold,
    /// `None`: what was used is not known, and is taken for what was held.
    used: Option<Amounts>,
}

impl Hold {
    /// One of which no more is known than that it may be.
    pub fn unknown(id: String, epoch: &Arc<str>) -> Self {
        Self { id, epoch: epoch.clone(), lines: Vec::new(), shadowed: Vec::new(), left: [None; 2] }
    }
}

impl Ledger {
    /// Ends a hold. Where the server is not there, it is told when it is.
    pub async fn end(&self, hold: Hold, used: Option<Amounts>) {
        let ending = Ending { hold, used };
        self.settling.fetch_add(1, Ordering::Relaxed);
        if self.try_to_end(&ending).await.is_err() {
            self.keep_for_later(ending);
        }
        self.settling.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many ends are being told.
    pub fn settling(&self) -> u64 {
        self.settling.load(Ordering::Relaxed)
    }

    /// Releases later what may or may not have been held: once the script is too late to hold it.
    pub(super) fn let_go(&self, hold: Hold) {
        self.keep_for_later(Ending { hold, used: Some(Amounts::default()) });
    }

    fn keep_for_later(&self, ending: Ending) {
        let mut unsettled = lock(&self.unsettled);
        if unsettled.len() < MOST_UNSETTLED {
            unsettled.push(ending);
        }
    }

    async fn try_to_end(&self, ending: &Ending) -> Result<(), Trouble> {
        let Ending { hold, used } = ending;
        let line = self.shared.line()?;
        if *line.epoch != *hold.epoch {
            return Ok(());
        }
        let known = used.unwrap_or_default();
        let mut call = self.call(&script::SETTLE, &line);
        call.arg(&hold.id)
            .arg(u8::from(used.is_some()))
            .arg(known.requests)
            .arg(known.tokens)
            .arg(known.cost);
        let figures: Vec<i64> = self.shared.run(&line, &call).await?;
        let mut crossings = lock(&self.crossings);
        for (line, figures) in hold.lines.iter().zip(figures.chunks(2)) {
            let [before, after] = *figures else { continue };
            let rule = self.rule_of(&line.account);
            let reached =
                rule.levels.get(rule.levels_below(before)..rule.levels_below(after)).unwrap_or_default();
            for &level in reached {
                let who = line.account.who.to_string();
                crossings.push(Crossing { rule: line.account.rule, who, level, spent: after });
            }
        }
        Ok(())
    }

    /// Tells the server of what it has not taken.
    pub async fn settle_the_rest(&self) {
        let endings = std::mem::take(&mut *lock(&self.unsettled));
        for ending in endings {
            if self.try_to_end(&ending).await.is_err() {
                self.keep_for_later(ending);
            }
        }
    }

    /// How many holds have ended of which the server has not been told.
    pub fn unsettled(&self) -> usize {
        lock(&self.unsettled).len()
    }

    /// Says that this process lives, and ends what those held that do not.
    pub async fn beat(&self) -> Result<(), Trouble> {
        let line = self.shared.line()?;
        let mut call = self.call(&script::BEAT, &line);
        call.key(self.key(&line.epoch, "processes")).arg(&self.process);
        call.arg(u64::try_from(SILENT.as_millis()).unwrap_or(u64::MAX)).arg(self.holds_key(&line.epoch, ""));
        let (processes, reaped, _): (u64, u64, u64) = self.shared.run(&line, &call).await?;
        self.processes.store(processes, Ordering::Relaxed);
        self.reaped.fetch_add(reaped, Ordering::Relaxed);
        Ok(())
    }

    /// Says that this process ends: it is none of those that share any more. One that still holds something is left to
    /// fall silent, so that others end that.
    pub async fn leave(&self) -> Result<(), Trouble> {
        let line = self.shared.line()?;
        let holds = self.holds_key(&line.epoch, &self.process);
        let held: u64 = self.shared.command(redis::cmd("HLEN").arg(holds)).await?;
        if held > 0 {
            return Ok(());
        }
        let processes = self.key(&line.epoch, "processes");
        self.shared.command(redis::cmd("ZREM").arg(processes).arg(&self.process)).await
    }
}
