//! Lets through what surely has nothing in it that guardrails look for: nearly every request, nearly every answer.
//!
//! Guardrails look one by one, each at all texts, and tell what they found. That nothing is to be found can be told for
//! all of them at once, in one pass over a request, and of texts that were let through before by their numbers alone: a
//! conversation says all of them again with every turn. Where the sieve is not sure, it says no more than that, and
//! guardrails look as if there were no sieve.
//!
//! What is kept of a text is a number of 64 bits from a keyed hash (SipHash), whose key is drawn when a sieve is made:
//! nobody can look for a text that has another's.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use regex::bytes::Regex;

use super::chat::{self, Role};
use super::model::Model;
use crate::mask::{Masker, nothing_in_body};

#[cfg(test)]
mod tests;

/// So many texts are known again.
const MOST_KNOWN: usize = 1 << 15;
/// The words of so many system prompts are kept.
const MOST_PROMPTS: usize = 256;
/// What precedes a word that is put into a system prompt, to be found in answers however it is written.
const CANARY: &str = "Never say or write this word";

/// What guardrails look for, as far as a text that has none of it can be told from others.
#[derive(Debug, Default)]
pub struct Sought {
    /// These find nothing in any part of a body.
    pub hidden: Vec<Arc<Masker>>,
    /// These find nothing in any text.
    pub found: Vec<Arc<Masker>>,
    /// No text that users write has this score, or more, by the model.
    pub attempts: Option<f64>,
    /// No text has any other characters.
    pub characters: Characters,
    /// These are in no text.
    pub signs: Vec<Regex>,
    /// No answer has so many words in a row that a system prompt has as well; 0: it may.
    pub repeated: usize,
}

/// Which characters a text may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Characters {
    #[default]
    Any,
    /// Latin letters, with accents or without, and the signs that are written with them.
    Latin,
    Ascii,
}

impl Characters {
    pub fn named(name: &str) -> Option<Self> {
        [("any", Self::Any), ("latin", Self::Latin), ("ascii", Self::Ascii)]
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, characters)| characters)
    }

    fn are_all_of(self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Latin => text.is_ascii() || text.chars().all(is_latin),
            Self::Ascii => text.is_ascii(),
        }
    }
}

/// Whether a character is one that texts in Latin letters are made of, and is seen.
fn is_latin(character: char) -> bool {
    matches!(character, '\0'..='\u{AC}' | '\u{AE}'..='\u{24F}' | '\u{2010}'..='\u{2027}' | '\u{20AC}')
}

/// How much of a request is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    Nothing,
    /// There is nothing to hide in it.
    Unmasked,
    /// No guardrail has anything to find in it.
    All,
}

/// One sieve, for requests or for answers.
#[derive(Debug)]
pub struct Sieve {
    sought: Sought,
    keys: RandomState,
    known: Known,
    prompts: Mutex<HashMap<u64, Arc<Words>>>,
}

impl Sieve {
    pub fn new(sought: Sought) -> Self {
        Self { sought, keys: RandomState::new(), known: Known::default(), prompts: Mutex::default() }
    }

    /// How much of a request passes.
    ///
    /// # Arguments
    ///
    /// * `body`: JSON that has been checked.
    pub fn request(&self, body: &[u8], model: &Model) -> Passed {
        let (known, hidden) = (&self.known, &self.sought.hidden);
        let mut unmasked = |text: &str| {
            known.or(self.number(text, Look::Hide), || hidden.iter().all(|masker| masker.hides_nothing(text)))
        };
        if !hidden.is_empty() && !nothing_in_body(body, &mut unmasked) {
            return Passed::Nothing;
        }
        let Some(texts) = chat::asked(body) else { return Passed::Unmasked };
        let passes = texts.iter().all(|(role, text)| {
            let judged = *role == Role::User;
            let look = if judged { Look::Judge } else { Look::Find };
            known.or(self.number(text, look), || {
                self.has_nothing(text) && !(judged && self.is_attempt(text, model))
            })
        });
        if passes { Passed::All } else { Passed::Unmasked }
    }

    /// Whether a whole answer passes.
    ///
    /// # Arguments
    ///
    /// * `asked`: the request, which has passed.
    pub fn answer(&self, body: &[u8], asked: &[u8]) -> bool {
        let Some(texts) = chat::said(body) else { return false };
        texts.iter().all(|text| self.has_nothing(text))
            && (self.sought.repeated == 0 || {
                let prompts = chat::asked(asked).unwrap_or_default();
                let prompts = prompts.iter().filter(|(role, _)| *role == Role::System);
                prompts.into_iter().all(|(_, prompt)| {
                    let words = self.words(prompt);
                    !prompt.contains(CANARY)
                        && !texts.iter().any(|text| words.has_run(text, self.sought.repeated))
                })
            })
    }

    fn has_nothing(&self, text: &str) -> bool {
        self.sought.characters.are_all_of(text)
            && !self.sought.signs.iter().any(|sign| sign.is_match(text.as_bytes()))
            && self.sought.found.iter().all(|masker| masker.find(text).is_empty())
    }

    fn is_attempt(&self, text: &str, model: &Model) -> bool {
        self.sought.attempts.is_some_and(|least| f64::from(model.score(text)) >= least)
    }

    fn number(&self, text: &str, look: Look) -> u64 {
        let mut hasher = self.keys.build_hasher();
        hasher.write_u8(look as u8);
        hasher.write(text.as_bytes());
        hasher.finish()
    }

    /// The words of a system prompt, which comes again with every request.
    fn words(&self, prompt: &str) -> Arc<Words> {
        let number = self.number(prompt, Look::Repeat);
        let mut prompts = self.prompts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(words) = prompts.get(&number) {
            return Arc::clone(words);
        }
        if prompts.len() >= MOST_PROMPTS {
            prompts.clear();
        }
        let words = Arc::new(Words::of(prompt));
        prompts.insert(number, Arc::clone(&words));
        words
    }
}

/// What a text is known to have been looked at for.
#[derive(Clone, Copy)]
enum Look {
    Hide,
    Find,
    Judge,
    Repeat,
}

/// Texts in which nothing was found, by their numbers, each at its own place: a newer one puts an older one out.
#[derive(Debug, Default)]
struct Known {
    places: OnceLock<Box<[AtomicU64]>>,
}

impl Known {
    /// Whether nothing was found in a text, or is now.
    fn or(&self, number: u64, look: impl FnOnce() -> bool) -> bool {
        let places = self.places.get_or_init(|| (0..MOST_KNOWN).map(|_| AtomicU64::new(0)).collect());
        let Some(place) = places.get(number as usize % MOST_KNOWN) else { return look() };
        if place.load(Ordering::Relaxed) == number {
            return true;
        }
        let clean = look();
        if clean {
            place.store(number, Ordering::Relaxed);
        }
        clean
    }
}

/// The words of a text, in lower case, as bits of their hashes: another's may be taken for one, never the reverse.
#[derive(Debug)]
struct Words {
    bits: Vec<u64>,
}

impl Words {
    fn of(text: &str) -> Self {
        let text = text.to_lowercase();
        let mut words = Self { bits: vec![0; (text.len() / 16).next_power_of_two()] };
        for hash in hashes(text.as_bytes()) {
            let (at, bit) = words.place(hash);
            if let Some(bits) = words.bits.get_mut(at) {
                *bits |= 1 << bit;
            }
        }
        words
    }

    fn place(&self, hash: u64) -> (usize, u64) {
        ((hash >> 6) as usize % self.bits.len().max(1), hash % 64)
    }

    /// Whether so many words of a text of ASCII stand in a row that are known.
    fn has_run(&self, text: &str, length: usize) -> bool {
        let mut run = 0;
        hashes(text.as_bytes()).any(|hash| {
            let (at, bit) = self.place(hash);
            let known = self.bits.get(at).is_some_and(|bits| bits >> bit & 1 == 1);
            run = if known { run + 1 } else { 0 };
            run >= length
        })
    }
}

/// The hashes of the words of ASCII in a text, whatever their case.
fn hashes(text: &[u8]) -> impl Iterator<Item = u64> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    text.split(move |byte| !is_word(byte)).filter(|word| !word.is_empty()).map(|word| {
        let mixed = word.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01B3)
        });
        (mixed ^ mixed >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20
    })
}
