//! Text in pieces that cut characters.

use proptest::prelude::*;

use super::super::text::Joiner;

fn join(pieces: &[&[u8]]) -> String {
    let mut joiner = Joiner::new(1000);
    let mut text = String::new();
    for piece in pieces {
        assert!(joiner.push(piece, &mut text));
    }
    text
}

const HIGH: &[u8] = b"\xED\xA0\xBD";
const LOW: &[u8] = b"\xED\xB8\x80";

#[test]
fn halves_are_joined() {
    assert_eq!(join(&[HIGH, LOW, b"!"]), "😀!");
    assert_eq!(join(&[b"a", HIGH, &[LOW, b"b"].concat()]), "a😀b");
    assert_eq!(join(&[b"\xF0\x9F", b"\x98", b"\x80"]), "😀");
    assert_eq!(join(&[b"\xED", b"\xA0", b"\xBD", b"\xED", b"\xB8", b"\x80"]), "😀");
    assert_eq!(join(&[b"\xC3", b"", b"\xA9"]), "é");
}

#[test]
fn what_is_broken_is_replaced_and_nothing_else() {
    assert_eq!(join(&[HIGH, b"x"]), "\u{fffd}x");
    assert_eq!(join(&[LOW, b"x"]), "\u{fffd}x");
    assert_eq!(join(&[HIGH, HIGH, LOW]), "\u{fffd}😀");
    assert_eq!(join(&[b"a\xFFb\xC3", b"c"]), "a\u{fffd}b\u{fffd}c");
}

#[test]
fn a_limit_keeps_characters_whole() {
    let mut joiner = Joiner::new(4);
    let mut text = String::new();
    assert!(joiner.push(b"abc", &mut text));
    assert!(!joiner.push("éx".as_bytes(), &mut text));
    assert_eq!(text, "abc");
}

proptest! {
    #[test]
    fn any_cuts_give_the_same_text(
        text in any::<String>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let bytes = text.as_bytes();
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        let pieces: Vec<&[u8]> = places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        let mut joiner = Joiner::new(usize::MAX);
        let mut joined = String::new();
        for piece in pieces {
            joiner.push(piece, &mut joined);
        }
        prop_assert_eq!(joined, text);
    }
}
