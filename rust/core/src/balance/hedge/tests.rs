use super::*;

fn at(seconds: f64) -> Moment {
    Moment::from_nanos((seconds * 1e9) as u64)
}

/// A hundred a second, of which those whose number divides by `slow_each` take `slow_ms`.
fn traffic(known: &mut FirstTokens, from_s: f64, count: u32, slow_each: u32, slow_ms: f64) {
    for number in 1..=count {
        let ms = if number % slow_each == 0 { slow_ms } else { 200.0 + f64::from(number % 50) };
        known.add(ms, at(from_s + f64::from(number) / 100.0));
    }
}

fn asked(known: &mut FirstTokens, now_s: f64) -> Option<f64> {
    delay(std::iter::once(known), 0.95, at(now_s)).map(|delay| delay.as_secs_f64())
}

#[test]
fn waits_for_the_live_quantile() {
    let mut known = FirstTokens::default();
    traffic(&mut known, 0.0, 1000, 50, 3000.0);
    let delay_s = asked(&mut known, 10.0).unwrap();
    assert!((0.24..0.28).contains(&delay_s), "{delay_s}");
}

#[test]
fn knows_nothing_from_a_handful() {
    let mut known = FirstTokens::default();
    traffic(&mut known, 0.0, 49, 50, 0.0);
    assert_eq!(asked(&mut known, 1.0), None);
}

#[test]
fn takes_the_quantile_of_all_members_together() {
    let (mut quick, mut slow) = (FirstTokens::default(), FirstTokens::default());
    traffic(&mut quick, 0.0, 900, 1000, 0.0);
    (0..100).for_each(|number| slow.add(2000.0, at(f64::from(number) / 10.0)));
    let delay = delay([&mut quick, &mut slow].into_iter(), 0.95, at(10.0)).unwrap();
    assert!((2.0..2.3).contains(&delay.as_secs_f64()), "{delay:?}");
}

#[test]
fn an_outage_switches_it_off_and_its_end_on() {
    let mut known = FirstTokens::default();
    traffic(&mut known, 0.0, 2000, 50, 1000.0);
    assert!(asked(&mut known, 20.0).is_some());
    // Most of the last half minute is slow by the measure of the minutes before.
    (0..60).for_each(|number| known.add(4000.0, at(80.0 + f64::from(number) / 2.0)));
    assert_eq!(asked(&mut known, 110.0), None);
    traffic(&mut known, 180.0, 2000, 50, 1000.0);
    assert!(asked(&mut known, 240.0).is_some());
}

#[test]
fn the_recent_past_is_forgotten_when_nothing_comes() {
    let mut known = FirstTokens::default();
    traffic(&mut known, 0.0, 2000, 50, 1000.0);
    (0..60).for_each(|number| known.add(4000.0, at(80.0 + f64::from(number) / 2.0)));
    assert!(asked(&mut known, 200.0).is_some());
}

#[test]
fn hedges_cost_no_more_than_their_share() {
    let mut known = FirstTokens::default();
    let mut hedges = 0;
    for _ in 0..10_000 {
        known.deposit();
        hedges += u32::from(known.withdraw(0.02));
    }
    assert_eq!(hedges, 200);
    assert!(!known.affords(0.02));
}

#[test]
fn no_more_than_ten_are_saved_up_and_no_share_buys_none() {
    let mut known = FirstTokens::default();
    (0..100_000).for_each(|_| known.deposit());
    assert!(!known.withdraw(0.0));
    assert!(!known.withdraw(f64::NAN));
    assert_eq!((0..100).filter(|_| known.withdraw(0.02)).count(), 10);
}
