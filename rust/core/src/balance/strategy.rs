//! Choosing one of those that may be chosen.
//!
//! Every strategy is a bid: two numbers a candidate, the lower pair wins, and of equals the first met from a
//! random start. Only least load does more, because its numbers are estimates: a difference of a few per cent
//! is noise, and following it would send every worker of a fleet to the same deployment at once. So it draws
//! two of those whose load is within a fifth of the least and takes the better (the power of two choices;
//! Mitzenmacher, 2001). Drawing the two from all members, as a pool of hundreds must, would give the best of
//! five only four requests in ten.

use super::chance;
use super::member::Member;
use super::tier::{Seat, Strategy};

#[cfg(test)]
mod tests;

const CONTENDER: f64 = 1.2;
const SESSION_SLACK: f64 = 1.25;
const SESSION_FLOOR: f64 = 8.0;

/// Why a member was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The least load, or within a fifth of it.
    Latency,
    /// Nothing was known of it.
    Untried,
    Weighted,
    LeastBusy,
    Cheapest,
    Priority,
    /// The session's home.
    Session,
    /// The session's home has no room or cannot be used.
    Spilled,
    /// Its cooldown is over, and this request finds out.
    Probe,
    /// All are cooling down, and its cooldown ends first.
    LastResort,
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Untried => "untried",
            Self::Weighted => "weighted",
            Self::LeastBusy => "least_busy",
            Self::Cheapest => "cheapest",
            Self::Priority => "priority",
            Self::Session => "session",
            Self::Spilled => "spilled",
            Self::Probe => "probe",
            Self::LastResort => "last_resort",
        }
    }
}

/// A member that may be chosen.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    pub order: usize,
    pub seat: &'a Seat,
    pub member: &'a Member,
    /// By `load`, for its weight; zero for one that a probe is due to.
    pub load: f64,
}

/// What a bid may depend on besides the candidate.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    pub session: Option<u64>,
    pub random: u64,
    /// Requests in flight over the whole tier for one unit of weight.
    pub fair_share: f64,
}

/// Equal bids are equals: the lower pair wins.
pub type Bid = (f64, f64);

/// What a strategy does for this request: by session only when the request has one.
pub fn effective(strategy: Strategy, scene: &Scene) -> Strategy {
    match (strategy, scene.session) {
        (Strategy::Session, None) => Strategy::Latency,
        _ => strategy,
    }
}

/// The lower, the better.
pub fn bid(strategy: Strategy, candidate: &Candidate<'_>, scene: &Scene) -> Bid {
    let Candidate { order, seat, member, load } = *candidate;
    match effective(strategy, scene) {
        Strategy::Latency => (load, 0.0),
        Strategy::Weighted => {
            (chance::race(chance::mix(scene.random ^ chance::mix(order as u64)), seat.weight), 0.0)
        }
        Strategy::LeastBusy => (f64::from(member.in_flight) / seat.weight, load),
        Strategy::Cheapest => (seat.price.unwrap_or(f64::INFINITY), load),
        Strategy::Priority => (order as f64, 0.0),
        Strategy::Session => (f64::from(is_crowded(candidate, scene)), home_bid(seat, member, scene)),
    }
}

/// The arrival of this member in the session's race: the first of all is the session's home.
pub fn home_bid(seat: &Seat, member: &Member, scene: &Scene) -> f64 {
    let session = scene.session.unwrap_or_default();
    chance::race(chance::mix(chance::mix(session) ^ member.name_bits), seat.weight)
}

/// Picks the place of the winner; `None` when there are no candidates.
pub fn pick(strategy: Strategy, field: &[Candidate<'_>], scene: &Scene) -> Option<usize> {
    if effective(strategy, scene) == Strategy::Latency {
        return best_of_two(field, scene.random);
    }
    let start = (scene.random % field.len().max(1) as u64) as usize;
    let turned = field.iter().enumerate().cycle().skip(start).take(field.len());
    turned
        .map(|(place, candidate)| (place, bid(strategy, candidate, scene)))
        .reduce(|best, next| if next.1 < best.1 { next } else { best })
        .map(|(place, _)| place)
}

/// A session leaves its home only for want of room: when the home has more than its share of what the tier
/// has in flight and a quarter above (consistent hashing with bounded loads; Mirrokni, Thorup, Zadimoghaddam,
/// 2016), and more than a few at all, since a warm prompt cache is worth more than an idle sibling.
fn is_crowded(candidate: &Candidate<'_>, scene: &Scene) -> bool {
    let bound = (scene.fair_share * candidate.seat.weight * SESSION_SLACK).ceil();
    f64::from(candidate.member.in_flight) >= bound.max(SESSION_FLOOR)
}

fn best_of_two(field: &[Candidate<'_>], random: u64) -> Option<usize> {
    let least = field.iter().map(|candidate| candidate.load).reduce(f64::min)?;
    let bound = least * CONTENDER;
    let contenders = || field.iter().enumerate().filter(|(_, candidate)| candidate.load <= bound);
    let count = contenders().count().max(1) as u64;
    let one = contenders().nth((random % count) as usize)?;
    let other = contenders().nth((chance::mix(random) % count) as usize)?;
    Some(if other.1.load < one.1.load { other.0 } else { one.0 })
}
