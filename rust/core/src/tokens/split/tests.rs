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

/// The published expressions, an engine's way; white space before a word, which takes a look-ahead, is cut by hand.
struct Engine {
    expression: Regex,
    white: Regex,
}

impl Engine {
    fn new(pattern: Pattern) -> Self {
        let expression = match pattern {
            Pattern::O200k => concat!(
                r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
                r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
                r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+",
            ),
            Pattern::Cl100k => {
                r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+\z|\s*[\r\n]"
            }
            Pattern::P50k => r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+\z",
        };
        Engine { expression: Regex::new(expression).unwrap(), white: Regex::new(r"\s+").unwrap() }
    }

    fn pieces<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let mut pieces = Vec::new();
        let mut start = 0;
        while start < text.len() {
            let input = Input::new(text).range(start..).anchored(Anchored::Yes);
            let found = self.expression.search(&input).map(|found| found.end());
            let end = found.unwrap_or_else(|| self.white_end(&input, text));
            pieces.push(&text[start..end]);
            start = end;
        }
        pieces
    }

    fn white_end(&self, input: &Input<'_>, text: &str) -> usize {
        let end = self.white.search(input).unwrap().end();
        let last = text[input.start()..end].char_indices().next_back().unwrap().0;
        if end == text.len() || last == 0 { end } else { input.start() + last }
    }
}

/// Characters of every class and every special part that the expressions have.
const ALPHABET: [&str; 29] = [
    "a", "B", "é", "Ж", "ж", "Dž", "中", "ʰ", "\u{301}", "1", "٣", "½", " ", "\t", "\u{a0}", "\n", "\r", "'",
    "s", "LL", "re", "ſ", "d", ".", "/", "🙂", "\u{200d}", "\u{fffd}", "\u{2028}",
];

#[test]
fn pieces_are_those_of_the_expressions() {
    let mut state = 1_u64;
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    let patterns =
        [Pattern::O200k, Pattern::Cl100k, Pattern::P50k].map(|pattern| (pattern, Engine::new(pattern)));
    for _ in 0..20_000 {
        let length = below(12);
        let text: String = (0..length).map(|_| ALPHABET[below(ALPHABET.len())]).collect();
        for (pattern, engine) in &patterns {
            assert_eq!(pieces(*pattern, &text), engine.pieces(&text), "{pattern:?} of {text:?}");
        }
    }
}

#[test]
fn every_character_has_the_class_that_the_expressions_give_it() {
    let regexes = [
        (LETTER, r"\p{L}"),
        (MARK, r"\p{M}"),
        (NUMBER, r"\p{N}"),
        (WHITE, r"\s"),
        (UPPER, r"[\p{Lu}\p{Lt}]"),
    ];
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
