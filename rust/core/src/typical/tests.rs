use super::*;

#[test]
fn before_the_first_answer_there_is_a_guess() {
    assert_eq!(Typical::default().output("a"), 256);
}

#[test]
fn each_answer_weighs_a_twentieth() {
    let mut typical = Typical::default();
    typical.learn("a", 56);
    assert_eq!(typical.output("a"), 246);
    for _ in 0..200 {
        typical.learn("a", 40);
    }
    assert_eq!((typical.output("a"), typical.output("b")), (40, 256));
}

#[test]
fn a_half_rounds_to_the_even() {
    for (tokens, expected) in [(266, 256), (286, 258), (246, 256)] {
        let mut typical = Typical::default();
        typical.learn("a", tokens);
        assert_eq!(typical.output("a"), expected, "{tokens}");
    }
}

#[test]
fn the_absurd_is_survived() {
    let mut typical = Typical::default();
    for _ in 0..10_000 {
        typical.learn("a", u64::MAX);
    }
    assert!(typical.output("a") > 1 << 63);
}

#[test]
fn names_are_bounded() {
    let mut typical = Typical::default();
    for number in 0..=MAX_NAMES {
        typical.learn(&number.to_string(), 0);
        assert!(typical.means.len() <= MAX_NAMES);
    }
    assert_eq!((typical.output("0"), typical.output(&MAX_NAMES.to_string())), (256, 243));
}
