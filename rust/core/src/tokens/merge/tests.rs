use super::*;
use crate::tokens::vocabulary::{CL100K, O200K};

fn merged(vocabulary: &Vocabulary, text: &[u8]) -> Vec<u32> {
    let source = Source { vocabulary, text };
    let mut ids = Vec::new();
    parts(source, 0..text.len(), |part| ids.push(vocabulary.id(text, part).unwrap()));
    ids
}

/// The rule as it is told, in quadratic time.
fn merged_simply(vocabulary: &Vocabulary, text: &[u8]) -> Vec<u32> {
    let mut bounds: Vec<usize> = (0..=text.len()).collect();
    loop {
        let joins = bounds
            .windows(3)
            .enumerate()
            .filter_map(|(at, three)| vocabulary.id(text, three[0]..three[2]).map(|id| (id, at + 1)));
        let Some((_, middle)) = joins.min() else { break };
        bounds.remove(middle);
    }
    bounds.windows(2).map(|two| vocabulary.id(text, two[0]..two[1]).unwrap()).collect()
}

fn texts() -> Vec<Vec<u8>> {
    let mut state = 7_u64;
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    let alphabets: [&[u8]; 5] = [b"a", b"ab", b"=-", b"abcdefghijklmnop", b" \t"];
    let lengths = [1, 2, 3, 15, 16, 17, 63, 64, 65, 200, 511, 512, 513, 600, 1100];
    let mut texts = Vec::new();
    for length in lengths {
        for alphabet in alphabets {
            texts.push((0..length).map(|_| alphabet[below(alphabet.len())]).collect());
        }
        texts.push((0..length).map(|_| below(256) as u8).collect());
        texts.push("中文字符测试".bytes().cycle().take(length).collect());
    }
    texts
}

#[test]
fn parts_are_those_of_the_rule_whatever_the_length() {
    for text in texts() {
        for vocabulary in [&O200K, &CL100K] {
            assert_eq!(merged(vocabulary, &text), merged_simply(vocabulary, &text), "{} bytes", text.len());
        }
    }
}

#[test]
fn a_piece_of_ten_million_letters_is_merged() {
    let text = vec![b'a'; 10_000_000];
    let mut count = 0;
    parts(Source { vocabulary: &O200K, text: &text }, 0..text.len(), |_| count += 1);
    assert_eq!(count, 1_250_000);
}

#[test]
fn a_piece_is_merged_apart_from_what_stands_around_it() {
    let text = b"zzabcqzz";
    let source = Source { vocabulary: &O200K, text };
    let mut ends = Vec::new();
    parts(source, 2..6, |part| ends.push(part.end));
    assert_eq!(ends.last(), Some(&6));
}
