use super::*;

const DECAY: Duration = Duration::from_secs(10);

fn at(seconds: f64) -> Moment {
    Moment::from_nanos((seconds * 1e9) as u64)
}

fn known(latency_ms: f64, met: u32) -> Load {
    let mut load = Load::new(DECAY);
    load.sample(latency_ms, met, at(0.0));
    load
}

fn stream(first_token_ms: f64, token_ms: f64, tokens: u32) -> Timing {
    let total_ms = first_token_ms + token_ms * f64::from(tokens - 1);
    Timing { first_token_ms: Some(first_token_ms), total_ms, output_tokens: tokens }
}

#[test]
fn the_untried_comes_first_but_once() {
    let mut load = Load::new(DECAY);
    assert_eq!(load.at(at(0.0), 0), 0.0);
    load.choose();
    assert_eq!(load.at(at(0.0), 1), UNKNOWN_MS * 1.25);
    assert_eq!(load.at(at(60.0), 0), UNKNOWN_MS, "its request ended without a measure");
    (0..200).for_each(|_| load.pass_over());
    assert!((load.at(at(60.0), 0) - UNKNOWN_MS / std::f64::consts::E).abs() < 1e-9);
    load.sample(50.0, 0, at(61.0));
    assert_eq!(load.latency_ms(), Some(50.0));
    load.forget();
    assert_eq!(load.at(at(62.0), 5), 0.0);
}

#[test]
fn what_counts_is_the_change_of_what_is_in_flight() {
    let busy = known(100.0, 36);
    assert_eq!(busy.at(at(0.0), 36), 100.0);
    assert_eq!(busy.at(at(0.0), 76), 200.0);
    let idle = known(100.0, 0);
    assert_eq!(idle.at(at(0.0), 0), 100.0);
    assert_eq!(idle.at(at(0.0), 4), 200.0);
}

#[test]
fn bad_news_weighs_twice_what_good_news_weighs() {
    let (mut up, mut down) = (known(100.0, 0), known(100.0, 0));
    up.sample(200.0, 0, at(0.001));
    down.sample(0.0, 0, at(0.001));
    assert!((up.latency_ms().unwrap() - 120.0).abs() < 1e-9);
    assert!((down.latency_ms().unwrap() - 90.0).abs() < 1e-9);
}

#[test]
fn no_sample_is_more_than_half_of_the_mean() {
    let mut load = known(100.0, 0);
    load.sample(300.0, 0, at(1e6));
    assert!((load.latency_ms().unwrap() - 200.0).abs() < 1e-9);
}

#[test]
fn silence_is_forgiven_by_the_slower_of_clock_and_traffic() {
    let mut load = known(100.0, 0);
    assert_eq!(load.at(at(1000.0), 0), 100.0, "no traffic has passed it over");
    for _ in 0..200 {
        load.pass_over();
    }
    assert_eq!(load.at(at(0.0), 0), 100.0, "no time has passed");
    let forgiven = load.at(at(1000.0), 0);
    assert!((forgiven - 100.0 / std::f64::consts::E).abs() < 1e-9, "{forgiven}");
    load.choose();
    assert_eq!(load.at(at(1000.0), 0), 100.0);
}

#[test]
fn a_failure_is_entered_as_twice_the_mean() {
    let mut load = known(100.0, 0);
    load.penalise(0, at(0.001));
    assert!((load.latency_ms().unwrap() - 120.0).abs() < 1e-9);
    let mut unknown = Load::new(DECAY);
    unknown.penalise(0, at(0.0));
    assert_eq!(unknown.latency_ms(), Some(2.0 * UNKNOWN_MS));
}

#[test]
fn failing_for_ever_stays_finite() {
    let mut load = known(100.0, 0);
    for second in 0..10_000 {
        load.penalise(0, at(f64::from(second)));
    }
    assert!(load.latency_ms().unwrap() <= 600_000.0);
}

#[test]
fn a_wait_without_answer_can_only_worsen_the_mean() {
    let mut load = known(100.0, 0);
    load.at_least(50.0, 0, at(1.0));
    assert_eq!(load.latency_ms(), Some(100.0));
    load.at_least(200.0, 0, at(0.001));
    assert!(load.latency_ms().unwrap() > 100.0);
}

#[test]
fn a_time_that_is_none_is_not_entered() {
    let mut load = known(100.0, 0);
    for nonsense in [f64::NAN, f64::INFINITY, -1.0] {
        load.sample(nonsense, 0, at(1.0));
    }
    assert_eq!(load.latency_ms(), Some(100.0));
}

#[test]
fn a_whole_answer_is_measured_alike_at_every_length() {
    // First token 500 ms, 20 ms a token: a first token is worth 25 tokens, as the ruler says.
    for tokens in [0, 10, 100, 1000, 10_000] {
        let total_ms = 500.0 + 20.0 * f64::from(tokens);
        let timing = Timing { first_token_ms: None, total_ms, output_tokens: tokens };
        assert!((timing.first_token_equivalent_ms(TYPICAL_WORTH) - 500.0).abs() < 1e-6);
    }
}

#[test]
fn with_the_wrong_ruler_length_still_moves_a_member_only_between_two_measures() {
    // First token 500 ms, 10 ms a token: 50 tokens, against a ruler of 25. Between 25 x 10 and 500 ms.
    for tokens in [0, 1, 10, 100, 1000, 1_000_000] {
        let total_ms = 500.0 + 10.0 * f64::from(tokens);
        let timing = Timing { first_token_ms: None, total_ms, output_tokens: tokens };
        let seen_ms = timing.first_token_equivalent_ms(TYPICAL_WORTH);
        assert!((250.0..=500.0).contains(&seen_ms), "{seen_ms}");
    }
}

#[test]
fn the_ruler_is_learnt_from_streams() {
    let mut load = Load::new(DECAY);
    for _ in 0..10 {
        load.learn_worth(&stream(800.0, 10.0, 200));
    }
    assert!((common_worth(load.log_worth().into_iter()) - 80.0).abs() < 1e-6);
    assert_eq!(common_worth(std::iter::empty()), TYPICAL_WORTH);
    let two = [20.0_f64.ln(), 80.0_f64.ln()];
    assert!((common_worth(two.into_iter()) - 40.0).abs() < 1e-9);
}

#[test]
fn nothing_is_learnt_from_what_shows_nothing() {
    let mut load = Load::new(DECAY);
    load.learn_worth(&stream(800.0, 10.0, 15));
    load.learn_worth(&stream(800.0, 0.0, 100));
    load.learn_worth(&stream(0.0, 10.0, 100));
    load.learn_worth(&Timing { first_token_ms: None, total_ms: 900.0, output_tokens: 100 });
    load.learn_worth(&Timing { first_token_ms: Some(f64::NAN), total_ms: 900.0, output_tokens: 100 });
    assert_eq!(load.log_worth(), None);
}
