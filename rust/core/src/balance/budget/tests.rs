use super::*;

fn at(seconds: f64) -> Moment {
    Moment::from_nanos((seconds * 1e9) as u64)
}

#[test]
fn grants_the_floor_and_no_more_to_little_traffic() {
    let mut budget = RetryBudget::new(0.1);
    budget.deposit(at(0.0));
    let granted = (0..50).filter(|_| budget.withdraw(at(1.0))).count();
    assert_eq!((granted, budget.denied()), (10, 40));
    assert!(budget.withdraw(at(11.0)));
}

#[test]
fn grants_the_share_to_much_traffic_as_it_moves() {
    let mut budget = RetryBudget::new(0.1);
    let (mut firsts, mut granted) = (0, 0);
    for tick in 0..60_000 {
        let now = at(f64::from(tick) / 1000.0);
        budget.deposit(now);
        firsts += 1;
        granted += u32::from(budget.withdraw(now));
    }
    assert!(f64::from(granted) <= 0.1 * f64::from(firsts), "{granted} of {firsts}");
    assert!(f64::from(granted) >= 0.09 * f64::from(firsts), "{granted} of {firsts}");
}

#[test]
fn a_share_of_nothing_is_nothing() {
    let mut budget = RetryBudget::new(0.0);
    budget.deposit(at(0.0));
    assert!(!budget.withdraw(at(0.0)));
}
