//! An answer made of placeholders, parts of them and anything else says the same whole and in pieces.

#![no_main]

use std::sync::LazyLock;

use dragoman_core::mask::{Action, Custom, Entities, Finder, Masker, Session};
use libfuzzer_sys::fuzz_target;

/// Two spellings share a code; one value is the start of another; one is written otherwise in JSON.
const HIDDEN: &str = "ada@example.com Ada@Example.com ADA@example.com 198.51.100.7 198.51.100.71 +4930901820 \
    4111111111111111 4111-1111-1111-1111 password=qU\"o\\t8z1xK DE89370400440532013000 PERSON_A2BC4DEF";

static SESSION: LazyLock<(Session, Vec<String>)> = LazyLock::new(|| {
    let masker = Masker::new(Finder::new(Entities::all(), 0.3, Custom::default()), Action::Mask, Vec::new());
    let mut session = Session::new(b"tenant", b"");
    let masked = session.mask(&masker, HIDDEN).expect("there is something to hide");
    assert_eq!(session.unmask(&masked, false), HIDDEN);
    (session, masked.split(' ').map(str::to_owned).collect())
});

/// One part of an answer: a word of what was sent or a part of it, then what the input says.
type Part<'a> = (u8, u8, u8, &'a str);

fn said((word, start, length, text): Part<'_>, words: &[String]) -> String {
    let word = &words[usize::from(word) % words.len()];
    let part: String = word.chars().skip(usize::from(start) % 8).take(usize::from(length)).collect();
    part + text
}

fuzz_target!(|input: (Vec<Part<'_>>, Vec<u8>, bool)| {
    let (parts, cuts, in_json) = input;
    let (session, words) = &*SESSION;
    let answer: String = parts.into_iter().map(|part| said(part, words)).collect();
    let whole = session.unmask(&answer, in_json);
    let mut unmasker = session.unmasker(in_json);
    let (mut shown, mut rest) = (String::new(), answer.as_str());
    for cut in cuts {
        let at = (0..=usize::from(cut).min(rest.len())).rev().find(|at| rest.is_char_boundary(*at));
        let (piece, left) = rest.split_at(at.unwrap_or(0));
        shown.push_str(&unmasker.push(piece));
        rest = left;
    }
    shown.push_str(&unmasker.push(rest));
    shown.push_str(&unmasker.finish());
    assert_eq!(shown, whole);
    let stranger = Session::new(b"another", b"");
    assert_eq!(stranger.unmask(&answer, in_json), answer);
});
