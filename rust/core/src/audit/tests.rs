use proptest::collection::vec;
use proptest::prelude::*;
use ring::signature::Ed25519KeyPair;

use super::{
    Chain, Head, Salt, TAKEN_OUT, Tree, Verified, ZERO, hex, link, proof, read_line, root, root_from, unhex,
    write_line,
};

#[test]
fn what_stands_for_a_text_depends_on_the_salt_the_kind_and_the_text() {
    let told = |salt: &[u8], kind: &[u8], text: &[u8]| Salt::new(salt).digest(kind, text);
    let some = told(b"salt", b"prompt", b"x");
    assert_eq!((some.len(), &some), (32, &told(b"salt", b"prompt", b"x")));
    for other in
        [told(b"Salt", b"prompt", b"x"), told(b"salt", b"subject", b"x"), told(b"salt", b"prompt", b"")]
    {
        assert_ne!(some, other);
    }
}

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn public() -> Vec<u8> {
    use ring::signature::KeyPair;
    key().public_key().as_ref().to_vec()
}

/// Segments of a chain and their heads.
fn written(segments: &[Vec<Vec<u8>>]) -> Vec<(Vec<u8>, String)> {
    let (mut seq, mut hash, mut before) = (0, ZERO, ZERO);
    let mut found = Vec::new();
    for (number, records) in segments.iter().enumerate() {
        let (first, mut text, mut tree) = (seq + 1, Vec::new(), Tree::default());
        for record in records {
            seq += 1;
            hash = link("w", seq, &hash, record);
            tree.push(&hash);
            write_line(&mut text, seq, &hash, record);
        }
        let segment = number as u64 + 1;
        let head =
            Head { writer: "w".into(), segment, first, last: seq, hash, root: tree.root(), at_ms: 5, before };
        let line = head.signed(&key());
        before = Head::digest(&line);
        found.push((text, line));
    }
    found
}

fn verified(segments: &[(Vec<u8>, String)]) -> Verified {
    let mut chain = Chain::new("w", Some(&public()));
    for (number, (text, head)) in segments.iter().enumerate() {
        chain.segment(&format!("{number}"), text, Some(head));
    }
    chain.end()
}

fn record() -> impl Strategy<Value = Vec<u8>> {
    vec(b'a'..=b'z', 1..12)
}

#[test]
fn the_tree_of_the_standard() {
    // The digest of nothing, and of one leaf, from the definitions of RFC 9162.
    assert_eq!(hex(&root(&[])), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    let one = [3; 32];
    assert_eq!(root(&[one]), super::chain::digest(&[&[0], &one]));
}

#[test]
fn lines_that_are_none() {
    let mut good = Vec::new();
    write_line(&mut good, 12, &[5; 32], b"{}");
    good.pop();
    let line = read_line(&good).unwrap();
    assert_eq!((line.seq, line.hash, line.record), (12, [5; 32], Some(&b"{}"[..])));
    for cut in 0..good.len() - 2 {
        assert_eq!(read_line(&good[..cut]), None, "{cut}");
    }
    assert_eq!(read_line(&[b"0".as_slice(), &good].concat()), None);
    assert_eq!(unhex("zz"), None);
}

#[test]
fn a_key_of_another_signs_nothing() {
    let other = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap();
    let mut segments = written(&[vec![b"a".to_vec()]]);
    let (head, _) = Head::read(&segments[0].1).unwrap();
    segments[0].1 = head.signed(&other);
    assert_eq!(verified(&segments).faults.len(), 1);
    let mut chain = Chain::new("w", None);
    chain.segment("0", &segments[0].0, Some(&segments[0].1));
    assert!(chain.end().faults.is_empty());
}

#[test]
fn what_is_not_signed_yet_is_said() {
    let segments = written(&[vec![b"a".to_vec(), b"b".to_vec()]]);
    let mut chain = Chain::new("w", Some(&public()));
    chain.segment("0", &segments[0].0, None);
    assert_eq!(chain.last().0, 2);
    let verified = chain.end();
    assert_eq!((verified.records, verified.unsigned, verified.faults.len()), (2, 2, 0));
}

proptest! {
    #[test]
    fn a_leaf_is_proved(hashes in vec(any::<[u8; 32]>(), 1..70), index in 0_usize..70, other in any::<[u8; 32]>()) {
        let index = index % hashes.len();
        let path = proof(&hashes, index).unwrap();
        let whole = root(&hashes);
        prop_assert_eq!(root_from(&hashes[index], index, hashes.len(), &path), Some(whole));
        if other != hashes[index] {
            prop_assert_ne!(root_from(&other, index, hashes.len(), &path), Some(whole));
        }
        prop_assert_eq!(root_from(&hashes[index], hashes.len(), hashes.len(), &path), None);
        prop_assert_eq!(proof(&hashes, hashes.len()), None);
    }

    #[test]
    fn what_is_as_it_was_written_is_well(segments in vec(vec(record(), 1..6), 1..5), out in any::<u64>()) {
        let mut segments = written(&segments);
        let found = verified(&segments);
        let all = found.records;
        prop_assert_eq!(found.faults, vec![]);
        // One that was taken out leaves a chain that holds.
        let place = usize::try_from(out % segments.len() as u64).unwrap();
        let text = segments[place].0.clone();
        let end = text.iter().position(|byte| *byte == b'\n').unwrap();
        let line = read_line(&text[..end]).unwrap();
        let mut changed = Vec::new();
        write_line(&mut changed, line.seq, &line.hash, TAKEN_OUT);
        changed.extend_from_slice(&text[end + 1..]);
        segments[place].0 = changed;
        let found = verified(&segments);
        prop_assert_eq!((found.records, found.taken_out, found.faults), (all - 1, 1, vec![]));
    }

    /// Any byte changed, any line taken, doubled or moved, any segments swapped, any head of another.
    #[test]
    fn what_was_changed_shows(
        segments in vec(vec(record(), 2..6), 2..5), way in 0_u8..6, place in any::<usize>(), change in 1_u8..=255
    ) {
        let original = written(&segments);
        let mut changed = original.clone();
        let number = place % changed.len();
        let mut lines: Vec<Vec<u8>> =
            changed[number].0.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let line = place / changed.len() % lines.len();
        match way {
            0 => {
                let at = place % lines[line].len();
                lines[line][at] ^= change;
            }
            1 => { lines.remove(line); }
            2 => lines.insert(line, lines[line].clone()),
            3 => lines.rotate_left(1),
            4 => { lines.pop(); }
            _ => {
                let other = (number + 1) % changed.len();
                let (one, two) = (changed[number].1.clone(), changed[other].1.clone());
                (changed[number].1, changed[other].1) = (two, one);
            }
        }
        changed[number].0 = lines.concat();
        if changed != original {
            prop_assert!(!verified(&changed).faults.is_empty());
        }
    }
}
