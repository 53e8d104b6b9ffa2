//! What words are: names, words of the language, countries. The table is made by `benches/lexicon.py`, which says of
//! what.

use xxhash_rust::xxh3::xxh3_64;

/// What a word is, as far as it is known; several at once, often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known(u8);

impl Known {
    const GIVEN: u8 = 1;
    const SURNAME: u8 = 2;
    const WORD: u8 = 4;
    const PLACE: u8 = 8;

    pub fn is_given(self) -> bool {
        self.0 & Self::GIVEN != 0
    }

    pub fn is_surname(self) -> bool {
        self.0 & Self::SURNAME != 0
    }

    pub fn is_word(self) -> bool {
        self.0 & Self::WORD != 0
    }

    /// A name, and nothing else that is known.
    pub fn is_only_name(self) -> bool {
        self.0 != 0 && self.0 & (Self::WORD | Self::PLACE) == 0
    }

    pub fn is_unknown(self) -> bool {
        self.0 == 0
    }
}

/// Rows of 28 bits of a hash and 4 of what the word is, as little-endian numbers, sorted.
static TABLE: &[u8] = include_bytes!("lexicon.bin");
const HASH: u32 = 0xFFFF_FFF0;
const MOST_BYTES: usize = 24;

/// What is known of a word. Of one with a hyphen, what is known of its first part.
pub(super) fn look_up(word: &str) -> Known {
    let word = word.split('-').next().unwrap_or_default();
    if !(2..=MOST_BYTES).contains(&word.len()) {
        return Known::default();
    }
    let mut plain = String::with_capacity(word.len());
    word.chars().flat_map(char::to_lowercase).for_each(|letter| push_plain(letter, &mut plain));
    #[allow(clippy::cast_possible_truncation, reason = "its lower half is the hash")]
    let hash = xxh3_64(plain.as_bytes()) as u32 & HASH;
    let rows = TABLE.as_chunks::<4>().0;
    let at = rows.partition_point(|row| u32::from_le_bytes(*row) < hash);
    let row = rows.get(at).map_or(0, |row| u32::from_le_bytes(*row));
    if row & HASH == hash { Known((row & !HASH) as u8) } else { Known::default() }
}

/// Letters that are no others with an accent, as they are written without them.
fn push_plain(letter: char, plain: &mut String) {
    match letter {
        'ø' => plain.push('o'),
        'ł' => plain.push('l'),
        'đ' | 'ð' => plain.push('d'),
        'ß' => plain.push_str("ss"),
        'æ' => plain.push_str("ae"),
        'œ' => plain.push_str("oe"),
        'þ' => plain.push_str("th"),
        'ı' => plain.push('i'),
        '\'' => {}
        _ => plain.push(letter),
    }
}

#[cfg(test)]
mod tests {
    use super::look_up;

    #[test]
    fn names_are_told_from_words() {
        for name in ["Patricia", "desrosiers", "Jean-Luc", "Søren", "O'Neil"] {
            assert!(look_up(name).is_only_name(), "{name}");
        }
        assert!(look_up("Will").is_given() && look_up("Will").is_word());
        assert!(look_up("Chad").is_given() && !look_up("Chad").is_only_name());
        assert!(look_up("please").is_word() && !look_up("please").is_given());
        assert!(look_up("xqzzw").is_unknown() && look_up("").is_unknown());
    }
}
