use super::*;

#[test]
fn a_piece_is_found_again_until_another_takes_its_row() {
    let mut pieces = KnownPieces::default();
    assert_eq!(pieces.get(0x6162, 2, 7), None);
    pieces.put(0x6162, 2, 7, 2);
    assert_eq!(pieces.get(0x6162, 2, 7), Some(2));
    assert_eq!(pieces.get(0x6162, 3, 7), None, "the same bytes and a zero");
    pieces.put(0x6163, 2, 7 + ROWS as u64, 1);
    assert_eq!(pieces.get(0x6162, 2, 7), None);
}

#[test]
fn the_longest_piece_fits() {
    let mut pieces = KnownPieces::default();
    let key = (1 << LENGTH_SHIFT) - 1;
    pieces.put(key, LONGEST, u64::MAX, LONGEST);
    assert_eq!(pieces.get(key, LONGEST, u64::MAX), Some(LONGEST));
}
