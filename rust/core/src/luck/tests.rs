use super::{EVERY, Luck, MOST};

fn tried(luck: &Luck, requests: u32) -> u32 {
    (0..requests).map(|_| u32::from(luck.is_tried())).sum()
}

#[test]
fn those_are_taken_that_have_a_fair_chance() {
    let luck = Luck::default();
    for round in 0..1_000 {
        assert!(luck.is_tried());
        if round % 3 == 0 { luck.served() } else { luck.handed_over() }
    }
}

#[test]
fn those_without_luck_are_tried_now_and_then() {
    let luck = Luck::default();
    for _ in 0..MOST {
        assert!(luck.is_tried());
        luck.handed_over();
    }
    assert_eq!(tried(&luck, EVERY * 10), 10);
}

#[test]
fn luck_may_turn() {
    let luck = Luck::default();
    (0..100).for_each(|_| luck.handed_over());
    assert!(!luck.is_tried());
    luck.served();
    assert_eq!(tried(&luck, 100), 100);
    (0..100).for_each(|_| luck.served());
    (0..2 * MOST - 1).for_each(|_| luck.handed_over());
    assert!(luck.is_tried());
}
