//! Finds secrets: by how they begin, by what they are called, by what stands in their middle.
//!
//! One automaton looks for all prefixes and names in one pass; only where it finds one is anything else looked at. A
//! value that is called a password or a token by its own text counts whoever issued it, unless it is plainly a stand-in
//! (`$TOKEN`, `<your key>`, `xxxx`).

mod generic;
mod pem;
mod shape;
mod table;

use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};

use self::shape::{Shape, entropy};
use super::entity::Entity;
use super::find::Hits;
use super::text::{byte_at, is_word, slice};

/// A reversed token is looked for by prefixes of at least so many bytes.
const LEAST_REVERSED: usize = 4;
const LONGEST_REVERSED: usize = 400;

#[derive(Clone, Copy)]
enum Clue {
    Prefix(usize),
    Reversed(usize),
    Name(usize),
    Inner(usize),
    Generic,
    Curl,
    Pem,
}

/// All kinds, ready to be looked for.
struct Rules {
    automaton: Option<AhoCorasick>,
    clues: Vec<Clue>,
    prefixed: Vec<Shape>,
    named: Vec<Shape>,
    inner: Vec<(Shape, Shape)>,
}

/// How many kinds of secrets are known by name.
pub fn kinds() -> Vec<&'static str> {
    let mut kinds: Vec<_> = table::PREFIXED.iter().map(|kind| kind.kind).collect();
    kinds.extend(table::NAMED.iter().map(|kind| kind.kind));
    kinds.extend(table::INNER.iter().map(|kind| kind.kind));
    kinds.extend(["private-key", "discord-bot-token", "curl-auth-user", "generic-secret", "bare-uuid"]);
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

fn rules() -> &'static Rules {
    static RULES: OnceLock<Rules> = OnceLock::new();
    RULES.get_or_init(|| {
        let (mut words, mut clues) = (Vec::<Vec<u8>>::new(), Vec::new());
        for (index, kind) in table::PREFIXED.iter().enumerate() {
            words.push(kind.prefix.into());
            clues.push(Clue::Prefix(index));
            if kind.prefix.len() >= LEAST_REVERSED {
                words.push(kind.prefix.bytes().rev().collect());
                clues.push(Clue::Reversed(index));
            }
        }
        for (index, kind) in table::NAMED.iter().enumerate() {
            words.push(kind.word.into());
            clues.push(Clue::Name(index));
        }
        for (index, kind) in table::INNER.iter().enumerate() {
            words.push(kind.anchor.into());
            clues.push(Clue::Inner(index));
        }
        for word in generic::STEMS {
            words.push(word.as_bytes().into());
            clues.push(Clue::Generic);
        }
        words.extend([b"curl ".to_vec(), b"-----BEGIN".to_vec()]);
        clues.extend([Clue::Curl, Clue::Pem]);
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&words);
        Rules {
            automaton: automaton.ok(),
            clues,
            prefixed: table::PREFIXED.iter().map(|kind| Shape::read(kind.shape)).collect(),
            named: table::NAMED.iter().map(|kind| Shape::read(kind.shape)).collect(),
            inner: table::INNER
                .iter()
                .map(|kind| (Shape::read(kind.before), Shape::read(kind.after)))
                .collect(),
        }
    })
}

/// Finds secrets in a view.
pub(super) fn find(bytes: &[u8], hits: &mut Hits) {
    let rules = rules();
    let Some(automaton) = &rules.automaton else { return };
    let mut key_end = 0;
    for found in automaton.find_overlapping_iter(Input::new(bytes)) {
        let at = found.start()..found.end();
        match rules.clues.get(found.pattern().as_usize()) {
            Some(Clue::Prefix(index)) => rules.by_prefix(bytes, at, *index, hits),
            Some(Clue::Reversed(index)) => rules.reversed(bytes, at.end, *index, hits),
            Some(Clue::Name(index)) => rules.by_name(bytes, at, *index, hits),
            Some(Clue::Inner(index)) => rules.by_middle(bytes, at, *index, hits),
            Some(Clue::Generic) => generic::find(bytes, at, hits),
            Some(Clue::Curl) => generic::curl(bytes, at.end, hits),
            Some(Clue::Pem) if at.start >= key_end => key_end = pem::find(bytes, at.start, hits),
            Some(Clue::Pem) | None => {}
        }
    }
    bare_uuid(bytes, hits);
}

impl Rules {
    fn by_prefix(&self, bytes: &[u8], at: Range<usize>, index: usize, hits: &mut Hits) {
        let (Some(kind), Some(shape)) = (table::PREFIXED.get(index), self.prefixed.get(index)) else {
            return;
        };
        if slice(bytes, at.clone()) != kind.prefix.as_bytes() {
            return;
        }
        let begins_in_word = kind.prefix.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
        if begins_in_word && at.start > 0 && is_word(byte_at(bytes, at.start - 1)) {
            return;
        }
        let Some(length) = shape.matched(slice(bytes, at.end..bytes.len())) else { return };
        let whole = at.start..at.end + length;
        let random = is_random(slice(bytes, at.end..whole.end), kind.entropy);
        if random && ends(bytes, whole.end) && !is_sample(slice(bytes, whole.clone())) {
            hits.add(Entity::Secret, kind.kind, whole, 1.0);
        }
    }

    /// A token written backwards: its prefix, reversed, ends at `end`.
    fn reversed(&self, bytes: &[u8], end: usize, index: usize, hits: &mut Hits) {
        let (Some(kind), Some(shape)) = (table::PREFIXED.get(index), self.prefixed.get(index)) else {
            return;
        };
        let before = slice(bytes, end.saturating_sub(LONGEST_REVERSED)..end);
        let length = before.iter().rev().take_while(|byte| byte.is_ascii_graphic()).count();
        let forwards: Vec<u8> = slice(bytes, end - length.min(end)..end).iter().rev().copied().collect();
        let Some(tail) = forwards.strip_prefix(kind.prefix.as_bytes()) else { return };
        let Some(matched) = shape.matched(tail) else { return };
        let whole = kind.prefix.len() + matched;
        if ends(&forwards, whole) && is_random(slice(tail, 0..matched), kind.entropy.max(3.0)) {
            hits.add(Entity::Secret, kind.kind, end - whole..end, 0.9);
        }
    }

    fn by_name(&self, bytes: &[u8], at: Range<usize>, index: usize, hits: &mut Hits) {
        let (Some(kind), Some(shape)) = (table::NAMED.get(index), self.named.get(index)) else { return };
        if !begins_component(bytes, at.start) {
            return;
        }
        let Some(start) = generic::value_after(bytes, at.end) else { return };
        let Some(length) = shape.matched(slice(bytes, start..bytes.len())) else { return };
        let whole = start..start + length;
        if length > 0 && ends(bytes, whole.end) && is_random(slice(bytes, whole.clone()), kind.entropy) {
            hits.add(Entity::Secret, kind.kind, whole, 0.9);
        }
    }

    fn by_middle(&self, bytes: &[u8], at: Range<usize>, index: usize, hits: &mut Hits) {
        let (Some(kind), Some((before, after))) = (table::INNER.get(index), self.inner.get(index)) else {
            return;
        };
        if slice(bytes, at.clone()) != kind.anchor.as_bytes() {
            return;
        }
        let Some(back) = before.matched_backwards(slice(bytes, 0..at.start)) else { return };
        let Some(length) = after.matched(slice(bytes, at.end..bytes.len())) else { return };
        let whole = at.start - back..at.end + length;
        if ends(bytes, whole.end) && is_random(slice(bytes, whole.clone()), kind.entropy) {
            hits.add(Entity::Secret, kind.kind, whole, 1.0);
        }
    }
}

/// A run of 24 to 26 letters, one of 6 and one of at least 27, with stops between: a bot's token at Discord.
pub(super) fn discord(bytes: &[u8], run: Range<usize>, hits: &mut Hits) {
    let lengths = Shape::read("w24-26 '.' w6 '.' w27-45");
    let start = run.start + usize::from(byte_at(bytes, run.start) == b'=');
    if !matches!(byte_at(bytes, start), b'M' | b'N' | b'O') {
        return;
    }
    let Some(length) = lengths.matched(slice(bytes, start..bytes.len())) else { return };
    if ends(bytes, start + length) && is_random(slice(bytes, start..start + length), 3.5) {
        hits.add(Entity::Secret, "discord-bot-token", start..start + length, 0.9);
    }
}

/// A text that is a UUID and nothing else: what is pasted alone is a key more often than not.
fn bare_uuid(bytes: &[u8], hits: &mut Hits) {
    const LENGTH: usize = 36;
    let text = bytes.trim_ascii();
    let shape = [8, 13, 18, 23];
    if text.len() != LENGTH {
        return;
    }
    let fits = text.iter().enumerate().all(|(at, byte)| match shape.contains(&at) {
        true => *byte == b'-',
        false => byte.is_ascii_hexdigit(),
    });
    if fits {
        let start = bytes.len() - bytes.trim_ascii_start().len();
        hits.add(Entity::Secret, "bare-uuid", start..start + LENGTH, 0.6);
    }
}

/// Whether a token may end here: what follows does not go on with it.
fn ends(bytes: &[u8], at: usize) -> bool {
    let next = byte_at(bytes, at);
    !is_word(next) && (next != b'-' || !is_word(byte_at(bytes, at + 1)))
}

/// Whether a word begins here, or a part of an identifier (`my_heroku`, `myHeroku`).
fn begins_component(bytes: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|before| byte_at(bytes, before)) else { return true };
    !before.is_ascii_alphabetic() || (before.is_ascii_lowercase() && byte_at(bytes, at).is_ascii_uppercase())
}

fn is_random(token: &[u8], least: f32) -> bool {
    least <= 0.0 || (entropy(token) >= least && !is_counting(token))
}

/// Alphabets, digits in their order and the like: what examples are made of.
fn is_counting(token: &[u8]) -> bool {
    let steps = token.windows(2).filter(|pair| matches!(pair, [a, b] if *b == a.wrapping_add(1))).count();
    steps * 10 > token.len() * 6
}

fn is_sample(token: &[u8]) -> bool {
    let digest = ring::digest::digest(&ring::digest::SHA256, token);
    let start = digest.as_ref().first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes));
    start.is_some_and(|start| table::SAMPLES.contains(&start))
}
