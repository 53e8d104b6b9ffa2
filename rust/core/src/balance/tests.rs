use std::collections::HashSet;
use std::thread;

use proptest::{prop_assert, prop_assert_eq, proptest};

use super::*;

const DARK: Outcome = Outcome::Failed { retry_after: None };

fn at(seconds: f64) -> Moment {
    Moment::from_nanos((seconds * 1e9) as u64)
}

fn answered(first_token_ms: f64) -> Outcome {
    Outcome::Success(Timing {
        first_token_ms: Some(first_token_ms),
        total_ms: first_token_ms,
        output_tokens: 0,
    })
}

fn limited(seconds: u64) -> Outcome {
    Outcome::Limited { retry_after: Some(Duration::from_secs(seconds)) }
}

/// Members `0..count`, each in the domain given for it (its own where none is), in one tier of equal weights.
fn tier_of(strategy: Strategy, domains: &[&str]) -> (Balancer, Tier) {
    let balancer = Balancer::default();
    let register =
        |(index, domain): (usize, &&str)| balancer.register(&format!("member-{index}"), domain, None);
    let seats = domains.iter().enumerate().map(register);
    let seats = seats.map(|member| Seat { member, weight: 1.0, price: None }).collect();
    let tier = balancer.tier(seats, strategy).unwrap();
    (balancer, tier)
}

fn choose(balancer: &Balancer, tier: &Tier, tried: &[usize], now_s: f64) -> Option<Ticket> {
    balancer.choose(tier, &Ask { tried, ..Ask::default() }, at(now_s), 7)
}

/// Sends to whatever is chosen, and ends it at once.
fn send(balancer: &Balancer, tier: &Tier, outcome: Outcome, now_s: f64) -> usize {
    let ticket = choose(balancer, tier, &[], now_s).unwrap();
    let member = ticket.member();
    ticket.finish(outcome, at(now_s), 0);
    member
}

/// Ends one attempt at `member`, wherever choices would go.
fn at_member(balancer: &Balancer, member: usize, outcome: Outcome, now_s: f64) {
    let tier = balancer.tier(vec![Seat { member, weight: 1.0, price: None }], Strategy::Priority).unwrap();
    assert_eq!(send(balancer, &tier, outcome, now_s), member);
}

fn state(balancer: &Balancer, member: usize, now_s: f64) -> MemberState {
    balancer.members(at(now_s)).swap_remove(member)
}

#[test]
fn a_member_of_the_same_name_is_the_same_member() {
    let balancer = Balancer::default();
    let first = balancer.register("openai/gpt#a", "openai", None);
    at_member(&balancer, first, answered(120.0), 0.0);
    assert_eq!(balancer.register("openai/gpt#b", "openai", None), 1);
    assert_eq!(balancer.register("openai/gpt#a", "", Some(1)), first);
    let state = state(&balancer, first, 0.0);
    assert_eq!((state.latency_ms, state.requests, state.domain.as_str()), (Some(120.0), 1, "openai/gpt#a"));
}

#[test]
fn a_tier_that_cannot_be_is_refused() {
    let balancer = Balancer::default();
    let member = balancer.register("a", "", None);
    let build = |seat: Seat| balancer.tier(vec![seat], Strategy::Latency).map(|_| ());
    let seat = Seat { member, weight: 1.0, price: None };
    assert_eq!(build(seat), Ok(()));
    assert_eq!(balancer.tier(vec![], Strategy::Latency).unwrap_err(), TierError::Empty);
    assert_eq!(build(Seat { member: 1, ..seat }), Err(TierError::UnknownMember(1)));
    for weight in [0.0, -1.0, f64::INFINITY] {
        assert_eq!(build(Seat { weight, ..seat }), Err(TierError::BadWeight(weight)));
    }
    assert_eq!(build(Seat { price: Some(-1.0), ..seat }), Err(TierError::BadPrice(-1.0)));
    assert!(build(Seat { price: Some(f64::NAN), ..seat }).is_err());
    let said = build(Seat { weight: 0.0, ..seat }).unwrap_err().to_string();
    assert_eq!(said, "a weight must be above zero and finite, not 0");
}

#[test]
fn a_tier_of_another_balancer_chooses_nothing_that_is_not_there() {
    let (_, tier) = tier_of(Strategy::Latency, &["", "", ""]);
    assert!(choose(&Balancer::default(), &tier, &[], 0.0).is_none());
}

#[test]
fn a_dropped_ticket_frees_its_slot_and_is_no_failure() {
    let (balancer, tier) = tier_of(Strategy::Latency, &[""]);
    for _ in 0..50 {
        let ticket = choose(&balancer, &tier, &[], 0.0).unwrap();
        assert_eq!(state(&balancer, 0, 0.0).in_flight, 1);
        drop(ticket);
    }
    let state = state(&balancer, 0, 0.0);
    assert_eq!((state.in_flight, state.requests, state.failures), (0, 50, 0));
    assert_eq!((state.success_ratio, state.latency_ms, state.breaker), (None, None, BreakerState::Closed));
}

#[test]
fn every_member_is_tried_before_any_is_judged() {
    let (balancer, tier) = tier_of(Strategy::Latency, &["", "", "", ""]);
    let tried: HashSet<usize> = (0..4).map(|_| send(&balancer, &tier, answered(100.0), 0.0)).collect();
    assert_eq!(tried.len(), 4);
}

#[test]
fn the_quickest_gets_the_traffic() {
    let (balancer, tier) = tier_of(Strategy::Latency, &["", "", ""]);
    for (member, ms) in [300.0, 100.0, 200.0].into_iter().enumerate() {
        at_member(&balancer, member, answered(ms), 0.0);
    }
    let ticket = choose(&balancer, &tier, &[], 0.0).unwrap();
    assert_eq!((ticket.member(), ticket.reason()), (1, Reason::Latency));
}

#[test]
fn a_member_that_keeps_requests_waiting_loses_them_before_it_answers() {
    let (balancer, tier) = tier_of(Strategy::Latency, &["", ""]);
    at_member(&balancer, 0, answered(100.0), 0.0);
    at_member(&balancer, 1, answered(200.0), 0.0);
    let held: Vec<Ticket> = (0..12).map(|_| choose(&balancer, &tier, &[], 0.0).unwrap()).collect();
    assert!(held.iter().any(|ticket| ticket.member() == 1));
}

#[test]
fn what_was_tried_is_not_tried_again_and_other_domains_come_first() {
    let (balancer, tier) = tier_of(Strategy::Priority, &["east", "east", "west"]);
    let next = |tried: &[usize]| choose(&balancer, &tier, tried, 0.0).map(|ticket| ticket.member());
    assert_eq!(next(&[]), Some(0));
    assert_eq!(next(&[0]), Some(2));
    assert_eq!(next(&[0, 2]), Some(1));
    assert_eq!(next(&[0, 2, 1]), None);
}

#[test]
fn around_again_the_least_recently_tried_comes_first() {
    let (balancer, tier) = tier_of(Strategy::Priority, &["", "", ""]);
    let mut tried = vec![2, 0, 1];
    for expected in [2, 0, 1, 2] {
        let ask = Ask { tried: &tried, again: true, ..Ask::default() };
        let member = balancer.choose(&tier, &ask, at(0.0), 7).unwrap().member();
        assert_eq!(member, expected);
        tried.push(member);
    }
}

#[test]
fn what_is_full_is_not_chosen() {
    let balancer = Balancer::default();
    let seats = ["a", "b"].map(|name| balancer.register(name, "", Some(1)));
    let seats = seats.map(|member| Seat { member, weight: 1.0, price: None });
    let tier = balancer.tier(seats.to_vec(), Strategy::Priority).unwrap();
    let (first, second) =
        (choose(&balancer, &tier, &[], 0.0).unwrap(), choose(&balancer, &tier, &[], 0.0).unwrap());
    assert_eq!((first.member(), second.member()), (0, 1));
    assert!(choose(&balancer, &tier, &[], 0.0).is_none());
    drop(first);
    assert_eq!(choose(&balancer, &tier, &[], 0.0).unwrap().member(), 0);
    drop(second);
}

#[test]
fn one_credential_that_is_limited_cools_down_alone() {
    let (balancer, tier) = tier_of(Strategy::Priority, &["openai", "openai"]);
    at_member(&balancer, 0, limited(30), 0.0);
    assert_eq!(send(&balancer, &tier, answered(100.0), 1.0), 1);
    assert_eq!(state(&balancer, 0, 1.0).cooldown_left, Duration::from_secs(29));
    assert_eq!(send(&balancer, &tier, answered(100.0), 31.0), 0);
}

#[test]
fn what_another_process_has_found_holds_here() {
    let (balancer, tier) = tier_of(Strategy::Priority, &["openai", "openai"]);
    let name = state(&balancer, 0, 0.0).name;
    assert!(balancer.cool_down(&name, Duration::from_secs(30), at(0.0)));
    assert!(!balancer.cool_down("nobody", Duration::from_secs(30), at(0.0)));
    assert_eq!(send(&balancer, &tier, answered(100.0), 1.0), 1);
    assert!(balancer.cool_down(&name, Duration::from_secs(5), at(1.0)));
    assert_eq!(state(&balancer, 0, 1.0).cooldown_left, Duration::from_secs(29));
    assert_eq!(send(&balancer, &tier, answered(100.0), 31.0), 0);
    assert_eq!(state(&balancer, 0, 31.0).cooldown_left, Duration::ZERO);
    assert!(balancer.cool_down(&name, Duration::MAX, at(31.0)));
    assert_eq!(state(&balancer, 0, 31.0).cooldown_left, Duration::from_secs(3600));
}

#[test]
fn a_failing_member_loses_its_traffic_and_regains_it() {
    let (balancer, tier) = tier_of(Strategy::Latency, &["", "", ""]);
    for (member, ms) in [100.0, 300.0, 500.0].into_iter().enumerate() {
        at_member(&balancer, member, answered(ms), 0.0);
    }
    let mut sent_to_the_failing = 0;
    for tick in 0..600 {
        let now_s = f64::from(tick) / 10.0;
        let ticket = choose(&balancer, &tier, &[], now_s).unwrap();
        let failing = ticket.member() == 0;
        sent_to_the_failing += i32::from(failing && ticket.reason() != Reason::Probe);
        let outcome = if failing { DARK } else { answered(300.0) };
        ticket.finish(outcome, at(now_s), 0);
    }
    assert!(sent_to_the_failing <= 10, "{sent_to_the_failing}");
    let well = (0..600).map(|tick| send(&balancer, &tier, answered(100.0), 100.0 + f64::from(tick) / 10.0));
    assert!(well.filter(|member| *member == 0).count() > 100);
}

#[test]
fn the_probe_is_one_request_however_many_ask_at_once() {
    let (balancer, tier) = tier_of(Strategy::Latency, &["", ""]);
    at_member(&balancer, 1, answered(50.0), 0.0);
    (0..5).for_each(|_| at_member(&balancer, 0, DARK, 0.0));
    let ask = || (0..100).map(|_| choose(&balancer, &tier, &[], 10.0).unwrap()).collect::<Vec<_>>();
    let tickets: Vec<Ticket> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let probes: Vec<&Ticket> = tickets.iter().filter(|ticket| ticket.reason() == Reason::Probe).collect();
    assert_eq!((probes.len(), probes[0].member()), (1, 0));
    assert_eq!(tickets.iter().filter(|ticket| ticket.member() == 0).count(), 1);
}

#[test]
fn a_retry_does_not_gamble_on_a_probe() {
    let (balancer, tier) = tier_of(Strategy::Priority, &["", "", ""]);
    at_member(&balancer, 1, limited(1), 0.0);
    assert_eq!(choose(&balancer, &tier, &[0], 5.0).unwrap().member(), 2);
    let alone = choose(&balancer, &tier, &[0, 2], 5.0).unwrap();
    assert_eq!((alone.member(), alone.reason()), (1, Reason::Probe));
}

#[test]
fn with_all_open_the_first_to_return_is_the_last_resort_of_first_attempts() {
    let (balancer, tier) = tier_of(Strategy::Latency, &["", "", ""]);
    for (member, seconds) in [30, 10, 20].into_iter().enumerate() {
        at_member(&balancer, member, limited(seconds), 0.0);
    }
    let ticket = choose(&balancer, &tier, &[], 1.0).unwrap();
    assert_eq!((ticket.member(), ticket.reason()), (1, Reason::LastResort));
    assert!(choose(&balancer, &tier, &[1], 1.0).is_none(), "not for a retry");
    let not_here = Ask { last_resort: false, ..Ask::default() };
    assert!(balancer.choose(&tier, &not_here, at(1.0), 7).is_none());
}

#[test]
fn last_resorts_take_turns_until_one_helps() {
    let (balancer, tier) = tier_of(Strategy::Latency, &["", "", ""]);
    for member in 0..3 {
        (0..5).for_each(|_| at_member(&balancer, member, DARK, f64::from(member as u32) / 10.0));
    }
    let turns: Vec<usize> =
        (0..6).map(|turn| send(&balancer, &tier, DARK, 1.0 + f64::from(turn) / 10.0)).collect();
    assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
    let helped = send(&balancer, &tier, answered(90.0), 2.0);
    assert_eq!(state(&balancer, helped, 2.0).breaker, BreakerState::Closed);
    assert_eq!(send(&balancer, &tier, answered(90.0), 2.1), helped);
}

#[test]
fn one_alone_is_never_left_out() {
    let (balancer, tier) = tier_of(Strategy::Latency, &[""]);
    (0..50).for_each(|turn| assert_eq!(send(&balancer, &tier, DARK, f64::from(turn)), 0));
}

#[test]
fn a_request_that_is_wrong_says_that_the_member_is_well() {
    let (balancer, tier) = tier_of(Strategy::Latency, &[""]);
    (0..4).for_each(|_| at_member(&balancer, 0, DARK, 0.0));
    send(&balancer, &tier, Outcome::ClientFault, 0.0);
    (0..4).for_each(|_| at_member(&balancer, 0, DARK, 0.0));
    let state = state(&balancer, 0, 0.0);
    assert_eq!(state.breaker, BreakerState::Closed);
    assert_eq!((state.requests, state.failures), (9, 8));
}

#[test]
fn a_member_that_only_rejects_is_not_asked_first_for_ever() {
    let (balancer, tier) = tier_of(Strategy::Latency, &["", ""]);
    at_member(&balancer, 1, answered(100.0), 0.0);
    let rejecting = (0..400).filter(|turn| {
        let ticket = choose(&balancer, &tier, &[], f64::from(*turn)).unwrap();
        let rejects = ticket.member() == 0;
        ticket.finish(if rejects { Outcome::ClientFault } else { answered(100.0) }, at(f64::from(*turn)), 0);
        rejects
    });
    assert_eq!(rejecting.count(), 1);
}

#[test]
fn a_member_that_only_limits_loses_its_traffic_within_ten_requests() {
    let (balancer, tier) = tier_of(Strategy::Latency, &["", ""]);
    at_member(&balancer, 1, answered(800.0), 0.0);
    let limiting = (0..60).filter(|turn| {
        let now_s = f64::from(*turn) / 10.0;
        let ticket = choose(&balancer, &tier, &[], now_s).unwrap();
        let limits = ticket.member() == 0;
        let outcome = if limits { Outcome::Limited { retry_after: None } } else { answered(800.0) };
        ticket.finish(outcome, at(now_s), 0);
        limits
    });
    assert!(limiting.count() <= 10);
}

#[test]
fn a_refused_credential_is_left_alone() {
    let (balancer, tier) = tier_of(Strategy::Priority, &["", ""]);
    at_member(&balancer, 0, Outcome::Refused, 0.0);
    assert!((0..299).all(|second| send(&balancer, &tier, answered(1.0), f64::from(second)) == 1));
}

#[test]
fn retries_are_charged_to_where_the_request_went_first() {
    let (balancer, tier) = tier_of(Strategy::Priority, &["", ""]);
    for turn in 0..1000 {
        let now_s = f64::from(turn) / 200.0;
        drop(choose(&balancer, &tier, &[], now_s));
        drop(choose(&balancer, &tier, &[0], now_s));
    }
    let granted = (0..1000).filter(|_| balancer.may_retry(0, at(5.0))).count();
    assert_eq!((granted, state(&balancer, 0, 5.0).retries_denied), (100, 900));
    let standby = (0..1000).filter(|_| balancer.may_retry(1, at(5.0))).count();
    assert_eq!(standby, 10, "what it received were retries: the floor");
    assert!(!balancer.may_retry(99, at(5.0)));
}

#[test]
fn hedges_follow_the_live_quantile_and_are_paid_for() {
    let (balancer, tier) = tier_of(Strategy::Latency, &["", ""]);
    assert_eq!(balancer.hedge_delay(&tier, 0.95, 0.02, at(0.0)), None);
    for turn in 0..200 {
        send(&balancer, &tier, answered(200.0), f64::from(turn) / 10.0);
    }
    let delay = balancer.hedge_delay(&tier, 0.95, 0.02, at(20.0)).unwrap();
    assert!((0.2..0.22).contains(&delay.as_secs_f64()), "{delay:?}");
    let bought = (0..2).map(|member| (0..100).filter(|_| balancer.may_hedge(member, 0.02)).count());
    assert!((3..=4).contains(&bought.sum::<usize>()), "two in a hundred of two hundred");
    assert_eq!(balancer.hedge_delay(&tier, 0.95, 0.02, at(20.0)), None);
    assert!(!balancer.may_hedge(99, 0.02));
}

#[test]
fn a_first_token_is_known_before_the_end() {
    let (balancer, tier) = tier_of(Strategy::Latency, &[""]);
    let mut ticket = choose(&balancer, &tier, &[], 0.0).unwrap();
    ticket.first_token(250.0, at(0.25));
    ticket.first_token(9000.0, at(9.0));
    assert_eq!(state(&balancer, 0, 0.3).latency_ms, Some(250.0));
    ticket.finish(answered(250.0), at(30.0), 0);
    assert_eq!(state(&balancer, 0, 30.0).latency_ms, Some(250.0));
}

#[test]
fn a_first_token_of_a_probe_ends_the_outage() {
    let (balancer, tier) = tier_of(Strategy::Latency, &[""]);
    (0..5).for_each(|_| at_member(&balancer, 0, DARK, 0.0));
    let mut probe = choose(&balancer, &tier, &[], 10.0).unwrap();
    assert_eq!(state(&balancer, 0, 10.0).breaker, BreakerState::HalfOpen);
    probe.first_token(100.0, at(10.1));
    assert_eq!(state(&balancer, 0, 10.1).breaker, BreakerState::Closed);
    drop(probe);
    assert_eq!(state(&balancer, 0, 11.0).breaker, BreakerState::Closed);
}

#[test]
fn giving_up_on_a_silent_member_is_no_failure_but_is_remembered() {
    let (balancer, _) = tier_of(Strategy::Latency, &["", ""]);
    at_member(&balancer, 0, answered(100.0), 0.0);
    at_member(&balancer, 0, Outcome::Cancelled { waited_ms: Some(20_000.0) }, 20.0);
    at_member(&balancer, 0, Outcome::Cancelled { waited_ms: None }, 20.0);
    at_member(&balancer, 0, Outcome::Cancelled { waited_ms: Some(f64::NAN) }, 20.0);
    let state = state(&balancer, 0, 20.0);
    assert!(state.latency_ms.unwrap() > 5000.0);
    assert_eq!((state.failures, state.breaker), (0, BreakerState::Closed));
}

#[test]
fn long_answers_do_not_condemn() {
    let (balancer, _) = tier_of(Strategy::Latency, &["", ""]);
    for turn in 0..50 {
        // The first answers at length, the second in a word: 20 ms a token and 500 ms before the first, both.
        for (member, tokens) in [(0, 2000), (1, 5)] {
            let total_ms = 500.0 + 20.0 * f64::from(tokens);
            let whole = Timing { first_token_ms: None, total_ms, output_tokens: tokens };
            at_member(&balancer, member, Outcome::Success(whole), f64::from(turn));
        }
    }
    let (one, other) =
        (state(&balancer, 0, 50.0).latency_ms.unwrap(), state(&balancer, 1, 50.0).latency_ms.unwrap());
    assert!((one / other - 1.0).abs() < 0.01, "{one} and {other}");
}

#[test]
fn a_plan_is_what_would_be_done_and_does_nothing() {
    for strategy in
        [Strategy::Priority, Strategy::Cheapest, Strategy::LeastBusy, Strategy::Latency, Strategy::Session]
    {
        let (balancer, tier) = tier_of(strategy, &["", "", "", ""]);
        for (member, ms) in [400.0, 100.0, 900.0, 200.0].into_iter().enumerate() {
            at_member(&balancer, member, answered(ms), 0.0);
        }
        at_member(&balancer, 1, limited(60), 0.0);
        let ask = Ask { session: Some(5), ..Ask::default() };
        let before = balancer.members(at(1.0));
        let plan = balancer.plan(&tier, &ask, at(1.0));
        assert_eq!(balancer.members(at(1.0)), before);
        let chosen = balancer.choose(&tier, &ask, at(1.0), 7).unwrap();
        assert_eq!(
            (plan[0].member, plan[0].reason),
            (chosen.member(), Some(chosen.reason())),
            "{strategy:?}"
        );
        let last = plan.last().unwrap();
        assert_eq!((last.member, last.reason), (1, Some(Reason::LastResort)), "{strategy:?}");
    }
}

#[test]
fn a_plan_says_why() {
    let balancer = Balancer::default();
    let members =
        [("a", 1), ("b", 9), ("c", 9), ("d", 9)].map(|(name, max)| balancer.register(name, "", Some(max)));
    let seats = members.map(|member| Seat { member, weight: 1.0, price: None }).to_vec();
    let tier = balancer.tier(seats, Strategy::Priority).unwrap();
    let full = choose(&balancer, &tier, &[], 0.0).unwrap();
    at_member(&balancer, 1, limited(60), 0.0);
    let ask = Ask { tried: &[2], ..Ask::default() };
    let plan = balancer.plan(&tier, &ask, at(10.0));
    let said: Vec<(usize, &str)> = plan.iter().map(|step| (step.member, step.why.as_str())).collect();
    let expected = [
        (3, "number 4 in order"),
        (0, "full: 1 in flight"),
        (1, "cooling down for another 50.0 s"),
        (2, "tried already"),
    ];
    assert_eq!(said, expected);
    drop(full);
}

proptest! {
    /// Whatever happens in whatever order, what is in flight is what has been begun and has not ended, and a
    /// first attempt finds a member unless all are full.
    #[test]
    fn accounts_balance(script in proptest::collection::vec((0_u8..8, 0_u64..u64::MAX, 0.0_f64..20.0), 1..200)) {
        let balancer = Balancer::default();
        let strategies = Strategy::ALL;
        let seats: Vec<Seat> = (0..4)
            .map(|index| balancer.register(&format!("m{index}"), ["x", "y"][index % 2], (index == 3).then_some(2)))
            .map(|member| Seat { member, weight: 1.0 + member as f64, price: Some(member as f64) })
            .collect();
        let (mut held, mut now_s): (Vec<Ticket>, f64) = (Vec::new(), 0.0);
        for (what, bits, pause_s) in script {
            now_s += pause_s;
            let now = at(now_s);
            if what < 4 || held.is_empty() {
                let tier = balancer.tier(seats.clone(), strategies[(bits % 6) as usize]).unwrap();
                let tried = if what == 3 { vec![(bits % 4) as usize] } else { vec![] };
                let ask = Ask { tried: &tried, session: (bits % 3 == 0).then_some(bits), ..Ask::default() };
                let ticket = balancer.choose(&tier, &ask, now, bits);
                prop_assert!(ticket.is_some() || what == 3);
                prop_assert!(ticket.as_ref().is_none_or(|ticket| !tried.contains(&ticket.member())));
                held.extend(ticket);
            } else {
                let ticket = held.swap_remove((bits % held.len() as u64) as usize);
                match what {
                    4 => ticket.finish(DARK, now, bits),
                    5 => ticket.finish(limited(bits % 100), now, bits),
                    6 => ticket.finish(answered((bits % 1000) as f64), now, bits),
                    _ => drop(ticket),
                }
            }
            let in_flight: u32 = balancer.members(now).iter().map(|member| member.in_flight).sum();
            prop_assert_eq!(in_flight as usize, held.len());
        }
        held.clear();
        prop_assert!(balancer.members(at(now_s)).iter().all(|member| member.in_flight == 0));
    }
}
