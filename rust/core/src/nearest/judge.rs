//! Whether one answer may serve two questions.
//!
//! Some differences are never small: another number, a "not", another name, another kind of question, who did what to
//! whom. All others have a price, and the score is what is left when they are paid: 1 where there are none.

use std::collections::HashSet;

use super::words::{Asks, Question, Word};

/// The score of a pair, and what spoke against it most, where something did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    pub score: f32,
    pub reason: &'static str,
}

/// How alike two words are, from 0 to 1.
pub type Alike<'a> = dyn Fn(&str, &str) -> f32 + 'a;

const OPPOSITES: [(&str, &str); 40] = [
    ("buy", "sell"),
    ("increas", "decreas"),
    ("increas", "reduc"),
    ("rais", "lower"),
    ("start", "stop"),
    ("start", "end"),
    ("begin", "end"),
    ("open", "clos"),
    ("enabl", "disabl"),
    ("add", "remov"),
    ("install", "uninstall"),
    ("best", "worst"),
    ("good", "bad"),
    ("better", "wors"),
    ("more", "less"),
    ("most", "least"),
    ("many", "few"),
    ("first", "last"),
    ("high", "low"),
    ("big", "small"),
    ("large", "small"),
    ("long", "short"),
    ("fast", "slow"),
    ("hot", "cold"),
    ("new", "old"),
    ("young", "old"),
    ("male", "femal"),
    ("men", "women"),
    ("man", "woman"),
    ("boy", "girl"),
    ("husband", "wif"),
    ("love", "hat"),
    ("win", "los"),
    ("gain", "los"),
    ("safe", "dangerou"),
    ("legal", "illegal"),
    ("possibl", "impossibl"),
    ("positiv", "negativ"),
    ("advantag", "disadvantag"),
    ("import", "export"),
];
const AUXILIARY: [&str; 12] =
    ["do", "does", "can", "could", "should", "would", "will", "shall", "may", "might", "must", "to"];
/// Opposites among the words that stand between others.
const DIRECTIONS: [(&str, &str); 7] = [
    ("up", "down"),
    ("on", "off"),
    ("in", "out"),
    ("over", "under"),
    ("before", "after"),
    ("to", "from"),
    ("for", "against"),
];
const PERSON: [&str; 13] =
    ["i", "you", "we", "one", "my", "your", "our", "me", "us", "it", "they", "them", "their"];
const BEING: [&str; 9] = ["is", "are", "be", "been", "being", "am", "there", "what", "which"];
const SYMMETRIC: [&str; 2] = ["between", "vs"];

/// What a difference costs.
const CHEAP: f32 = 0.02;
const OF_PERSON: f32 = 0.06;
const OTHER: f32 = 0.25;
const OF_ORDER: f32 = 0.6;
/// A word that has no like in the other question.
const OF_CONTENT: f32 = 1.0;

const NEVER: fn(&'static str) -> Judged = |reason| Judged { score: 0.0, reason };

/// Judges a pair of questions.
pub fn judge(one: &Question, other: &Question, alike: &Alike<'_>) -> Judged {
    if one.numbers != other.numbers {
        return NEVER("numbers");
    }
    if one.negations != other.negations {
        return NEVER("negation");
    }
    if one.asks != other.asks {
        return NEVER("question");
    }
    let (stems, other_stems) = (stems(one), stems(other));
    let ours: Vec<&Word> =
        one.content.iter().filter(|word| !other_stems.contains(word.stem.as_str())).collect();
    let theirs: Vec<&Word> =
        other.content.iter().filter(|word| !stems.contains(word.stem.as_str())).collect();
    if ours.iter().chain(&theirs).any(|word| word.is_name) {
        return NEVER("names");
    }
    if ours.iter().any(|word| theirs.iter().any(|their| opposite(&word.stem, &their.stem))) {
        return NEVER("opposites");
    }
    if turned(one, other) || turned(other, one) {
        return NEVER("opposites");
    }
    let content = missing(&ours, &other.content, alike) + missing(&theirs, &one.content, alike);
    let function = function_cost(one, other);
    let order = order_cost(one, other);
    let reason = match (content, function, order) {
        (content, function, order) if content + function + order < CHEAP => "",
        (content, function, order) if content >= function && content >= order => "words",
        (_, function, order) if order > function => "order",
        _ => "wording",
    };
    Judged { score: (-(content + function + order)).exp(), reason }
}

fn stems(question: &Question) -> HashSet<&str> {
    question.content.iter().map(|word| word.stem.as_str()).collect()
}

fn opposite(one: &str, other: &str) -> bool {
    OPPOSITES.iter().any(|(a, b)| (*a == one && *b == other) || (*a == other && *b == one))
}

/// Whether one says one direction, and the other the other.
fn turned(one: &Question, other: &Question) -> bool {
    let only = |word: &str, here: &Question, there: &Question| {
        here.function.contains_key(word) && !there.function.contains_key(word)
    };
    DIRECTIONS.iter().any(|(a, b)| only(a, one, other) && only(b, other, one))
}

fn missing(words: &[&Word], among: &[Word], alike: &Alike<'_>) -> f32 {
    let nearest = |word: &&Word| among.iter().map(|their| alike(&word.text, &their.text)).fold(0.0, f32::max);
    words.iter().map(|word| OF_CONTENT * (1.0 - nearest(word).clamp(0.0, 1.0))).sum()
}

fn function_cost(one: &Question, other: &Question) -> f32 {
    let names: HashSet<&String> = one.function.keys().chain(other.function.keys()).collect();
    let how = one.asks == Asks::How;
    let cost = |name: &&String| {
        let times = |question: &Question| question.function.get(*name).copied().unwrap_or(0);
        let price = match name.as_str() {
            name if BEING.contains(&name) => CHEAP,
            name if AUXILIARY.contains(&name) => {
                if how {
                    CHEAP
                } else {
                    OTHER
                }
            }
            name if PERSON.contains(&name) => {
                if how {
                    CHEAP
                } else {
                    OF_PERSON
                }
            }
            _ => OTHER,
        };
        price * times(one).abs_diff(times(other)) as f32
    };
    names.iter().map(cost).sum()
}

/// Who did what to whom: the words that both have, in another order.
fn order_cost(one: &Question, other: &Question) -> f32 {
    let shared = |from: &Question, among: &Question| -> Vec<String> {
        let known = stems(among);
        from.content
            .iter()
            .filter(|word| known.contains(word.stem.as_str()))
            .map(|word| word.stem.clone())
            .collect()
    };
    let (ours, theirs) = (shared(one, other), shared(other, one));
    if ours == theirs {
        return 0.0;
    }
    let symmetric =
        SYMMETRIC.iter().any(|word| one.function.contains_key(*word) && other.function.contains_key(*word));
    if symmetric { OTHER } else { OF_ORDER }
}
