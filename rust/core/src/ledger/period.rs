//! How long what was used counts.
//!
//! Use is added up in slots of time. A calendar period is one slot, and counts until it ends. A sliding one is sixty
//! slots and the one that has just begun to leave: what was used counts for its whole period and at most a sixtieth
//! more, so that no stretch of that length ever holds more than the limit, wherever it begins. (A bucket that refills,
//! as GCRA has it, admits up to twice the limit within its first period.)

const SLOTS: u64 = 60;
const DAY_MS: u64 = 86_400_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// The last so many milliseconds.
    Sliding(u64),
    /// Of the calendar, in UTC; a week begins on Monday.
    Day,
    Week,
    Month,
    Year,
    /// It counts for good.
    Ever,
}

impl Period {
    /// How wide its slots are, where they slide.
    pub fn width_ms(self) -> Option<u64> {
        match self {
            Self::Sliding(ms) => Some(width(ms)),
            _ => None,
        }
    }

    /// When the slot began that a moment falls into; Unix milliseconds, as all moments here.
    pub fn slot(self, now_ms: u64) -> u64 {
        let today = now_ms / DAY_MS;
        match self {
            Self::Sliding(ms) => now_ms - now_ms % width(ms),
            Self::Day => today * DAY_MS,
            // The epoch was a Thursday.
            Self::Week => (today.saturating_sub((today + 3) % 7)) * DAY_MS,
            Self::Month => {
                let (year, month) = month_of(today);
                first_day(year, month) * DAY_MS
            }
            Self::Year => first_day(month_of(today).0, 1) * DAY_MS,
            Self::Ever => 0,
        }
    }

    /// When what was used in a slot no longer counts; `None`: never.
    pub fn leaves(self, slot_ms: u64) -> Option<u64> {
        let day = slot_ms / DAY_MS;
        match self {
            Self::Sliding(ms) => Some(slot_ms.saturating_add(width(ms)).saturating_add(ms)),
            Self::Day => Some((day + 1) * DAY_MS),
            // The first week of all had begun before the epoch.
            Self::Week => Some((day + 7 - (day + 3) % 7) * DAY_MS),
            Self::Month => {
                let (year, month) = month_of(day);
                Some(if month == 12 { first_day(year + 1, 1) } else { first_day(year, month + 1) } * DAY_MS)
            }
            Self::Year => Some(first_day(month_of(day).0 + 1, 1) * DAY_MS),
            Self::Ever => None,
        }
    }
}

fn width(ms: u64) -> u64 {
    (ms / SLOTS).max(1)
}

/// The year and month of a day since the epoch (proleptic Gregorian; the arithmetic of eras of 400 years that begin in
/// March, as Howard Hinnant describes it in "chrono-compatible low-level date algorithms").
fn month_of(day: u64) -> (u64, u64) {
    let shifted = day + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month)
}

/// The first day of a month, in days since the epoch.
fn first_day(year: u64, month: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * from_march + 2) / 5;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}
