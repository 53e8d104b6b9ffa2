use regex_automata::meta::Regex;
use regex_automata::{Anchored, Input};

use super::*;

fn pieces(pattern: Pattern, text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let end = piece_end(pattern, text, start);
        pieces.push(&text[start..end]);
        start = end;
    }
    pieces
}

/// The published expressions, an engine's way. A last alternative with a look-ahead is cut by hand.
fn pieces_by_regex(pattern: Pattern, text: &str) -> Vec<&str> {
    let expression = match pattern {
        Pattern::O200k => concat!(
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
            r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
            r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+",
        ),
        Pattern::Cl100k => concat!(
            r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+\z|\s*[\r\n]",
        ),
        Pattern::P50k => r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+\z",
    };
    let (regex, white) = (Regex::new(expression).unwrap(), Regex::new(r"\s+").unwrap());
    let mut pieces = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let input = Input::new(text).range(start..).anchored(Anchored::Yes);
        let end = regex.search(&input).map_or_else(
            || {
                let end = white.search(&input).unwrap().end();
                let last = text[start..end].char_indices().next_back().unwrap().0;
                if end == text.len() || last == 0 { end } else { start + last }
            },
            |found| found.end(),
        );
        pieces.push(&text[start..end]);
        start = end;
    }
    pieces
}

/// Characters of every class and every special part that the expressions have.
const ALPHABET: [&str; 29] = [
    "a", "B", "é", "Ж", "ж", "Dž", "中", "ʰ", "\u{301}", "1", "٣", "½", " ", "\t", "\u{a0}", "\n", "\r", "'", "s", "LL",
    "re", "ſ", "d", ".", "/", "🙂", "\u{200d}", "\u{fffd}", "\u{2028}",
];

#[test]
fn pieces_are_those_of_the_expressions() {
    let mut state = 1_u64;
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    for _ in 0..60_000 {
        let length = below(12);
        let text: String = (0..length).map(|_| ALPHABET[below(ALPHABET.len())]).collect();
        for pattern in [Pattern::O200k, Pattern::Cl100k, Pattern::P50k] {
            assert_eq!(pieces(pattern, &text), pieces_by_regex(pattern, &text), "{pattern:?} of {text:?}");
        }
    }
}

#[test]
fn every_character_has_the_class_that_the_expressions_give_it() {
    let regexes = [(LETTER, r"\p{L}"), (MARK, r"\p{M}"), (NUMBER, r"\p{N}"), (WHITE, r"\s"), (UPPER, r"[\p{Lu}\p{Lt}]")];
    for (class, expression) in regexes {
        let regex = Regex::new(expression).unwrap();
        for character in '\0'..=char::MAX {
            let mut room = [0; 4];
            let text = character.encode_utf8(&mut room);
            let (found, next) = Text(text.as_bytes()).class(0);
            assert_eq!(found & class != 0, regex.is_match(&*text), "{character:?} and {expression}");
            assert_eq!(next, text.len());
        }
    }
}

#[test]
fn capitals_are_given_back_where_no_small_letter_follows() {
    assert_eq!(pieces(Pattern::O200k, "中A b"), ["中", "A", " b"]);
    assert_eq!(pieces(Pattern::O200k, "HTMLParser's"), ["HTMLParser's"]);
    assert_eq!(pieces(Pattern::O200k, "x\u{301}AB"), ["x\u{301}", "AB"]);
}
