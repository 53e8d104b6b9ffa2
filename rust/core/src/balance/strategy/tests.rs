use super::*;
use crate::balance::Settings;

struct Pool {
    seats: Vec<Seat>,
    members: Vec<Member>,
    loads: Vec<f64>,
}

impl Pool {
    fn new(loads: &[f64]) -> Self {
        let member = |index: usize| Member::new(&format!("member-{index}"), &Settings::default());
        let seat = |member: usize| Seat { member, weight: 1.0, price: None };
        let count = loads.len();
        Self {
            seats: (0..count).map(seat).collect(),
            members: (0..count).map(member).collect(),
            loads: loads.to_vec(),
        }
    }

    fn pick(&self, strategy: Strategy, session: Option<u64>, random: u64) -> usize {
        let candidate = |order: usize| Candidate {
            order,
            seat: &self.seats[order],
            member: &self.members[order],
            load: self.loads[order],
        };
        let field: Vec<Candidate<'_>> = (0..self.seats.len()).map(candidate).collect();
        let in_flight: u32 = self.members.iter().map(|member| member.in_flight).sum();
        let weight: f64 = self.seats.iter().map(|seat| seat.weight).sum();
        let fair_share = f64::from(in_flight + 1) / weight;
        pick(strategy, &field, &Scene { session, random, fair_share }).unwrap()
    }

    /// How often each is picked in `rounds` with unlike chance.
    fn tally(&self, strategy: Strategy, rounds: u64) -> Vec<u64> {
        let mut counts = vec![0; self.seats.len()];
        (0..rounds).for_each(|round| counts[self.pick(strategy, None, chance::mix(round))] += 1);
        counts
    }
}

#[test]
fn the_least_load_wins_and_near_ones_share() {
    assert_eq!(Pool::new(&[300.0, 100.0, 121.0]).tally(Strategy::Latency, 1000), [0, 1000, 0]);
    let near = Pool::new(&[110.0, 100.0, 500.0]).tally(Strategy::Latency, 10_000);
    assert!((0.72..0.78).contains(&(near[1] as f64 / 10_000.0)), "{near:?}");
    assert_eq!(near[2], 0);
}

#[test]
fn equals_are_treated_alike() {
    for strategy in [Strategy::Latency, Strategy::LeastBusy, Strategy::Cheapest, Strategy::Weighted] {
        for count in Pool::new(&[100.0; 4]).tally(strategy, 8000) {
            assert!((1800..2200).contains(&count), "{strategy:?}: {count}");
        }
    }
}

#[test]
fn zero_load_is_taken_before_any_other() {
    assert_eq!(Pool::new(&[1e-9, 0.0, 1.0]).tally(Strategy::Latency, 100), [0, 100, 0]);
}

#[test]
fn weights_divide_the_traffic() {
    let mut pool = Pool::new(&[0.0; 3]);
    (pool.seats[0].weight, pool.seats[2].weight) = (3.0, 6.0);
    let counts = pool.tally(Strategy::Weighted, 20_000);
    for (count, share) in counts.iter().zip([0.3, 0.1, 0.6]) {
        assert!((*count as f64 / 20_000.0 - share).abs() < 0.015, "{counts:?}");
    }
}

#[test]
fn least_busy_counts_by_weight_and_then_by_load() {
    let mut pool = Pool::new(&[300.0, 200.0, 100.0]);
    pool.members[0].in_flight = 3;
    pool.members[1].in_flight = 1;
    pool.members[2].in_flight = 1;
    assert_eq!(pool.pick(Strategy::LeastBusy, None, 5), 2);
    pool.seats[0].weight = 10.0;
    assert_eq!(pool.pick(Strategy::LeastBusy, None, 5), 0);
}

#[test]
fn the_cheapest_wins_ties_go_by_load_and_the_unpriced_come_last() {
    let mut pool = Pool::new(&[300.0, 200.0, 100.0]);
    (pool.seats[0].price, pool.seats[1].price) = (Some(2.0), Some(2.0));
    assert_eq!(pool.pick(Strategy::Cheapest, None, 7), 1);
    pool.seats[2].price = Some(1.9);
    assert_eq!(pool.pick(Strategy::Cheapest, None, 7), 2);
}

#[test]
fn priority_is_the_order() {
    assert_eq!(Pool::new(&[900.0, 1.0, 1.0]).tally(Strategy::Priority, 100), [100, 0, 0]);
}

#[test]
fn sessions_keep_their_home_and_spread_by_weight() {
    let mut pool = Pool::new(&[0.0; 3]);
    pool.seats[1].weight = 2.0;
    let mut counts = [0_u32; 3];
    for session in 0..8000 {
        let home = pool.pick(Strategy::Session, Some(session), 1);
        assert_eq!(home, pool.pick(Strategy::Session, Some(session), 99));
        counts[home] += 1;
    }
    for (count, share) in counts.iter().zip([0.25, 0.5, 0.25]) {
        assert!((f64::from(*count) / 8000.0 - share).abs() < 0.02, "{counts:?}");
    }
}

#[test]
fn a_member_that_leaves_moves_only_its_own_sessions() {
    let whole = Pool::new(&[0.0; 4]);
    let mut rest = Pool::new(&[0.0; 4]);
    rest.seats.remove(2);
    rest.members.remove(2);
    rest.loads.remove(2);
    for session in 0..2000 {
        let before = whole.pick(Strategy::Session, Some(session), 1);
        let after = rest.seats[rest.pick(Strategy::Session, Some(session), 1)].member;
        assert!(before == 2 || before == after);
    }
}

#[test]
fn a_session_leaves_a_crowded_home_and_comes_back() {
    let mut pool = Pool::new(&[0.0; 3]);
    let home = pool.pick(Strategy::Session, Some(42), 1);
    pool.members[home].in_flight = 7;
    assert_eq!(pool.pick(Strategy::Session, Some(42), 1), home, "a few are no crowd");
    pool.members[home].in_flight = 8;
    let second = pool.pick(Strategy::Session, Some(42), 1);
    assert_ne!(second, home);
    assert_eq!(pool.pick(Strategy::Session, Some(42), 9), second, "always to the same second");
    for member in &mut pool.members {
        member.in_flight = 30;
    }
    assert_eq!(pool.pick(Strategy::Session, Some(42), 1), home, "all are as busy");
}

#[test]
fn without_a_session_load_decides() {
    assert_eq!(Pool::new(&[300.0, 100.0, 900.0]).pick(Strategy::Session, None, 3), 1);
}

#[test]
fn names_of_strategies_go_both_ways() {
    for strategy in Strategy::ALL {
        assert_eq!(Strategy::from_name(strategy.as_str()), Some(strategy));
    }
    assert_eq!(Strategy::from_name("fastest"), None);
}
