use super::*;

fn at(seconds: f64) -> Moment {
    Moment::from_nanos((seconds * 1e9) as u64)
}

#[test]
fn forgets_a_tenth_of_the_span_at_a_time() {
    let mut window = Window::new(Duration::from_secs(10));
    for second in 0..10 {
        window.add(at(f64::from(second) + 0.5));
    }
    assert_eq!(window.sum(at(9.9)), 10);
    assert_eq!(window.sum(at(10.0)), 9);
    assert_eq!(window.sum(at(14.0)), 5);
    assert_eq!(window.sum(at(1e6)), 0);
}

#[test]
fn a_clock_that_steps_back_loses_nothing() {
    let mut window = Window::new(Duration::from_secs(10));
    window.add(at(100.0));
    window.add(at(50.0));
    assert_eq!(window.sum(at(100.0)), 2);
    assert_eq!(window.sum(at(109.0)), 2);
    assert_eq!(window.sum(at(110.0)), 0);
}
