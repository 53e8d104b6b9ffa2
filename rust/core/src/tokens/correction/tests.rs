use super::*;

#[test]
fn nothing_learnt_changes_nothing() {
    assert_eq!(Correction::default().apply(1234), 1234);
}

#[test]
fn a_steady_ratio_is_learnt() {
    let mut correction = Correction::default();
    for _ in 0..200 {
        correction.learn(1000, 1300);
    }
    assert!((correction.ratio() - 1.3).abs() < 0.01, "{}", correction.ratio());
    assert_eq!(correction.apply(0), 0);
}

#[test]
fn one_wrong_report_turns_little() {
    let mut correction = Correction::default();
    for _ in 0..50 {
        correction.learn(1000, 1200);
    }
    correction.learn(1000, 1_000_000);
    assert!(correction.ratio() < 1.25, "{}", correction.ratio());
}

#[test]
fn a_change_is_followed_once_enough_was_seen() {
    let mut correction = Correction::default();
    for (reported, times) in [(1500, 500), (900, 3000)] {
        for _ in 0..times {
            correction.learn(1000, reported);
        }
    }
    assert!((correction.ratio() - 0.9).abs() < 0.05, "{}", correction.ratio());
}

#[test]
fn the_ratio_is_bounded_and_empty_reports_are_passed_over() {
    let mut correction = Correction::default();
    correction.learn(0, 10);
    correction.learn(10, 0);
    assert_eq!(correction, Correction::default());
    for _ in 0..100 {
        correction.learn(1000, usize::MAX / 2);
    }
    assert!(correction.ratio() <= 4.0);
}
