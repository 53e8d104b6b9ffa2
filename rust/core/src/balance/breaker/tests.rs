use super::*;

const FAILED: Verdict = Verdict::Failed { retry_after: None };
const LIMITED: Verdict = Verdict::Limited { retry_after: None };
/// The least jitter and the most.
const LEAST: u64 = 0;
const MOST: u64 = u64::MAX;

fn at(seconds: f64) -> Moment {
    Moment::from_nanos((seconds * 1e9) as u64)
}

/// One attempt, begun and ended at once.
fn attempt(breaker: &mut Breaker, verdict: Verdict, now_s: f64) {
    let pass = breaker.begin(breaker.standing(0, at(now_s)));
    breaker.settle(pass, verdict, at(now_s), LEAST);
}

fn after(verdicts: &[Verdict]) -> Breaker {
    let mut breaker = Breaker::default();
    verdicts.iter().for_each(|verdict| attempt(&mut breaker, *verdict, 0.0));
    breaker
}

fn left_s(breaker: &Breaker, now_s: f64) -> f64 {
    (breaker.cooldown_left(at(now_s)).as_secs_f64() * 1000.0).round() / 1000.0
}

#[test]
fn five_failures_in_a_row_open_it() {
    assert_eq!(after(&[FAILED; 4]).state(), State::Closed);
    let breaker = after(&[FAILED; 5]);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(left_s(&breaker, 0.0), 5.0);
    assert_eq!(breaker.standing(0, at(4.9)), Standing::Open);
    assert_eq!(breaker.standing(0, at(5.1)), Standing::Due);
}

#[test]
fn a_success_breaks_the_row_and_a_limit_does_not_count_in_it() {
    let broken = [FAILED, FAILED, FAILED, FAILED, Verdict::Good, FAILED, FAILED, FAILED, FAILED];
    assert_eq!(after(&broken).state(), State::Closed);
    let row = [FAILED, FAILED, LIMITED, LIMITED, LIMITED, FAILED, FAILED];
    assert_eq!(after(&row).state(), State::Closed);
    assert_eq!(after(&[&row[..], &[FAILED]].concat()).state(), State::Open);
}

#[test]
fn less_than_half_good_of_twenty_opens_it() {
    let half: Vec<Verdict> = [Verdict::Good, FAILED].repeat(20);
    assert_eq!(after(&half).state(), State::Closed);
    let less: Vec<Verdict> = [&[Verdict::Good, LIMITED].repeat(9)[..], &[LIMITED; 2]].concat();
    assert_eq!(after(&less[..19]).state(), State::Closed, "nineteen say nothing");
    assert_eq!(after(&less).state(), State::Open);
}

#[test]
fn what_is_older_than_the_window_does_not_count() {
    let mut breaker = Breaker::default();
    (0..15).for_each(|_| attempt(&mut breaker, LIMITED, 0.0));
    (0..15).for_each(|_| attempt(&mut breaker, Verdict::Good, 31.0));
    (0..5).for_each(|_| attempt(&mut breaker, LIMITED, 31.0));
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.success_ratio(at(31.0)), Some(0.75));
    assert_eq!(breaker.success_ratio(at(90.0)), None);
}

#[test]
fn one_probe_goes_out_and_closes_it() {
    let mut breaker = after(&[FAILED; 5]);
    let probe = breaker.begin(breaker.standing(0, at(6.0)));
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(breaker.standing(1, at(600.0)), Standing::Open, "its place is taken");
    assert!(breaker.settle(probe, Verdict::Good, at(7.0), LEAST));
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn it_recovers_one_four_sixteen_all() {
    let mut breaker = after(&[FAILED; 5]);
    attempt(&mut breaker, Verdict::Good, 6.0);
    for limit in [1, 4, 16] {
        assert_eq!(breaker.standing(limit - 1, at(7.0)), Standing::Ready);
        assert_eq!(breaker.standing(limit, at(7.0)), Standing::Ramping);
        attempt(&mut breaker, Verdict::Good, 7.0);
    }
    assert_eq!(breaker.standing(1000, at(7.0)), Standing::Ready);
}

#[test]
fn a_failed_probe_doubles_the_cooldown_up_to_five_minutes() {
    let mut breaker = after(&[FAILED; 5]);
    let mut now_s = 0.0;
    for expected_s in [10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0] {
        now_s += 1000.0;
        attempt(&mut breaker, FAILED, now_s);
        assert_eq!(left_s(&breaker, now_s), expected_s);
    }
}

#[test]
fn a_limit_fails_a_probe_and_a_relapse_counts_on() {
    let mut breaker = after(&[FAILED; 5]);
    attempt(&mut breaker, LIMITED, 6.0);
    assert_eq!(left_s(&breaker, 6.0), 10.0);
    attempt(&mut breaker, Verdict::Good, 20.0);
    attempt(&mut breaker, FAILED, 21.0);
    assert_eq!((breaker.state(), left_s(&breaker, 21.0)), (State::Open, 20.0));
}

#[test]
fn full_recovery_starts_the_cooldown_anew() {
    let mut breaker = after(&[FAILED; 5]);
    attempt(&mut breaker, FAILED, 6.0);
    (0..4).for_each(|_| attempt(&mut breaker, Verdict::Good, 20.0));
    (0..5).for_each(|_| attempt(&mut breaker, FAILED, 21.0));
    assert_eq!(left_s(&breaker, 21.0), 5.0);
}

#[test]
fn chance_adds_up_to_a_quarter() {
    let mut breaker = after(&[FAILED; 4]);
    let pass = breaker.begin(Standing::Ready);
    breaker.settle(pass, FAILED, at(0.0), MOST);
    assert_eq!(left_s(&breaker, 0.0), 6.25);
}

#[test]
fn what_the_provider_asks_for_is_kept_and_capped() {
    let asks = |seconds| Verdict::Limited { retry_after: Some(Duration::from_secs(seconds)) };
    let mut breaker = after(&[asks(7)]);
    assert_eq!((breaker.state(), left_s(&breaker, 0.0)), (State::Open, 7.0));
    assert_eq!(left_s(&after(&[asks(1_000_000_000)]), 0.0), 3600.0);
    assert_eq!(after(&[asks(0)]).state(), State::Closed);
    assert_eq!(after(&[Verdict::Failed { retry_after: Some(Duration::from_secs(3)) }]).state(), State::Open);
    // A probe that is told to wait waits that long, or for its own cooldown where that is longer.
    attempt(&mut breaker, asks(90), 8.0);
    assert_eq!(left_s(&breaker, 8.0), 90.0);
}

#[test]
fn a_refused_credential_rests_for_minutes() {
    let mut breaker = after(&[Verdict::Refused]);
    assert_eq!((breaker.state(), left_s(&breaker, 0.0)), (State::Open, 300.0));
    attempt(&mut breaker, Verdict::Refused, 1000.0);
    assert_eq!(left_s(&breaker, 1000.0), 600.0);
    (0..10).for_each(|turn| attempt(&mut breaker, Verdict::Refused, 10_000.0 * f64::from(turn + 1)));
    assert_eq!(left_s(&breaker, 100_000.0), 3600.0);
}

#[test]
fn a_cancelled_probe_leaves_its_place_to_the_next() {
    let mut breaker = after(&[FAILED; 5]);
    let probe = breaker.begin(breaker.standing(0, at(6.0)));
    breaker.release(probe);
    assert_eq!(breaker.standing(0, at(6.0)), Standing::Due);
    let next = breaker.begin(Standing::Due);
    breaker.release(probe);
    assert_eq!(breaker.state(), State::HalfOpen, "the first is no longer the probe");
    assert!(breaker.settle(next, Verdict::Good, at(7.0), LEAST));
}

#[test]
fn a_first_token_proves_enough() {
    let mut breaker = after(&[FAILED; 5]);
    let probe = breaker.begin(breaker.standing(0, at(6.0)));
    assert!(breaker.prove(probe));
    assert!(!breaker.prove(probe));
    assert_eq!(breaker.state(), State::Closed);
    let normal = breaker.begin(Standing::Ready);
    assert!(!breaker.prove(normal));
}

#[test]
fn the_ends_of_attempts_from_before_change_nothing() {
    let mut breaker = after(&[FAILED; 4]);
    let (early, late) = (breaker.begin(Standing::Ready), breaker.begin(Standing::Ready));
    attempt(&mut breaker, FAILED, 0.0);
    assert!(!breaker.settle(early, Verdict::Good, at(1.0), LEAST));
    assert_eq!(breaker.state(), State::Open);
    attempt(&mut breaker, Verdict::Good, 6.0);
    breaker.settle(late, FAILED, at(7.0), LEAST);
    assert_eq!(breaker.state(), State::Closed, "no relapse: it was sent before the outage was known");
}

#[test]
fn a_last_resort_closes_it_or_goes_to_the_end_of_the_line() {
    let mut breaker = after(&[FAILED; 5]);
    for now_s in [1.0, 2.0, 3.0] {
        let last_resort = breaker.begin(breaker.standing(0, at(now_s)));
        breaker.settle(last_resort, FAILED, at(now_s), LEAST);
        assert_eq!(left_s(&breaker, now_s), 5.0, "the cooldown starts again and does not grow");
    }
    attempt(&mut breaker, Verdict::Good, 4.0);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn another_s_probe_closes_it_as_its_own_does() {
    let mut breaker = after(&[FAILED; 5]);
    let late = breaker.begin(breaker.standing(0, at(1.0)));
    assert!(breaker.recover());
    assert_eq!((breaker.state(), left_s(&breaker, 1.0)), (State::Closed, 0.0));
    assert_eq!(breaker.standing(0, at(1.0)), Standing::Ready);
    assert_eq!(breaker.standing(1, at(1.0)), Standing::Ramping);
    breaker.settle(late, FAILED, at(1.0), LEAST);
    assert_eq!(breaker.state(), State::Closed, "what was begun before says nothing of now");
    assert!(!breaker.recover(), "it is closed");
    attempt(&mut breaker, FAILED, 1.0);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(left_s(&breaker, 1.0), 10.0, "a relapse");
}
