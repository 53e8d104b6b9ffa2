use super::*;

#[test]
fn every_entry_is_found_and_gives_its_bytes_back() {
    for vocabulary in [&O200K, &CL100K, &P50K] {
        for id in 0..vocabulary.limit() {
            let Some(bytes) = vocabulary.bytes(id) else {
                assert_eq!((id, vocabulary.limit()), (50_256, 50_281), "only p50k's end of text is missing");
                continue;
            };
            assert_eq!(vocabulary.id(bytes, 0..bytes.len()), Some(id));
            if let [first, second] = bytes {
                assert_eq!(vocabulary.pair(*first, *second), Some(id));
            }
        }
    }
}

#[test]
fn what_stands_around_a_piece_does_not_matter() {
    let text = b"xx hello yyyyyyyyyyyyyyyyyyyyyyy";
    assert_eq!(O200K.id(text, 2..8), O200K.id(b" hello", 0..6));
    assert!(O200K.id(text, 2..8).is_some());
}

#[test]
fn near_entries_are_none() {
    for id in 0..O200K.limit() {
        let bytes = O200K.bytes(id).unwrap();
        let mut longer = bytes.to_vec();
        longer.push(0xff);
        assert_eq!(O200K.id(&longer, 0..longer.len()), None, "no entry ends so, but {bytes:?}");
    }
    assert_eq!(O200K.id(&[b'a'; 300], 0..300), None);
    assert_eq!(O200K.bytes(O200K.limit()), None);
}
