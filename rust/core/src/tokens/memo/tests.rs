use super::*;

#[test]
fn a_number_is_found_again() {
    let mut memo = Memo::new(1, 8);
    let key = memo.key(0, &[b"some text"]);
    assert_eq!(memo.get(key), None);
    memo.put(key, 42);
    assert_eq!(memo.get(key), Some(42));
}

#[test]
fn kinds_parts_and_seeds_are_told_apart() {
    let memo = Memo::new(1, 8);
    let keys = [
        memo.key(0, &[b"ab"]),
        memo.key(1, &[b"ab"]),
        memo.key(0, &[b"a", b"b"]),
        memo.key(0, &[b"ab", b""]),
        memo.key(0, &[b"", b"ab"]),
        Memo::new(2, 8).key(0, &[&[b'x'; 300]]),
        memo.key(0, &[&[b'x'; 300]]),
    ];
    for (index, key) in keys.iter().enumerate() {
        assert!(!keys[..index].contains(key), "key {index}");
    }
}

#[test]
fn memory_is_bounded_and_what_is_asked_for_stays() {
    let mut memo = Memo::new(1, 100);
    let kept = memo.key(0, &[b"kept"]);
    memo.put(kept, 7);
    for number in 0..10_000_u32 {
        let key = memo.key(0, &[&number.to_le_bytes()]);
        memo.put(key, number);
        assert_eq!(memo.get(kept), Some(7));
        assert!(memo.len() <= 202);
    }
    let first = memo.key(0, &[&0_u32.to_le_bytes()]);
    assert_eq!(memo.get(first), None);
    assert!(!memo.is_empty());
}

#[test]
fn guesses_follow_what_was_seen() {
    let mut memo = Memo::new(1, 8);
    assert_eq!(memo.guess(4000), 1000);
    for _ in 0..2000 {
        memo.saw(3000, 1500);
    }
    assert!((1950..=2050).contains(&memo.guess(4000)), "{}", memo.guess(4000));
}
