use std::collections::HashSet;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Apart, Entry, ExactCache, asks_for_one, key_of};
use crate::body;

fn entry(body: &[u8], labels: &[&str], expires_ms: u64) -> Entry {
    Entry {
        body: Arc::from(body),
        headers: Arc::from([("content-type".into(), "text/plain".into())]),
        note: Arc::from(*b"note"),
        labels: labels.iter().map(|label| Box::from(*label)).collect(),
        stored_ms: 0,
        expires_ms,
    }
}

fn key(text: &str) -> super::Key {
    key_of([text.as_bytes()])
}

#[test]
fn parts_are_told_apart() {
    let alike: [&[&[u8]]; 6] = [&[b"ab"], &[b"a", b"b"], &[b"", b"ab"], &[b"ab", b""], &[b"b", b"a"], &[]];
    let keys: HashSet<_> = alike.iter().map(|parts| key_of(parts.iter().copied())).collect();
    assert_eq!(keys.len(), alike.len());
}

proptest! {
    #[test]
    fn other_parts_have_other_keys(one in vec(vec(any::<u8>(), 0..12), 0..5), other in vec(vec(any::<u8>(), 0..12), 0..5)) {
        let of = |parts: &Vec<Vec<u8>>| key_of(parts.iter().map(Vec::as_slice));
        prop_assert_eq!(of(&one) == of(&other), one == other);
    }

    #[test]
    fn a_key_is_the_same_in_one_go_and_in_two(parts in vec(vec(any::<u8>(), 0..100), 0..5), first in 0_usize..5) {
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let (before, after) = parts.split_at(first.min(parts.len()));
        let apart = Apart::new(before.iter().copied());
        let keys = [(); 2].map(|()| apart.key(after.iter().copied()));
        prop_assert_eq!(keys, [key_of(parts.iter().copied()); 2]);
    }

    #[test]
    fn never_more_than_its_bytes(bodies in vec((0_u8..40, 0_usize..4_000), 0..120)) {
        let mut cache = ExactCache::new(20_000);
        for (name, length) in bodies {
            cache.put(key(&name.to_string()), entry(&vec![name; length], &[], 1));
            prop_assert!(cache.bytes() <= 20_000);
            if let Some(found) = cache.get(&key(&name.to_string()), 0, None) {
                prop_assert_eq!(found.body.len(), length);
            }
        }
    }
}

#[test]
fn an_entry_is_given_until_its_time_is_over() {
    let mut cache = ExactCache::new(10_000);
    cache.put(key("a"), entry(b"one", &[], 100));
    assert_eq!(cache.get(&key("a"), 99, None).map(|found| found.body.to_vec()), Some(b"one".to_vec()));
    assert_eq!(cache.get(&key("b"), 0, None), None);
    assert_eq!(cache.get(&key("a"), 100, None), None);
    assert!(cache.is_empty(), "what is over is let go of");
}

#[test]
fn an_entry_is_as_old_as_it_may_be() {
    let mut cache = ExactCache::new(10_000);
    cache.put(key("a"), Entry { stored_ms: 10, ..entry(b"one", &[], 100) });
    assert!(cache.get(&key("a"), 60, Some(51)).is_some());
    assert!(cache.get(&key("a"), 60, Some(50)).is_none());
    assert!(cache.get(&key("a"), 60, None).is_some(), "it is there for others");
    assert_eq!(entry(b"", &[], 1).age_ms(5), 5);
    assert!(cache.get(&key("a"), 9, Some(1)).is_some(), "a clock that was set back makes nothing old");
}

#[test]
fn several_answers_are_not_one() {
    let is_one = |raw: &[u8]| asks_for_one(&body::read(raw, 8).unwrap(), raw);
    for one in ["{}", "{\"n\": 1}", "{\"n\": null}", "{\"a\": {\"n\": 2}}", "{\"a\": \"a candidateCount\"}"] {
        assert!(is_one(one.as_bytes()), "{one}");
    }
    for several in ["{\"n\": 2}", "{\"a\": {\"candidate_count\": 1}}", "{\"num_generations\": 2}"] {
        assert!(!is_one(several.as_bytes()), "{several}");
    }
}

#[test]
fn a_second_entry_takes_the_place_of_the_first() {
    let mut cache = ExactCache::new(10_000);
    cache.put(key("a"), entry(b"one", &[], 100));
    cache.put(key("a"), entry(b"two", &[], 100));
    assert_eq!(
        (cache.len(), cache.get(&key("a"), 0, None).map(|found| found.body.to_vec())),
        (1, Some(b"two".to_vec()))
    );
    assert!(cache.remove(&key("a")) && !cache.remove(&key("a")));
}

#[test]
fn what_is_larger_than_the_cache_is_not_kept() {
    let mut cache = ExactCache::new(10_000);
    cache.put(key("a"), entry(&[0; 20_000], &[], 100));
    assert_eq!(cache.get(&key("a"), 0, None), None);
}

#[test]
fn purged_is_what_has_all_of_the_labels() {
    let mut cache = ExactCache::new(100_000);
    cache.put(key("a"), entry(b"", &["tenant:x", "subject:ann"], 1));
    cache.put(key("b"), entry(b"", &["tenant:x", "subject:bob"], 1));
    cache.put(key("c"), entry(b"", &["tenant:y", "subject:ann"], 1));
    assert_eq!(cache.purge(&["tenant:x".into(), "subject:ann".into()]), 1);
    assert_eq!(cache.purge(&["subject:ann".into()]), 1);
    assert_eq!(cache.purge(&["tenant".into()]), 0);
    assert_eq!((cache.len(), cache.get(&key("b"), 0, None).is_some()), (1, true));
    assert_eq!(cache.purge(&[]), 1, "with no label, all");
}
