use super::super::table::{INNER, NAMED, PREFIXED};
use super::{Part, Shape, entropy};

#[test]
fn a_run_is_as_long_as_it_may_be() {
    let shape = Shape::read("a2-4 '-' d3 ? '!' h1");
    for (text, length) in [
        ("ab-123", Some(6)),
        ("abcd-123!f", Some(10)),
        ("ab-123!z", Some(6)),
        ("abcde-123", None),
        ("a-123", None),
        ("", None),
    ] {
        assert_eq!(shape.matched(text.as_bytes()), length, "{text}");
    }
    assert_eq!(Shape::read("A4").matched(b"abcd"), None, "no digit");
    assert_eq!(Shape::read("a3").matched_backwards(b"-abc"), Some(3));
    assert_eq!(Shape::read("a3").matched_backwards(b"abcd"), None);
}

#[test]
fn every_line_of_the_tables_can_be_read() {
    let lines = PREFIXED.iter().map(|kind| kind.shape).chain(NAMED.iter().map(|kind| kind.shape));
    for line in lines.chain(INNER.iter().flat_map(|kind| [kind.before, kind.after])) {
        let shape = Shape::read(line);
        assert_eq!(shape.parts.len(), line.split(' ').count(), "{line}");
        let known = "dhHxilzuk3aAwWmeobBqQt%=".chars();
        assert!(
            shape.parts.iter().all(|part| match part {
                Part::Run { of, .. } => known.clone().any(|letter| letter == of.0),
                _ => true,
            }),
            "{line}"
        );
    }
    assert!(super::super::kinds().len() >= 220);
}

#[test]
fn entropy_is_in_bits_a_byte() {
    assert!((entropy(b"abcd") - 2.0).abs() < 1e-6);
    assert!(entropy(b"aaaa").abs() < 1e-6);
}
