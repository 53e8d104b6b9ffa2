//! Finds names of people: by a title or words that bring in a name, and by a table of names.
//!
//! Names are no pattern, so this is a weighing: how sure the table is of the words, what stands before and behind them.
//! A word that is a name and a word as well ("Will", "May") needs company; a surname alone needs somebody to bring it in.

mod lexicon;
#[cfg(test)]
mod tests;

use lexicon::{Known, look_up};

use super::entity::Entity;
use super::find::Hits;
use super::spelt::{Kind, Spelt};

const TITLES: [&str; 27] = [
    "mr",
    "mrs",
    "ms",
    "miss",
    "mx",
    "dr",
    "prof",
    "professor",
    "doctor",
    "sir",
    "madam",
    "lady",
    "herr",
    "frau",
    "mme",
    "mlle",
    "monsieur",
    "madame",
    "senor",
    "senora",
    "sr",
    "sra",
    "dott",
    "signor",
    "signora",
    "captain",
    "judge",
];
/// Words right before a name.
const BRING_IN: [&str; 20] = [
    "me",
    "him",
    "with",
    "by",
    "dear",
    "hi",
    "hello",
    "hey",
    "named",
    "called",
    "says",
    "said",
    "asked",
    "signed",
    "attn",
    "contact",
    "regards",
    "sincerely",
    "cheers",
    "thanks",
];
/// Those that bring in one name and nothing else.
const GREET: [&str; 4] = ["dear", "hi", "hello", "hey"];
/// Words before one that is no person's name, though it might be.
const NO_PERSON_BEHIND: [&str; 6] = ["the", "in", "near", "south", "north", "san"];
/// Words that end a name, though they are names as well.
const END: [&str; 6] = ["suite", "apt", "apartment", "box", "street", "am"];
/// Words right behind a name.
const FOLLOW: [&str; 14] = [
    "said", "says", "told", "asked", "wrote", "replied", "added", "lives", "lived", "works", "worked",
    "married", "listed", "shouted",
];
/// What makes a name of a person that of something else, where it stands behind.
const ELSE_BEHIND: [&str; 47] = [
    "ltd",
    "inc",
    "llc",
    "plc",
    "gmbh",
    "ag",
    "corp",
    "corporation",
    "company",
    "co",
    "group",
    "bank",
    "university",
    "college",
    "school",
    "hospital",
    "institute",
    "partners",
    "associates",
    "industries",
    "foundation",
    "street",
    "st",
    "road",
    "rd",
    "avenue",
    "ave",
    "lane",
    "drive",
    "boulevard",
    "blvd",
    "square",
    "court",
    "terrace",
    "close",
    "crescent",
    "way",
    "park",
    "bridge",
    "county",
    "city",
    "airport",
    "station",
    "systems",
    "technologies",
    "labs",
    "lines",
];
/// The same, where it stands before.
const ELSE_BEFORE: [&str; 24] = [
    "rue",
    "via",
    "avenida",
    "av",
    "calle",
    "rua",
    "ul",
    "ulica",
    "piazza",
    "plaza",
    "place",
    "boulevard",
    "street",
    "strada",
    "largo",
    "praça",
    "praca",
    "chemin",
    "allee",
    "university",
    "fort",
    "mount",
    "lake",
    "port",
];
const PARTICLES: [&str; 22] = [
    "van", "von", "de", "der", "den", "di", "da", "del", "della", "dos", "das", "do", "du", "la", "le", "el",
    "al", "bin", "ibn", "ter", "ten", "zu",
];
const MOST_WORDS: usize = 5;

/// How sure each of these is.
const TOLD: f32 = 0.9;
const WHOLE: f32 = 0.85;
const LIKELY: f32 = 0.6;
const GUESSED: f32 = 0.4;
/// What being brought in, and being followed by what people do, adds.
const IN_PLACE: f32 = 0.25;

/// The words of a text, and whether anything in it is written large.
struct Names<'t, 'w> {
    text: &'t str,
    words: &'w [Spelt<'t>],
    cased: bool,
}

/// Finds the names.
pub(super) fn find(text: &str, words: &[Spelt<'_>], hits: &mut Hits) {
    let cased = words.iter().any(|word| word.kind == Kind::Large);
    let names = Names { text, words, cased };
    let mut at = 0;
    while at < words.len() {
        match names.at(at) {
            Some((end, score)) if end > at => {
                names.add(at, end, score, hits);
                at = end;
            }
            _ => at += 1,
        }
    }
}

impl Names<'_, '_> {
    fn word(&self, at: usize) -> Option<&Spelt<'_>> {
        self.words.get(at)
    }

    fn between(&self, at: usize) -> &str {
        let (Some(left), Some(right)) = (self.word(at), self.word(at + 1)) else { return "\n" };
        self.text.get(left.end..right.start).unwrap_or_default()
    }

    /// Whether the word after that one goes on with a name.
    fn goes_on(&self, at: usize) -> bool {
        let gap = self.between(at);
        gap == " "
            || gap == ". " && self.word(at).is_some_and(|word| word.text.len() == 1 || self.is_title(at))
    }

    fn is_title(&self, at: usize) -> bool {
        self.word(at).is_some_and(|word| (!self.cased || word.kind == Kind::Large) && word.is_any(&TITLES))
    }

    /// Whether the word could be part of a name, by how it is written.
    fn is_name_like(&self, at: usize) -> bool {
        self.word(at).is_some_and(|word| match word.kind {
            Kind::Large => true,
            Kind::Small => !self.cased,
            _ => false,
        })
    }

    fn is_joined(&self, start: usize, end: usize) -> bool {
        let side =
            |at: Option<char>| at.is_some_and(|sign| matches!(sign, '@' | '_' | '/' | '\\' | '=' | '#'));
        let text = |at: usize| self.word(at).map_or((0, 0), |word| (word.start, word.end));
        let (left, right) = (text(start).0, text(end - 1).1);
        let mut behind = self.text.get(right..).unwrap_or_default().chars();
        let next = behind.next();
        side(self.text.get(..left).and_then(|before| before.chars().next_back()))
            || side(next)
            || next == Some('.') && behind.next().is_some_and(char::is_alphanumeric)
    }

    /// The name that begins there: where it ends, and how sure it is.
    fn at(&self, at: usize) -> Option<(usize, f32)> {
        let titled = at > 0 && self.is_title(at - 1) && matches!(self.between(at - 1), " " | ". ");
        if !self.is_name_like(at) || self.is_title(at) {
            return None;
        }
        let (end, known) = self.run(at, titled);
        if self.is_something_else(at, end) || self.is_joined(at, end) {
            return None;
        }
        let mut score = if titled { TOLD } else { self.weigh(at, end, known)? };
        if !titled {
            score += if self.is_brought_in(at) { IN_PLACE } else { 0.0 };
            score += if self.is_followed(end) { IN_PLACE } else { 0.0 };
        }
        Some((end, score.min(TOLD)))
    }

    /// How far a name that begins there goes, and what its first word is known as.
    fn run(&self, at: usize, titled: bool) -> (usize, Known) {
        let first = self.known(at);
        let mut end = at + 1;
        while end - at < MOST_WORDS && self.goes_on(end - 1) {
            let Some(word) = self.word(end) else { break };
            if word.is_any(&PARTICLES) && self.is_name_like(end + 1) && self.goes_on(end) {
                end += 1;
                continue;
            }
            if !self.is_name_like(end) || word.is_any(&END) {
                break;
            }
            let known = look_up(word.text);
            let initial = word.text.len() == 1 && self.cased;
            let named = known.is_surname() || known.is_given();
            let fits = if self.cased {
                named || initial || known.is_unknown()
            } else {
                named && !known.is_word() || titled && end == at + 1 && known.is_unknown()
            };
            if !fits {
                break;
            }
            end += 1;
        }
        while end > at + 1 && self.word(end - 1).is_some_and(|word| word.is_any(&PARTICLES)) {
            end -= 1;
        }
        (end, first)
    }

    /// How sure the words alone make it.
    fn weigh(&self, at: usize, end: usize, first: Known) -> Option<f32> {
        if end > at + 1 { self.weigh_several(at, end, first) } else { self.weigh_one(at, first) }
    }

    fn weigh_several(&self, at: usize, end: usize, first: Known) -> Option<f32> {
        let last = self.known(end - 1);
        if !self.is_acronym(at) && self.is_acronym(end - 1) {
            return None;
        }
        if first.is_given() {
            return match (first.is_only_name(), last.is_only_name()) {
                (true, _) => Some(WHOLE),
                (false, true) => Some(LIKELY),
                (false, false) => None,
            };
        }
        let initial = self.word(at).is_some_and(|word| word.text.len() == 1);
        let named = last.is_only_name()
            && (first.is_surname() && first.is_only_name() || first.is_unknown() && self.cased);
        (named || initial && last.is_surname() || self.is_said_to_be_name(at)).then_some(LIKELY)
    }

    fn weigh_one(&self, at: usize, first: Known) -> Option<f32> {
        let before = at.checked_sub(1).and_then(|before| self.word(before));
        if before.is_some_and(|word| word.is_any(&NO_PERSON_BEHIND)) {
            return None;
        }
        if self.word(at).is_some_and(|word| word.text.len() < 2) {
            return None;
        }
        match (first.is_given(), first.is_only_name()) {
            (true, true) if !self.is_acronym(at) => Some(LIKELY),
            (true, _) if self.cased => Some(GUESSED),
            (false, true) => Some(GUESSED),
            _ => {
                (first.is_unknown() && (self.is_said_to_be_name(at) || self.is_greeted(at))).then_some(LIKELY)
            }
        }
    }

    fn known(&self, at: usize) -> Known {
        self.word(at).map_or_else(Known::default, |word| look_up(word.text))
    }

    fn is_acronym(&self, at: usize) -> bool {
        self.word(at).is_some_and(|word| word.text.len() > 1 && !word.text.chars().any(char::is_lowercase))
    }

    fn is_greeted(&self, at: usize) -> bool {
        at > 0 && self.between(at - 1) == " " && self.word(at - 1).is_some_and(|word| word.is_any(&GREET))
    }

    /// Whether "name is" or "Name:" stands before it.
    fn is_said_to_be_name(&self, at: usize) -> bool {
        let before = |back: usize| at.checked_sub(back).and_then(|at| self.word(at));
        let named = |word: Option<&Spelt<'_>>| word.is_some_and(|word| word.is_any(&["name", "names"]));
        let linked = before(1).is_some_and(|word| word.is_any(&["is", "was"]));
        linked && named(before(2)) || named(before(1)) && at > 0 && self.between(at - 1).trim() == ":"
    }

    fn is_brought_in(&self, at: usize) -> bool {
        if at == 0 {
            return false;
        }
        self.is_said_to_be_name(at) || self.word(at - 1).is_some_and(|word| word.is_any(&BRING_IN))
    }

    fn is_followed(&self, end: usize) -> bool {
        let behind = self.word(end - 1).and_then(|word| self.text.get(word.end..)).unwrap_or_default();
        behind.starts_with("'s")
            || self.goes_on(end - 1) && self.word(end).is_some_and(|word| word.is_any(&FOLLOW))
    }

    fn is_something_else(&self, at: usize, end: usize) -> bool {
        let behind = self.goes_on(end - 1).then(|| self.word(end)).flatten();
        let before =
            at.checked_sub(1).filter(|before| self.goes_on(*before)).and_then(|before| self.word(before));
        let inside = self.words.get(at..end).unwrap_or_default();
        behind.is_some_and(|word| word.is_any(&ELSE_BEHIND) || word.kind == Kind::Number)
            || before.is_some_and(|word| word.is_any(&ELSE_BEFORE) || word.kind == Kind::Number)
            || inside.iter().skip(1).any(|word| word.is_any(&ELSE_BEHIND))
    }

    fn add(&self, at: usize, end: usize, score: f32, hits: &mut Hits) {
        if let (Some(first), Some(last)) = (self.word(at), self.word(end - 1)) {
            hits.add(Entity::Person, "person", first.start..last.end, score);
        }
    }
}
