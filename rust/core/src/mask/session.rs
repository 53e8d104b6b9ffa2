//! Hides what was found in one request, and shows it again in its answer.

use std::collections::HashMap;
use std::ops::Range;

use aho_corasick::AhoCorasick;
use ring::hmac;

use super::entity::Entity;
use super::find::{Finder, Found};
use super::placeholder;
use super::text::slice;
use super::unmask::{Unmasker, in_string};
use super::view::View;

/// Values of fewer bytes are not looked for where nothing tells what they are.
const LEAST: usize = 5;
/// So many values are looked for one by one.
const FEW: usize = 16;

/// What is done with something found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A placeholder in its place, and it again in the answer.
    Mask,
    /// The name of its kind in its place.
    Redact,
    /// A keyed hash in its place: the same for the same value, and no way back.
    Hash,
    /// All but its end, or an address's domain, made unreadable.
    Partial,
    /// The request is refused.
    Block,
    /// It is left and reported.
    Flag,
}

impl Action {
    pub const ALL: [(&'static str, Self); 6] = [
        ("mask", Self::Mask),
        ("redact", Self::Redact),
        ("hash", Self::Hash),
        ("partial", Self::Partial),
        ("block", Self::Block),
        ("flag", Self::Flag),
    ];

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, action)| *action)
    }
}

/// Finds and hides, by one policy.
#[derive(Debug)]
pub struct Masker {
    finder: Finder,
    otherwise: Action,
    actions: Vec<(Entity, Action)>,
}

impl Masker {
    pub fn new(finder: Finder, otherwise: Action, actions: Vec<(Entity, Action)>) -> Self {
        Self { finder: finder.with(Entity::Literal), otherwise, actions }
    }

    /// Everything that it would act on, from left to right.
    pub fn find(&self, text: &str) -> Vec<Found> {
        let mut found = self.finder.find(text);
        found.retain(|found| found.entity != Entity::Literal);
        found
    }

    /// Whether nothing of the text would be hidden, what looks like a placeholder included.
    pub fn hides_nothing(&self, text: &str) -> bool {
        self.finder.find(text).is_empty()
    }

    pub(super) fn finder(&self) -> &Finder {
        &self.finder
    }

    /// What is done with that kind.
    pub fn action(&self, entity: Entity) -> Action {
        if entity == Entity::Literal {
            return Action::Mask;
        }
        self.actions.iter().find(|(known, _)| *known == entity).map_or(self.otherwise, |(_, action)| *action)
    }
}

/// What one request hides.
#[derive(Debug)]
pub struct Session {
    key: hmac::Key,
    /// By what is hidden, exactly as it was written.
    placeholders: HashMap<(Entity, String), String>,
    /// By placeholder.
    values: HashMap<String, String>,
    /// By code: the value without its spelling, and how many spellings of it there are.
    spellings: HashMap<String, (Vec<u8>, u32)>,
    found: Vec<(Entity, String, Action)>,
}

impl Session {
    /// # Arguments
    ///
    /// * `key`: the tenant's, of any length.
    /// * `conversation`: what else placeholders depend on; empty for nothing.
    pub fn new(key: &[u8], conversation: &[u8]) -> Self {
        let tenant = hmac::Key::new(hmac::HMAC_SHA256, key);
        let own = hmac::sign(&tenant, conversation);
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, own.as_ref()),
            placeholders: HashMap::new(),
            values: HashMap::new(),
            spellings: HashMap::new(),
            found: Vec::new(),
        }
    }

    /// What was found so far: the kind of thing, which of its kinds, and what was done.
    pub fn found(&self) -> &[(Entity, String, Action)] {
        &self.found
    }

    /// Whether anything was found that is to be refused.
    pub fn is_blocked(&self) -> bool {
        self.found.iter().any(|(_, _, action)| *action == Action::Block)
    }

    /// Whether an answer may hold anything to be shown again.
    pub fn has_placeholders(&self) -> bool {
        !self.values.is_empty()
    }

    /// The text with what was found in it hidden; `None`: nothing was.
    pub fn mask(&mut self, masker: &Masker, text: &str) -> Option<String> {
        let found = masker.finder.find(text);
        self.hide(masker, text, &found)
    }

    /// Hides what is found at these places, from left to right.
    pub(super) fn hide(&mut self, masker: &Masker, text: &str, found: &[Found]) -> Option<String> {
        let mut written = String::with_capacity(text.len());
        let mut copied = 0;
        for found in found {
            let Some(value) = text.get(found.place.clone()) else { continue };
            let action = masker.action(found.entity);
            if found.entity != Entity::Literal {
                self.found.push((found.entity, found.kind.clone(), action));
            }
            let Some(instead) = self.instead(found.entity, value, action) else { continue };
            written.push_str(text.get(copied..found.place.start).unwrap_or_default());
            written.push_str(&instead);
            copied = found.place.end;
        }
        if copied == 0 {
            return None;
        }
        written.push_str(text.get(copied..).unwrap_or_default());
        Some(written)
    }

    fn instead(&mut self, entity: Entity, value: &str, action: Action) -> Option<String> {
        match action {
            Action::Mask => Some(self.placeholder(entity, value)),
            Action::Redact => Some(format!("[{}]", entity.label())),
            Action::Hash => {
                let code = placeholder::code(&self.key, entity.label(), &plain(entity, value), u32::MAX);
                Some(format!("[{}:{code}]", entity.label()))
            }
            Action::Partial => Some(partial(entity, value)),
            Action::Block | Action::Flag => None,
        }
    }

    fn placeholder(&mut self, entity: Entity, value: &str) -> String {
        if let Some(known) = self.placeholders.get(&(entity, value.to_owned())) {
            return known.clone();
        }
        let plain = plain(entity, value);
        let mut collisions = 0;
        let (code, spelling) = loop {
            let code = placeholder::code(&self.key, entity.label(), &plain, collisions);
            match self.spellings.get_mut(&code) {
                Some((other, count)) if *other == plain && *count < placeholder::MOST_SPELLINGS => {
                    *count += 1;
                    break (code, *count);
                }
                Some(_) => collisions += 1,
                None => {
                    self.spellings.insert(code.clone(), (plain, 1));
                    break (code, 1);
                }
            }
        };
        let label = entity.label();
        let name =
            if spelling == 1 { format!("{label}_{code}") } else { format!("{label}_{code}_{spelling}") };
        self.placeholders.insert((entity, value.to_owned()), name.clone());
        self.values.insert(name.clone(), value.to_owned());
        name
    }

    /// The text with this request's placeholders replaced by what they stand for.
    ///
    /// # Arguments
    ///
    /// * `in_json`: the text is JSON, or is inside a string of it, and values are written as such a string has them.
    pub fn unmask(&self, text: &str, in_json: bool) -> String {
        let mut unmasker = self.unmasker(in_json);
        let mut shown = unmasker.push(text);
        shown.push_str(&unmasker.finish());
        shown
    }

    /// Shows a text again that comes in pieces.
    pub fn unmasker(&self, in_json: bool) -> Unmasker {
        Unmasker::new(self.values.clone(), in_json)
    }

    /// What is hidden and long enough to be looked for, and what stands in its place.
    pub(super) fn known(&self) -> impl Iterator<Item = (&str, &str)> {
        let long = |(_, value): &&(Entity, String)| value.len() >= LEAST;
        self.placeholders
            .keys()
            .filter(long)
            .filter_map(|key| Some((key.1.as_str(), self.placeholders.get(key)?.as_str())))
    }

    /// The kind of something hidden that is still in what would be sent, as it was or as JSON writes it.
    ///
    /// Values of fewer than five bytes are not looked for.
    pub fn leak(&self, sent: &[u8]) -> Option<Entity> {
        let hidden = || self.placeholders.keys().filter(|(_, value)| value.len() >= LEAST);
        let written = |value: &str| Some(in_string(value)).filter(|written| written != value);
        if self.placeholders.len() <= FEW {
            let is_there = |value: &str| memchr::memmem::find(sent, value.as_bytes()).is_some();
            let leaks =
                |value: &str| is_there(value) || written(value).is_some_and(|written| is_there(&written));
            return hidden().find(|(_, value)| leaks(value)).map(|(entity, _)| *entity);
        }
        let (mut values, mut entities) = (Vec::new(), Vec::new());
        for (entity, value) in hidden() {
            values.extend(written(value).into_iter().chain([value.clone()]));
            entities.resize(values.len(), *entity);
        }
        match AhoCorasick::new(&values) {
            Ok(automaton) => entities.get(automaton.find(sent)?.pattern().as_usize()).copied(),
            Err(_) => entities.first().copied(), // more than can be looked for is more than can be let go
        }
    }
}

/// A value without its spelling: in lower case, and numbers without separators.
fn plain(entity: Entity, value: &str) -> Vec<u8> {
    let view = View::of(value);
    match entity {
        Entity::Secret | Entity::UrlCredentials | Entity::Literal | Entity::Custom | Entity::Crypto => {
            view.bytes.to_vec()
        }
        Entity::Person | Entity::Address => {
            let words = String::from_utf8_lossy(&view.bytes).to_lowercase();
            words.split(|sign: char| !sign.is_alphanumeric()).collect::<String>().into_bytes()
        }
        Entity::Email | Entity::Url | Entity::Date | Entity::BirthDate => view.bytes.to_ascii_lowercase(),
        _ => view
            .bytes
            .iter()
            .filter(|byte| byte.is_ascii_alphanumeric())
            .map(u8::to_ascii_lowercase)
            .collect(),
    }
}

/// The value with all but its end made unreadable; of an e-mail address the name.
fn partial(entity: Entity, value: &str) -> String {
    const SHOWN: usize = 4;
    let shown: Range<usize> = match (entity, value.find('@')) {
        (Entity::Email, Some(at)) => at..value.len(),
        (Entity::Secret | Entity::UrlCredentials, _) => value.len()..value.len(),
        _ => {
            let counted =
                value.char_indices().rev().filter(|(_, sign)| sign.is_alphanumeric()).nth(SHOWN - 1);
            let half = value.chars().filter(|sign| sign.is_alphanumeric()).count() >= 2 * SHOWN;
            counted.filter(|_| half).map_or(value.len(), |(at, _)| at)..value.len()
        }
    };
    let hidden = String::from_utf8_lossy(slice(value.as_bytes(), 0..shown.start)).into_owned();
    let hidden: String = hidden.chars().map(|sign| if sign.is_alphanumeric() { '*' } else { sign }).collect();
    hidden + value.get(shown).unwrap_or_default()
}
