//! The breaker, with its tickets and the limits of concurrency that are beside it under one lock.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

use std::time::Duration;

use dragoman_interleavings::balance::{
    Ask, Balancer, BreakerState, Moment, Outcome, Reason, Seat, Settings, Strategy, Ticket, Tier, Timing,
};
use dragoman_interleavings::explore;
use dragoman_interleavings::sync::{Arc, Mutex, thread};

const SCHEDULES: usize = 20_000;
const GOOD: Outcome = Outcome::Success(Timing { first_token_ms: Some(1.0), total_ms: 2.0, output_tokens: 1 });
const FAILED: Outcome = Outcome::Failed { retry_after: None };

fn at(seconds: u64) -> Moment {
    Moment::from_nanos(seconds * 1_000_000_000)
}

/// Two deployments, of which the first is preferred.
fn two(max_concurrent: Option<u32>) -> (Balancer, Tier) {
    let balancer = Balancer::new(Settings::default());
    let seats = ["a", "b"].map(|name| Seat {
        member: balancer.register(name, "", max_concurrent),
        weight: 1.0,
        price: None,
    });
    let tier = balancer.tier(seats.to_vec(), Strategy::Priority).unwrap();
    (balancer, tier)
}

/// The first has failed, and its cooldown is over at 2 s.
fn failed_once() -> (Balancer, Tier) {
    let (balancer, tier) = two(None);
    let ticket = balancer.choose(&tier, &Ask::default(), at(0), 0).unwrap();
    ticket.finish(Outcome::Limited { retry_after: Some(Duration::from_secs(1)) }, at(0), 0);
    (balancer, tier)
}

/// How many probes are out, and the most that ever were.
type Out = Arc<Mutex<(usize, usize)>>;

fn begun(out: &Out) {
    let mut out = out.lock().unwrap();
    out.0 += 1;
    out.1 = out.1.max(out.0);
}

/// One attempt to its end, counted where it is the probe. The ticket is settled after the probe is counted as back.
fn attempt(balancer: &Balancer, tier: &Tier, out: &Out, end: impl FnOnce(Ticket)) {
    let ticket = balancer.choose(tier, &Ask::default(), at(2), 0).unwrap();
    let probes = ticket.reason() == Reason::Probe;
    if probes {
        assert_eq!(ticket.member(), 0);
        begun(out);
    }
    thread::yield_now();
    if probes {
        out.lock().unwrap().0 -= 1;
    }
    end(ticket);
}

#[test]
fn one_probe_is_out_whoever_comes_and_however_it_ends() {
    explore(SCHEDULES, || {
        let (balancer, tier) = failed_once();
        let out = Out::default();
        let ends: [fn(Ticket); 4] = [
            |ticket| ticket.finish(GOOD, at(2), 0),
            |ticket| ticket.finish(FAILED, at(2), 0),
            |ticket| ticket.finish(Outcome::Cancelled { waited_ms: None }, at(2), 0),
            drop,
        ];
        let threads = ends.map(|end| {
            let (balancer, tier, out) = (balancer.clone(), tier.clone(), out.clone());
            thread::spawn(move || attempt(&balancer, &tier, &out, end))
        });
        threads.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!(out.lock().unwrap().1, 1);
        for member in balancer.members(at(2)) {
            assert_eq!(member.in_flight, 0);
            assert_ne!(member.breaker, BreakerState::HalfOpen, "its probe is back");
        }
    });
}

#[test]
fn what_others_find_does_not_let_a_second_probe_out() {
    explore(SCHEDULES, || {
        let (balancer, tier) = failed_once();
        let out = Out::default();
        let told = balancer.clone();
        let threads = [
            thread::spawn({
                let (balancer, tier, out) = (balancer.clone(), tier.clone(), out.clone());
                move || attempt(&balancer, &tier, &out, |ticket| ticket.finish(FAILED, at(2), 0))
            }),
            thread::spawn({
                let (balancer, tier, out) = (balancer.clone(), tier.clone(), out.clone());
                move || attempt(&balancer, &tier, &out, |ticket| ticket.finish(GOOD, at(2), 0))
            }),
            thread::spawn(move || {
                assert!(told.cool_down("a", Duration::from_secs(9), at(2)));
                assert!(told.recover("a"));
            }),
        ];
        threads.into_iter().for_each(|one| one.join().unwrap());
        assert!(out.lock().unwrap().1 <= 1);
        let first = balancer.members(at(2)).remove(0);
        assert_eq!(first.in_flight, 0);
        assert_ne!(first.breaker, BreakerState::HalfOpen);
    });
}

#[test]
fn no_more_are_in_flight_than_a_deployment_takes() {
    explore(SCHEDULES, || {
        let (balancer, tier) = two(Some(1));
        let in_flight = Arc::new(Mutex::new([0_u32; 2]));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (balancer, tier, in_flight) = (balancer.clone(), tier.clone(), in_flight.clone());
                thread::spawn(move || {
                    let Some(mut ticket) = balancer.choose(&tier, &Ask::default(), at(0), 0) else { return };
                    let member = ticket.member();
                    in_flight.lock().unwrap()[member] += 1;
                    assert_eq!(in_flight.lock().unwrap()[member], 1);
                    ticket.first_token(1.0, at(0));
                    in_flight.lock().unwrap()[member] -= 1;
                    ticket.finish(GOOD, at(0), 0);
                })
            })
            .collect();
        threads.into_iter().for_each(|one| one.join().unwrap());
        assert!(balancer.members(at(0)).iter().all(|member| member.in_flight == 0));
    });
}
