use super::*;

#[test]
fn the_ceiling_doubles_up_to_its_cap() {
    let ceilings: Vec<f64> = (0..8).map(|attempt| backoff(attempt, 1.0).as_secs_f64()).collect();
    assert_eq!(ceilings, [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]);
    assert_eq!(backoff(u32::MAX, 1.0), Duration::from_secs(8));
}

#[test]
fn the_wait_is_the_whole_interval_s() {
    assert_eq!(backoff(2, 0.0), Duration::ZERO);
    assert_eq!(backoff(2, 0.5), Duration::from_millis(500));
    assert_eq!(backoff(2, f64::NAN), Duration::ZERO);
    assert_eq!(backoff(2, 7.0), Duration::from_secs(1));
}
