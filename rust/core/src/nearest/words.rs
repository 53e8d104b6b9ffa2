//! A question as words: what it is about, and how it asks.

use std::collections::HashMap;

/// What kind of answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    What,
    How,
    /// How many, how long, how far: which of these.
    Measure(&'static str),
    Why,
    When,
    Where,
    Who,
    /// Yes or no.
    Whether,
    /// A statement, or an order.
    Statement,
}

/// One word.
#[derive(Clone, Debug)]
pub struct Word {
    /// In lower case, contractions written out.
    pub text: String,
    /// Without the endings of number and tense.
    pub stem: String,
    /// Written large within a sentence: a name, as far as that can be seen.
    pub is_name: bool,
}

/// A question, read.
#[derive(Debug)]
pub struct Question {
    pub asks: Asks,
    /// Words that carry what it is about, in their order.
    pub content: Vec<Word>,
    /// How often each of the others stands there.
    pub function: HashMap<String, u32>,
    pub numbers: Vec<String>,
    pub negations: usize,
}

const CONTRACTIONS: [(&str, &str); 22] = [
    ("what's", "what is"),
    ("whats", "what is"),
    ("who's", "who is"),
    ("where's", "where is"),
    ("when's", "when is"),
    ("how's", "how is"),
    ("why's", "why is"),
    ("it's", "it is"),
    ("that's", "that is"),
    ("there's", "there is"),
    ("he's", "he is"),
    ("she's", "she is"),
    ("let's", "let us"),
    ("i'm", "i am"),
    ("cannot", "can not"),
    ("can't", "can not"),
    ("won't", "will not"),
    ("shan't", "shall not"),
    ("dont", "do not"),
    ("cant", "can not"),
    ("doesnt", "does not"),
    ("isnt", "is not"),
];
const ENDINGS: [(&str, &str); 6] =
    [("n't", " not"), ("'re", " are"), ("'ve", " have"), ("'ll", " will"), ("'d", " would"), ("'s", "")];
const NEGATIONS: [&str; 13] = [
    "not", "no", "never", "without", "none", "neither", "nor", "nobody", "nothing", "nowhere", "except",
    "hardly", "unless",
];
/// Words that change nothing of what is asked.
const EMPTY: [&str; 16] = [
    "a", "an", "the", "please", "some", "just", "really", "actually", "exactly", "hi", "hello", "hey",
    "thanks", "thank", "kindly", "ok",
];
const FUNCTION: [&str; 93] = [
    "of", "to", "in", "on", "at", "for", "from", "by", "with", "into", "onto", "about", "as", "over",
    "under", "after", "before", "between", "during", "through", "against", "than", "then", "up", "down",
    "out", "off", "is", "are", "was", "were", "be", "been", "being", "am", "do", "does", "did", "done",
    "can", "could", "should", "would", "will", "shall", "may", "might", "must", "have", "has", "had", "i",
    "you", "we", "one", "he", "she", "it", "they", "me", "us", "them", "him", "my", "your", "our", "their",
    "his", "her", "its", "this", "that", "these", "those", "there", "here", "and", "or", "but", "if", "so",
    "because", "while", "also", "too", "any", "very", "what", "which", "who", "whom", "whose", "how",
];
const QUESTIONS: [&str; 3] = ["why", "when", "where"];
const MEASURES: [&str; 12] =
    ["many", "much", "long", "old", "far", "often", "big", "tall", "fast", "high", "deep", "large"];
const AUXILIARIES: [&str; 22] = [
    "is", "are", "was", "were", "do", "does", "did", "can", "could", "should", "would", "will", "shall",
    "may", "might", "must", "have", "has", "had", "am", "isn't", "aren't",
];
/// A question word stands among so many of the first words.
const EARLY_WORDS: usize = 6;

impl Question {
    pub fn read(text: &str) -> Self {
        let words = words_of(text);
        let mut read = Self {
            asks: asks(&words),
            content: Vec::new(),
            function: HashMap::new(),
            numbers: Vec::new(),
            negations: 0,
        };
        for (word, is_name) in words {
            if word.bytes().any(|byte| byte.is_ascii_digit()) {
                read.numbers.push(word.clone());
            }
            read.negations += usize::from(NEGATIONS.contains(&word.as_str()));
            if EMPTY.contains(&word.as_str()) {
                continue;
            }
            if FUNCTION.contains(&word.as_str()) || QUESTIONS.contains(&word.as_str()) {
                *read.function.entry(word).or_default() += 1;
            } else {
                let stem = stem(&word);
                read.content.push(Word { text: word, stem, is_name });
            }
        }
        read.numbers.sort();
        read
    }
}

/// The words of a text, and whether each is written large within a sentence.
fn words_of(text: &str) -> Vec<(String, bool)> {
    let mut words = Vec::new();
    let mut begins = true;
    for piece in text.split(|letter: char| letter.is_whitespace() || "\"“”(),;:!?[]{}".contains(letter)) {
        let ends = piece.ends_with('.');
        let piece = piece.trim_matches(|letter: char| "'’.-".contains(letter));
        if piece.is_empty() {
            continue;
        }
        let is_name = !begins && piece.chars().next().is_some_and(char::is_uppercase) && piece != "I";
        begins = ends;
        let lower = piece.to_lowercase().replace('’', "'");
        if is_name && lower != piece && is_acronym(piece) && is_empty_or_function(&lower) {
            words.push((piece.to_owned(), true));
            continue;
        }
        let written =
            CONTRACTIONS.iter().find(|(short, _)| *short == lower).map(|(_, long)| (*long).to_owned());
        let written = written.unwrap_or_else(|| {
            let ending = ENDINGS.iter().find_map(|(short, long)| Some((lower.strip_suffix(short)?, *long)));
            ending.map_or_else(|| lower.clone(), |(start, long)| format!("{start}{long}"))
        });
        words.extend(
            written.split(' ').filter(|word| !word.is_empty()).map(|word| (word.to_owned(), is_name)),
        );
    }
    words
}

fn is_empty_or_function(word: &str) -> bool {
    EMPTY.contains(&word) || FUNCTION.contains(&word)
}

/// "IT" is no "it", and the A of a vitamin no article.
fn is_acronym(piece: &str) -> bool {
    piece.chars().all(char::is_uppercase)
}

fn asks(words: &[(String, bool)]) -> Asks {
    let early: Vec<&str> = words
        .iter()
        .map(|(word, _)| word.as_str())
        .filter(|word| !EMPTY.contains(word))
        .take(EARLY_WORDS)
        .collect();
    let first = early.first().copied().unwrap_or_default();
    for (at, word) in early.iter().copied().enumerate() {
        match word {
            "why" => return Asks::Why,
            "when" => return Asks::When,
            "where" => return Asks::Where,
            "who" | "whom" | "whose" => return Asks::Who,
            "what" | "which" => return Asks::What,
            "how" => {
                let measure =
                    early.get(at + 1).and_then(|next| MEASURES.iter().find(|measure| *measure == next));
                return measure.map_or(Asks::How, |measure| Asks::Measure(measure));
            }
            _ => {}
        }
    }
    if AUXILIARIES.contains(&first) { Asks::Whether } else { Asks::Statement }
}

/// A word without the endings of number, roughly. Those of tense stay: "processing" is not "a process".
pub fn stem(word: &str) -> String {
    if !word.is_ascii() || word.len() < 4 {
        return word.to_owned();
    }
    const SUFFIXES: [(&str, &str); 4] = [("ies", "y"), ("sses", "ss"), ("es", "e"), ("s", "")];
    let cut = SUFFIXES.iter().find_map(|(suffix, instead)| {
        let start = word.strip_suffix(suffix)?;
        let is_number =
            *suffix != "s" || !(start.ends_with('s') || start.ends_with('u') || start.ends_with('i'));
        (start.len() >= 2 && is_number).then(|| format!("{start}{instead}"))
    });
    let cut = cut.unwrap_or_else(|| word.to_owned());
    let bare = if cut.len() > 3 { cut.strip_suffix('e') } else { None };
    bare.map_or(cut.clone(), str::to_owned)
}
