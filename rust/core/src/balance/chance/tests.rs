use super::*;

#[test]
fn a_unit_lies_between_its_ends() {
    assert!(unit(0) > 0.0);
    assert!(unit(u64::MAX) < 1.0);
    assert!((unit(1 << 63) - 0.5).abs() < 1e-9);
}

#[test]
fn names_hash_alike_everywhere() {
    // Published values of FNV-1a: a change here would move every session to another home.
    assert_eq!(name_bits(""), 0xCBF2_9CE4_8422_2325);
    assert_eq!(name_bits("a"), 0xAF63_DC4C_8601_EC8C);
    assert_eq!(name_bits("foobar"), 0x8594_4171_F739_67E8);
}

#[test]
fn a_race_is_won_in_proportion_to_weight() {
    let rounds = 20_000_u64;
    let heavy_wins =
        (0..rounds).filter(|round| race(mix(2 * round), 3.0) < race(mix(2 * round + 1), 1.0)).count();
    let share = heavy_wins as f64 / rounds as f64;
    assert!((share - 0.75).abs() < 0.01, "{share}");
}
