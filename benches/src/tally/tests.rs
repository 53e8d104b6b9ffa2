use super::*;

#[test]
fn percentiles_are_exact() {
    let mut spread = Spread::default();
    for time_us in (1..=100u64).rev() {
        spread.record(time_us * 1000);
    }
    let report = spread.report();
    assert_eq!((report["min"].as_f64(), report["max"].as_f64()), (Some(1.0), Some(100.0)));
    assert_eq!((report["p50"].as_f64(), report["p99"].as_f64()), (Some(50.0), Some(99.0)));
    assert_eq!(report["mean"].as_f64(), Some(50.5));
}

#[test]
fn nothing_recorded_is_null() {
    assert_eq!(Spread::default().report(), Value::Null);
}

#[test]
fn failures_are_counted_by_name() {
    let mut tally = Tally::default();
    tally.add(Ok(Exchange { total_ns: 5, first_byte_ns: 2 }));
    tally.add(Err(Failure::Status(503)));
    tally.add(Err(Failure::Status(503)));
    assert_eq!(tally.requests(), 3);
    let report = tally.report(2.0);
    assert_eq!(report["failures"]["status 503"], 2);
    assert_eq!(report["rate"], 0.5);
}
