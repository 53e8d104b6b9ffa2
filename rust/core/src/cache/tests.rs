use std::collections::HashSet;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Entry, ExactCache, key_of};

fn entry(body: &[u8], labels: &[&str], expires_ms: u64) -> Entry {
    Entry {
        body: Arc::from(body),
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
    fn never_more_than_its_bytes(bodies in vec((0_u8..40, 0_usize..4_000), 0..120)) {
        let mut cache = ExactCache::new(20_000);
        for (name, length) in bodies {
            cache.put(key(&name.to_string()), entry(&vec![name; length], &[], 1));
            prop_assert!(cache.bytes() <= 20_000);
            if let Some(found) = cache.get(&key(&name.to_string()), 0) {
                prop_assert_eq!(found.body.len(), length);
            }
        }
    }
}

#[test]
fn an_entry_is_given_until_its_time_is_over() {
    let mut cache = ExactCache::new(10_000);
    cache.put(key("a"), entry(b"one", &[], 100));
    assert_eq!(cache.get(&key("a"), 99).map(|found| found.body.to_vec()), Some(b"one".to_vec()));
    assert_eq!(cache.get(&key("b"), 0), None);
    assert_eq!(cache.get(&key("a"), 100), None);
    assert!(cache.is_empty(), "what is over is let go of");
}

#[test]
fn a_second_entry_takes_the_place_of_the_first() {
    let mut cache = ExactCache::new(10_000);
    cache.put(key("a"), entry(b"one", &[], 100));
    cache.put(key("a"), entry(b"two", &[], 100));
    assert_eq!(
        (cache.len(), cache.get(&key("a"), 0).map(|found| found.body.to_vec())),
        (1, Some(b"two".to_vec()))
    );
    assert!(cache.remove(&key("a")) && !cache.remove(&key("a")));
}

#[test]
fn what_is_larger_than_the_cache_is_not_kept() {
    let mut cache = ExactCache::new(10_000);
    cache.put(key("a"), entry(&[0; 20_000], &[], 100));
    assert_eq!(cache.get(&key("a"), 0), None);
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
    assert_eq!((cache.len(), cache.get(&key("b"), 0).is_some()), (1, true));
    assert_eq!(cache.purge(&[]), 1, "with no label, all");
}
