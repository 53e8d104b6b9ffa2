//! What an operator wants found beside: patterns and lists of words.

use aho_corasick::{AhoCorasick, MatchKind};
use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use thiserror::Error;

use super::find::Hits;
use super::text::{byte_at, is_word};
use super::view::View;

/// A compiled pattern takes at most so much memory.
const PATTERN_BYTES: usize = 1 << 20;
const LONGEST_PATTERN: usize = 4096;
const MOST_WORDS: usize = 100_000;

/// A pattern or a list of words that cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{name}: {problem}")]
pub struct CustomError {
    pub name: String,
    pub problem: String,
}

#[derive(Debug)]
enum Rule {
    Pattern(Regex),
    Words(AhoCorasick),
}

/// Compiles a regular expression that takes time in proportion to the text, whatever the text is.
///
/// # Errors
///
/// It is none, is longer than 4,096 bytes, or takes more than 1 MiB.
pub fn compiled(pattern: &str, unicode: bool) -> Result<Regex, String> {
    if pattern.len() > LONGEST_PATTERN {
        return Err(format!("the pattern is longer than {LONGEST_PATTERN} bytes"));
    }
    let builder = &mut RegexBuilder::new(pattern);
    let built = builder.unicode(unicode).size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES).build();
    built.map_err(|problem| problem.to_string())
}

/// Compiled rules, each with its name.
#[derive(Debug, Default)]
pub struct Custom {
    rules: Vec<(String, Rule)>,
    /// All patterns at once, by their places among the rules: most texts have none of them.
    gate: Option<(RegexSet, Vec<usize>)>,
}

impl Custom {
    /// Adds a regular expression: RE2's syntax, bytes of ASCII, no look-around and no back-references, so that it takes
    /// time in proportion to the text whatever the text is.
    ///
    /// # Errors
    ///
    /// It cannot be compiled, is longer than 4,096 bytes, takes more than 1 MiB, or matches the empty text.
    pub fn pattern(&mut self, name: &str, pattern: &str) -> Result<(), CustomError> {
        let error = |problem: String| CustomError { name: name.to_owned(), problem };
        let compiled = compiled(pattern, false).map_err(error)?;
        if compiled.is_match(b"") {
            return Err(error("the pattern matches the empty text".to_owned()));
        }
        self.rules.push((name.to_owned(), Rule::Pattern(compiled)));
        Ok(())
    }

    /// Adds words and phrases, found as whole words whatever their case.
    ///
    /// # Errors
    ///
    /// There are more than 100,000, or one is empty.
    pub fn words(&mut self, name: &str, words: &[String]) -> Result<(), CustomError> {
        let error = |problem: &str| CustomError { name: name.to_owned(), problem: problem.to_owned() };
        if words.len() > MOST_WORDS {
            return Err(error("there are more than 100,000 words"));
        }
        if words.iter().any(|word| word.trim().is_empty()) {
            return Err(error("a word is empty"));
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(words.iter().map(|word| View::of(word).bytes.into_owned()))
            .map_err(|_| error("the words are too many"))?;
        self.rules.push((name.to_owned(), Rule::Words(automaton)));
        Ok(())
    }

    /// The same, when all rules are there.
    pub(super) fn gated(mut self) -> Self {
        let patterns = self.rules.iter().enumerate().filter_map(|(at, (_, rule))| match rule {
            Rule::Pattern(pattern) => Some((at, pattern.as_str())),
            Rule::Words(_) => None,
        });
        let (places, patterns): (Vec<usize>, Vec<&str>) = patterns.unzip();
        let set =
            RegexSetBuilder::new(patterns).unicode(false).size_limit(PATTERN_BYTES * places.len()).build();
        self.gate = set.ok().filter(|_| places.len() > 1).map(|set| (set, places));
        self
    }

    /// The name of a rule.
    pub fn name(&self, index: usize) -> &str {
        self.rules.get(index).map_or("", |(name, _)| name)
    }

    pub(super) fn find(&self, bytes: &[u8], hits: &mut Hits) {
        let there = self.gate.as_ref().map(|(set, places)| {
            set.matches(bytes).iter().filter_map(|at| places.get(at).copied()).collect::<Vec<usize>>()
        });
        for (index, (_, rule)) in self.rules.iter().enumerate() {
            match rule {
                Rule::Pattern(_) if there.as_ref().is_some_and(|there| !there.contains(&index)) => {}
                Rule::Pattern(pattern) => {
                    pattern.find_iter(bytes).for_each(|found| hits.add_custom(index, found.range()));
                }
                Rule::Words(words) => {
                    for found in words.find_iter(bytes).map(|found| found.range()) {
                        let starts = found.start == 0 || !is_word(byte_at(bytes, found.start - 1));
                        if starts && !is_word(byte_at(bytes, found.end)) {
                            hits.add_custom(index, found);
                        }
                    }
                }
            }
        }
    }
}
