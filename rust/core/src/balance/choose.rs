//! Who may be chosen for a request, and in which order they would be.
//!
//! Members are ranked first by what they can do and then by the strategy: one that is ready before one that
//! has to prove itself, and of equals one in another failure domain than those that have failed this request
//! already, because attempts in one domain fail together (with half of the repeated attempts failing again,
//! three attempts in one place leave 1.25 % undone, three in three places 0.0125 %).
//!
//! A member that is due for its probe ranks with the ready ones on a first attempt, which can still go
//! elsewhere if the probe fails, and behind them on a retry, which should not gamble twice.
//!
//! Members that are open are skipped while any other can be used. Envoy's panic mode, which ignores health
//! when fewer than half are healthy, protects the few survivors of a hundred from the load of all; among two
//! to four deployments "fewer than half" is one bad minute of one provider, and half of the requests would go
//! where they are known to fail. So panic begins here when none can be used: then the one whose cooldown ends
//! first is the last resort, and only for a first attempt, so that an outage of everything costs one call a
//! request.

use super::State as Shared;
use super::breaker::Standing;
use super::member::{Attempt, Member};
use super::moment::Moment;
use super::strategy::{self, Candidate, Reason, Scene};
use super::tier::{Seat, Strategy, Tier};

/// What a request asks of a choice.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Members that this request has tried, of any tier, in order. Not empty: this is a retry.
    pub tried: &'a [usize],
    /// Whether those may be tried again, the least recently tried first; otherwise they are not chosen.
    pub again: bool,
    /// What to keep together, for `Strategy::Session`.
    pub session: Option<u64>,
    /// Whether a member that is cooling down may be chosen when all are. Never for a retry.
    pub last_resort: bool,
}

impl Default for Ask<'_> {
    fn default() -> Self {
        Self { tried: &[], again: false, session: None, last_resort: true }
    }
}

/// One line of what `choose` would do: the members in the order in which they would be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanStep {
    pub member: usize,
    /// What it would be chosen for; `None` when it would not be.
    pub reason: Option<Reason>,
    /// One sentence for people.
    pub why: String,
    pub load_ms: f64,
    /// Whether as many requests are under way as it takes.
    pub is_full: bool,
}

/// What was chosen.
pub(super) struct Picked {
    pub member: usize,
    pub reason: Reason,
    pub attempt: Attempt,
}

/// The lower, the sooner: what it can do, when this request tried it (0: never), and whether its failure
/// domain has failed this request.
type Rank = (Standing, usize, bool);

pub(super) fn choose(
    shared: &mut Shared,
    tier: &Tier,
    ask: &Ask<'_>,
    now: Moment,
    random: u64,
) -> Option<Picked> {
    let mut best: Option<Rank> = None;
    let mut field: Vec<Candidate<'_>> = Vec::with_capacity(tier.seats.len());
    for (order, seat) in tier.seats.iter().enumerate() {
        let Some(member) = shared.members.get(seat.member) else { continue };
        let Some(rank) = rank(shared, seat, member, ask, now) else { continue };
        if best.is_none_or(|best| rank < best) {
            best = Some(rank);
            field.clear();
        }
        if best == Some(rank) {
            field.push(candidate(order, seat, member, now));
        }
    }
    let scene = scene(shared, tier, ask, random);
    let (place, standing) = match best? {
        (Standing::Open, ..) => (first_to_return(&field)?, Standing::Open),
        _ => {
            let place = strategy::pick(tier.strategy, &field, &scene)?;
            (place, field.get(place)?.member.breaker.standing(field.get(place)?.member.in_flight, now))
        }
    };
    let chosen = field.get(place)?;
    let reason = reason(shared, tier, chosen, standing, &scene);
    let member = chosen.seat.member;
    drop(field);
    let attempt = start(shared, tier, ask, member, standing, now)?;
    Some(Picked { member, reason, attempt })
}

/// The same order as `choose` would follow, nothing changed; the last are those that it would not choose.
pub(super) fn plan(shared: &Shared, tier: &Tier, ask: &Ask<'_>, now: Moment) -> Vec<PlanStep> {
    let scene = scene(shared, tier, ask, 0);
    let mut steps: Vec<(Option<Rank>, strategy::Bid, PlanStep)> = Vec::new();
    for (order, seat) in tier.seats.iter().enumerate() {
        let Some(member) = shared.members.get(seat.member) else { continue };
        let candidate = candidate(order, seat, member, now);
        let standing = member.breaker.standing(member.in_flight, now);
        let rank = rank(shared, seat, member, ask, now);
        let bid = match (rank, strategy::effective(tier.strategy, &scene)) {
            (Some((Standing::Open, ..)), _) => (member.breaker.until().as_nanos() as f64, 0.0),
            (_, Strategy::Weighted) => (-seat.weight, 0.0),
            (_, strategy) => strategy::bid(strategy, &candidate, &scene),
        };
        let reason = rank.map(|_| reason(shared, tier, &candidate, standing, &scene));
        let why = sentence(&candidate, ask, reason, now);
        let (member, load_ms, is_full) = (seat.member, candidate.load, candidate.member.is_full());
        steps.push((rank, bid, PlanStep { member, reason, why, load_ms, is_full }));
    }
    steps.sort_by(|one, other| {
        let ranks = (one.0.is_none(), one.0).cmp(&(other.0.is_none(), other.0));
        ranks.then(one.1.0.total_cmp(&other.1.0)).then(one.1.1.total_cmp(&other.1.1))
    });
    steps.into_iter().map(|(_, _, step)| step).collect()
}

fn rank(shared: &Shared, seat: &Seat, member: &Member, ask: &Ask<'_>, now: Moment) -> Option<Rank> {
    let turn = ask.tried.iter().rposition(|tried| *tried == seat.member).map_or(0, |place| place + 1);
    if member.is_full() || (turn > 0 && !ask.again) {
        return None;
    }
    let failed_here = |tried: &usize| shared.members.get(*tried).is_some_and(|it| it.domain == member.domain);
    let standing = match member.breaker.standing(member.in_flight, now) {
        Standing::Due if ask.tried.is_empty() => Standing::Ready,
        Standing::Open if !(ask.last_resort && ask.tried.is_empty()) => return None,
        standing => standing,
    };
    Some((standing, turn, ask.tried.iter().any(failed_here)))
}

fn candidate<'a>(order: usize, seat: &'a Seat, member: &'a Member, now: Moment) -> Candidate<'a> {
    let due = member.breaker.standing(member.in_flight, now) == Standing::Due;
    let load = if due { 0.0 } else { member.load.at(now, member.in_flight) / seat.weight };
    Candidate { order, seat, member, load }
}

fn scene(shared: &Shared, tier: &Tier, ask: &Ask<'_>, random: u64) -> Scene {
    let mut scene = Scene { session: ask.session, random, fair_share: 0.0 };
    if strategy::effective(tier.strategy, &scene) == Strategy::Session {
        let members = tier.seats.iter().filter_map(|seat| shared.members.get(seat.member));
        let in_flight: u32 = members.map(|member| member.in_flight).sum();
        let weight: f64 = tier.seats.iter().map(|seat| seat.weight).sum();
        scene.fair_share = f64::from(in_flight.saturating_add(1)) / weight;
    }
    scene
}

fn first_to_return(field: &[Candidate<'_>]) -> Option<usize> {
    let returns = field.iter().enumerate().map(|(place, it)| (it.member.breaker.until(), it.order, place));
    returns.min().map(|(_, _, place)| place)
}

fn reason(shared: &Shared, tier: &Tier, chosen: &Candidate<'_>, standing: Standing, scene: &Scene) -> Reason {
    match standing {
        Standing::Open => return Reason::LastResort,
        Standing::Due => return Reason::Probe,
        Standing::Ready | Standing::Ramping => {}
    }
    match strategy::effective(tier.strategy, scene) {
        Strategy::Latency if chosen.member.load.latency_ms().is_none() => Reason::Untried,
        Strategy::Latency => Reason::Latency,
        Strategy::Weighted => Reason::Weighted,
        Strategy::LeastBusy => Reason::LeastBusy,
        Strategy::Cheapest => Reason::Cheapest,
        Strategy::Priority => Reason::Priority,
        Strategy::Session => {
            let own = strategy::home_bid(chosen.seat, chosen.member, scene);
            let mut seats = tier.seats.iter();
            let beaten = seats.any(|seat| {
                let member = shared.members.get(seat.member);
                member.is_some_and(|member| strategy::home_bid(seat, member, scene) < own)
            });
            if beaten { Reason::Spilled } else { Reason::Session }
        }
    }
}

fn start(
    shared: &mut Shared,
    tier: &Tier,
    ask: &Ask<'_>,
    chosen: usize,
    standing: Standing,
    now: Moment,
) -> Option<Attempt> {
    for seat in tier.seats.iter().filter(|seat| seat.member != chosen) {
        if let Some(member) = shared.members.get_mut(seat.member) {
            member.load.pass_over();
        }
    }
    let member = shared.members.get_mut(chosen)?;
    member.load.choose();
    if ask.tried.is_empty() {
        member.budget.deposit(now);
        member.first_tokens.deposit();
    }
    Some(member.begin(standing))
}

fn sentence(candidate: &Candidate<'_>, ask: &Ask<'_>, reason: Option<Reason>, now: Moment) -> String {
    let Candidate { order, seat, member, load } = candidate;
    let Some(reason) = reason else {
        return if ask.tried.contains(&seat.member) && !ask.again {
            "tried already".to_owned()
        } else if member.is_full() {
            format!("full: {} in flight", member.in_flight)
        } else {
            format!("cooling down for another {:.1} s", member.breaker.cooldown_left(now).as_secs_f64())
        };
    };
    match reason {
        Reason::Latency => format!("load {load:.0} ms with {} in flight", member.in_flight),
        Reason::Untried => "nothing is known of it yet".to_owned(),
        Reason::Weighted => format!("weight {}", seat.weight),
        Reason::LeastBusy => format!("{} in flight for weight {}", member.in_flight, seat.weight),
        Reason::Cheapest => match seat.price {
            Some(price) => format!("price {price}"),
            None => "no price is known".to_owned(),
        },
        Reason::Priority => format!("number {} in order", order + 1),
        Reason::Session => "the session's home".to_owned(),
        Reason::Spilled => "not the session's home".to_owned(),
        Reason::Probe => "its cooldown is over: the next request is its probe".to_owned(),
        Reason::LastResort => {
            let left_s = member.breaker.cooldown_left(now).as_secs_f64();
            format!("all are cooling down, this one for another {left_s:.1} s")
        }
    }
}
