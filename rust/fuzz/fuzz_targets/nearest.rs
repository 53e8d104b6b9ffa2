//! An index holds what was put into it and nothing else, and judging is fair.

#![no_main]

use std::collections::HashMap;

use dragoman_core::nearest::{Embedder, Question, VectorIndex, judge};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<(u8, Option<[f32; 3]>)>, &str, &str)| {
    let (steps, one, other) = input;
    let mut index = VectorIndex::new(3, 8);
    let mut known: HashMap<[u8; 32], [f32; 3]> = HashMap::new();
    for (name, row) in steps {
        let id = [name; 32];
        match row {
            Some(row) => {
                let (added, gone) = index.add([0; 32], id, &row);
                if let Some(gone) = gone {
                    assert!(known.remove(&gone).is_some());
                }
                if added {
                    known.insert(id, row);
                }
            }
            None => assert_eq!(index.remove(&id), known.remove(&id).is_some()),
        }
        assert_eq!(index.len(), known.len());
    }
    for row in known.values() {
        let found = index.search(&[0; 32], row, 16, -2.0);
        assert_eq!(found.len(), known.len());
        assert!(found.windows(2).all(|two| two[0].cosine >= two[1].cosine));
        let ids: Vec<_> = (0..=u8::MAX).map(|name| [name; 32]).collect();
        let among = index.search_among(&[0; 32], &ids, row, 16, -2.0);
        assert!(among.iter().zip(&found).all(|(one, other)| one.cosine == other.cosine) && among.len() == found.len());
    }
    let embedder = Embedder::Spelling { dimensions: 32 };
    assert_eq!(embedder.embed(one).len(), 32);
    let alike = |a: &str, b: &str| embedder.alike(a, b);
    let (first, second) = (Question::read(one), Question::read(other));
    let (there, back) = (judge(&first, &second, &alike).score, judge(&second, &first, &alike).score);
    assert!((0.0..=1.0).contains(&there) && (there - back).abs() < 1e-4);
    assert!(judge(&first, &first, &alike).score > 0.999);
});
