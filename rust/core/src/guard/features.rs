//! What a text is to the model: the numbers of its features.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, Anchored, Input, MatchKind, StartKind};
use memchr::memmem;
use xxhash_rust::xxh3::xxh3_64;

use super::lexicon::{Concept, STEMS};
use crate::mask::folded;

#[cfg(test)]
mod tests;

/// Features share so many weights.
pub const BUCKETS: usize = 1 << 18;
const GRAM: usize = 4;
const MEANINGS_COUNT: f32 = 3.0;

/// Kinds of features; each is hashed with its own seed.
#[derive(Clone, Copy)]
enum Kind {
    Word = 1,
    Pair,
    Skip,
    Gram,
    Meaning,
    Meanings,
    Order,
    Shape,
}

impl Kind {
    /// Meanings count more than the words that have them: they hold in texts of a kind that was never seen.
    fn value(self) -> f32 {
        match self {
            Self::Meaning | Self::Meanings | Self::Order => MEANINGS_COUNT,
            Self::Shape => 1.5,
            _ => 1.0,
        }
    }

    fn bucket(self, what: u64) -> u32 {
        let mixed = (what ^ (self as u64) << 56).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40) as u32 % BUCKETS as u32
    }
}

/// What a feature says by itself, to be told where it speaks for a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Of words and letters: nothing that could be told.
    Silent,
    Meaning(&'static str),
    Meanings(&'static str, &'static str),
    Shape(&'static str),
}

/// One feature of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Feature {
    /// Which weight it has.
    pub bucket: u32,
    /// What it counts.
    pub value: f32,
    /// At which word it is; of what the whole text is like, past the last.
    pub word: u32,
    pub signal: Signal,
}

/// The beginnings of words that have a meaning.
struct Stems {
    automaton: AhoCorasick,
    concepts: Vec<Concept>,
    /// How they begin themselves, as bits: few words have any, and the automaton is large.
    starts: Vec<u64>,
}

impl Stems {
    /// Shorter ones are only whole words.
    const SHORT: usize = 4;
    const BITS: u32 = 16;

    /// The place of a word's first letters among the bits.
    fn start(word: &[u8]) -> (usize, u32) {
        let mut first = [0; Self::SHORT];
        first.iter_mut().zip(word).for_each(|(to, from)| *to = *from);
        let place = u32::from_le_bytes(first).wrapping_mul(0x9E37_79B1) >> (u32::BITS - Self::BITS);
        (place as usize / 64, place % 64)
    }

    fn may_begin(&self, word: &[u8]) -> bool {
        let (at, bit) = Self::start(word);
        self.starts.get(at).is_some_and(|bits| bits >> bit & 1 == 1)
    }
}

fn stems() -> Option<&'static Stems> {
    static AUTOMATON: OnceLock<Option<Stems>> = OnceLock::new();
    AUTOMATON
        .get_or_init(|| {
            let (mut words, mut concepts) = (Vec::new(), Vec::new());
            let mut starts = vec![0; 1 << Stems::BITS >> 6];
            for (concept, stems) in STEMS {
                for stem in *stems {
                    let stem = folded(stem).to_ascii_lowercase();
                    let (at, bit) = Stems::start(&stem);
                    starts.get_mut(at).into_iter().for_each(|bits: &mut u64| *bits |= 1 << bit);
                    words.push(stem);
                    concepts.push(*concept);
                }
            }
            let automaton = AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .start_kind(StartKind::Both)
                .build(&words)
                .ok()?;
            Some(Stems { automaton, concepts, starts })
        })
        .as_ref()
}

/// The features of a text, in the order of its words.
pub fn features(text: &str) -> Vec<Feature> {
    let read = Read::of(text);
    let words = read.words();
    let mut features = Vec::with_capacity(words.len() * 12);
    each_feature(&read, &words, |feature| features.push(feature));
    features
}

/// A text as it is read: without disguises, in lower case.
pub(super) struct Read<'t> {
    text: &'t str,
    lower: Vec<u8>,
}

impl<'t> Read<'t> {
    pub fn of(text: &'t str) -> Self {
        let mut lower = folded(text);
        lower.make_ascii_lowercase();
        Self { text, lower: without_backslashes(lower) }
    }

    /// Runs of letters and digits; of scripts without spaces, single characters.
    pub fn words(&self) -> Vec<&[u8]> {
        words(&self.lower)
    }
}

/// Shows the features of a text, in the order of its words.
#[inline]
pub(super) fn each_feature(of: &Read<'_>, words: &[&[u8]], see: impl FnMut(Feature)) {
    let mut found = Found { see, word: 0 };
    let mut meant: Vec<(u32, Concept)> = Vec::new();
    let mut spelt = 0;
    let (mut before, mut last) = (0, 0);
    for (at, word) in words.iter().enumerate() {
        found.word = at as u32;
        let hash = xxh3_64(word);
        found.add(Kind::Word, hash);
        if at > 0 {
            found.add(Kind::Pair, last ^ hash.rotate_left(21));
        }
        if at > 1 {
            found.add(Kind::Skip, before ^ hash.rotate_left(21));
        }
        (before, last) = (last, hash);
        grams(word, &mut found);
        let read = read(word);
        if let Some(read) = &read {
            spelt += 1;
            found.add(Kind::Word, xxh3_64(read));
            grams(read, &mut found);
        }
        if let Some(concept) = read.as_deref().and_then(meaning).or_else(|| meaning(word)) {
            meanings(concept, &mut meant, &mut found);
        }
    }
    spaced(words, &mut meant, &mut found);
    found.word = words.len() as u32;
    if spelt > 1 && spelt * 8 > words.len() {
        found.shape("digits for letters");
    }
    shapes(of.text, &of.lower, words.len(), &mut found);
}

struct Found<S> {
    see: S,
    word: u32,
}

impl<S: FnMut(Feature)> Found<S> {
    #[inline]
    fn add(&mut self, kind: Kind, what: u64) {
        self.told(kind, what, Signal::Silent);
    }

    #[inline]
    fn told(&mut self, kind: Kind, what: u64, signal: Signal) {
        let (bucket, value) = (kind.bucket(what), kind.value());
        (self.see)(Feature { bucket, value, word: self.word, signal });
    }

    fn shape(&mut self, name: &'static str) {
        self.told(Kind::Shape, xxh3_64(name.as_bytes()), Signal::Shape(name));
    }
}

/// A text with a backslash before every sign, without them.
fn without_backslashes(mut lower: Vec<u8>) -> Vec<u8> {
    if lower.iter().filter(|byte| **byte == b'\\').count() * 4 > lower.len() {
        lower.retain(|byte| *byte != b'\\');
    }
    lower
}

/// A word with digits and signs in place of letters, as it is meant.
fn read(word: &[u8]) -> Option<Vec<u8>> {
    if !word.iter().any(u8::is_ascii_digit) {
        return None;
    }
    let letters = word.iter().filter(|byte| byte.is_ascii_lowercase()).count();
    let read: Vec<u8> = word
        .iter()
        .map(|byte| match byte {
            b'0' => b'o',
            b'1' => b'i',
            b'3' => b'e',
            b'4' => b'a',
            b'5' => b's',
            b'7' => b't',
            other => *other,
        })
        .collect();
    (letters >= 2 && word.len() >= 4 && read != word).then_some(read)
}

/// Letters with spaces between them, as the words that they make.
fn spaced(words: &[&[u8]], meant: &mut Vec<(u32, Concept)>, found: &mut Found<impl FnMut(Feature)>) {
    const LEAST: usize = 4;
    let mut letters = Vec::new();
    for (at, word) in words.iter().chain([&&b""[..]]).enumerate() {
        if let [letter] = word
            && letter.is_ascii_lowercase()
        {
            letters.push(*letter);
            continue;
        }
        if letters.len() >= LEAST {
            found.word = at as u32;
            found.shape("spaced letters");
            grams(&letters, found);
            inside(&letters).into_iter().for_each(|concept| meanings(concept, meant, found));
        }
        letters.clear();
    }
}

/// What is meant by words without spaces between them.
fn inside(letters: &[u8]) -> Vec<Concept> {
    let found = stems().map(|Stems { automaton, concepts, .. }| {
        let at = |found: aho_corasick::Match| concepts.get(found.pattern().as_usize()).copied();
        automaton.find_iter(letters).filter(|found| found.len() > 3).filter_map(at).collect::<Vec<_>>()
    });
    found.unwrap_or_default()
}

fn words(lower: &[u8]) -> Vec<&[u8]> {
    let mut words = Vec::with_capacity(lower.len() / 5);
    let mut start = None;
    for (at, byte) in lower.iter().enumerate() {
        let is_part = byte.is_ascii_alphanumeric() || *byte >= 0x80 || *byte == b'\'';
        match (is_part, start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                words.push(lower.get(from..at).unwrap_or_default());
                start = None;
            }
            _ => {}
        }
    }
    words.extend(start.and_then(|from| lower.get(from..)));
    words
}

/// Runs of four letters, the word's ends among them.
fn grams(word: &[u8], found: &mut Found<impl FnMut(Feature)>) {
    const LONGEST: usize = 24;
    if word.len() < GRAM || word.len() > LONGEST {
        return;
    }
    let marked = std::iter::once(&b'^').chain(word).chain(std::iter::once(&b'$'));
    let mut gram = 0_u32;
    for (at, byte) in marked.enumerate() {
        gram = gram << 8 | u32::from(*byte);
        if at + 1 >= GRAM {
            found.add(Kind::Gram, u64::from(gram));
        }
    }
}

fn meaning(word: &[u8]) -> Option<Concept> {
    let stems = stems().filter(|stems| stems.may_begin(word))?;
    let found = stems.automaton.find(Input::new(word).anchored(Anchored::Yes))?;
    let short = found.len() < Stems::SHORT && found.len() < word.len();
    if short { None } else { stems.concepts.get(found.pattern().as_usize()).copied() }
}

/// A meaning, and those that stand near before it.
fn meanings(concept: Concept, meant: &mut Vec<(u32, Concept)>, found: &mut Found<impl FnMut(Feature)>) {
    const NEAR: u32 = 7;
    found.told(Kind::Meaning, concept as u64, Signal::Meaning(concept.name()));
    for (at, other) in meant.iter().rev() {
        let apart = found.word.saturating_sub(*at);
        if apart > NEAR {
            break;
        }
        let both = (*other as u64) << 8 | concept as u64;
        found.told(Kind::Meanings, both, Signal::Meanings(other.name(), concept.name()));
        found.add(Kind::Order, both << 8 | u64::from(apart / 2));
    }
    meant.push((found.word, concept));
}

/// How it is written.
fn shapes(text: &str, lower: &[u8], words: usize, found: &mut Found<impl FnMut(Feature)>) {
    static FINDERS: OnceLock<Vec<memmem::Finder<'static>>> = OnceLock::new();
    let mut shape = |name: &'static str| found.shape(name);
    let finders = FINDERS.get_or_init(|| MARKS.iter().map(|(mark, _)| memmem::Finder::new(*mark)).collect());
    for (finder, (_, name)) in finders.iter().zip(MARKS) {
        if finder.find(lower).is_some() {
            shape(name);
        }
    }
    let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
    let capitals = text.bytes().filter(u8::is_ascii_uppercase).count();
    if letters > 20 && capitals * 3 > letters {
        shape("capitals");
    }
    if text.len() - lower.len().min(text.len()) > 4 && text.is_ascii() {
        shape("control characters");
    }
    let unseen = |sign: &char| crate::mask::is_invisible(*sign) && !('\u{300}'..'\u{370}').contains(sign);
    if !text.is_ascii() && text.chars().filter(unseen).count() > 3 {
        shape("invisible text");
    }
    if text.bytes().filter(|byte| *byte == b'\\').count() * 4 > text.chars().count() {
        shape("backslashes");
    }
    let mixed = |word: &str| {
        word.chars().any(|sign| sign.is_ascii_alphabetic())
            && word.chars().any(|sign| !sign.is_ascii() && folds_to_letter(sign))
    };
    if !text.is_ascii() && text.split_whitespace().filter(|word| mixed(word)).count() > 1 {
        shape("look-alike letters");
    }
    let signs = text.bytes().filter(u8::is_ascii_punctuation).count();
    if signs * 4 > text.len() {
        shape("many signs");
    }
    shape(match words {
        0..5 => "under 5 words",
        5..12 => "under 12 words",
        12..30 => "under 30 words",
        30..100 => "under 100 words",
        _ => "over 100 words",
    });
}

/// Whether a sign beyond ASCII is read as a letter of it, and is no letter with an accent.
fn folds_to_letter(sign: char) -> bool {
    let folded = folded(sign.encode_utf8(&mut [0; 4]));
    matches!(folded.as_slice(), [letter] if letter.is_ascii_alphabetic())
        && !matches!(u32::from(sign), 0xC0..0x250)
}

/// Marks of turns and of prompts inside of prompts.
const MARKS: [(&str, &str); 22] = [
    ("system:", "a turn's mark"),
    ("assistant:", "a turn's mark"),
    ("user:", "a turn's mark"),
    ("<|", "a token of turns"),
    ("|>", "a token of turns"),
    ("[inst]", "a token of turns"),
    ("[/inst]", "a token of turns"),
    ("<<sys>>", "a token of turns"),
    ("###", "a heading"),
    ("```", "code"),
    ("---", "a line"),
    ("</", "a tag"),
    ("{{", "a template"),
    ("${", "a template"),
    ("{%", "a template"),
    ("http", "a link"),
    ("from now on", "from now on"),
    ("you are now", "you are now"),
    ("do anything", "do anything"),
    ("end of", "end of"),
    ("base64", "an encoding"),
    ("\\x", "an encoding"),
];
