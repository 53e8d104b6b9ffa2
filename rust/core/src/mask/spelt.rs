//! A text as words and numbers, for what is told by the words that stand together.

use super::text::{byte_at, is_letter_or_digit, slice};

/// A word, or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spelt<'t> {
    pub start: usize,
    pub end: usize,
    pub text: &'t str,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// With a capital first.
    Large,
    Small,
    /// Digits alone.
    Number,
    /// Digits and letters, such as `12b`.
    Mixed,
}

impl Spelt<'_> {
    /// Whether it is one of these, which are in small letters.
    pub fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.text.eq_ignore_ascii_case(word))
    }

    pub fn ends_with_any(&self, endings: &[&str]) -> bool {
        endings.iter().any(|ending| {
            let from = self.text.len().saturating_sub(ending.len());
            from > 1 && self.text.get(from..).is_some_and(|end| end.eq_ignore_ascii_case(ending))
        })
    }
}

/// The words of a text, in their order. An apostrophe or a hyphen between letters is theirs, a final `'s` is not.
pub(super) fn words(text: &str) -> Vec<Spelt<'_>> {
    let bytes = text.as_bytes();
    let mut words = Vec::with_capacity(bytes.len() / 6);
    let mut at = 0;
    while at < bytes.len() {
        if !is_letter_or_digit(byte_at(bytes, at)) {
            at += 1;
            continue;
        }
        let end = end_of(bytes, at);
        let own = if slice(bytes, at..end).ends_with(b"'s") { end - 2 } else { end };
        if let Some(word) = text.get(at..own) {
            words.push(Spelt { start: at, end: own, text: word, kind: kind(word) });
        }
        at = end;
    }
    words
}

fn end_of(bytes: &[u8], start: usize) -> usize {
    let mut end = start;
    loop {
        let byte = byte_at(bytes, end);
        let joins = matches!(byte, b'\'' | b'-') && is_letter(byte_at(bytes, end + 1)) && end > start;
        if end >= bytes.len() || !(is_letter_or_digit(byte) || joins && is_letter(byte_at(bytes, end - 1))) {
            return end;
        }
        end += 1;
    }
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte >= 0x80
}

fn kind(word: &str) -> Kind {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    match digits {
        0 if word.chars().next().is_some_and(char::is_uppercase) => Kind::Large,
        0 => Kind::Small,
        all if all == word.len() => Kind::Number,
        _ => Kind::Mixed,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Kind, words};

    #[test]
    fn words_stand_where_they_are_told_to() {
        let told: Vec<_> =
            words("Ann-Lee O'Neil's 12b, 34 é").iter().map(|word| (word.text, word.kind)).collect();
        let wanted = [
            ("Ann-Lee", Kind::Large),
            ("O'Neil", Kind::Large),
            ("12b", Kind::Mixed),
            ("34", Kind::Number),
            ("é", Kind::Small),
        ];
        assert_eq!(told, wanted);
    }

    proptest! {
        #[test]
        fn no_word_holds_another(text in ".{0,120}") {
            let mut before = 0;
            for word in words(&text) {
                prop_assert!(before <= word.start && word.start < word.end);
                prop_assert_eq!(text.get(word.start..word.end), Some(word.text));
                before = word.end;
            }
        }
    }
}
