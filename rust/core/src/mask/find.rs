//! Finds everything at once: one pass over the text, and a closer look where a byte calls for it.

use std::collections::BTreeMap;
use std::ops::Range;

use super::custom::Custom;
use super::entity::{Entities, Entity};
use super::numbers::{self, Group};
use super::text::{byte_at, slice};
use super::view::View;
use super::{
    addresses, dates, decode, email, network, persons, phone, place, placeholder, secrets, spelt, told,
    wallet,
};

#[cfg(test)]
mod tests;

/// How deep an encoded text may lie in another.
const DEPTH: usize = 2;
/// A run of so many letters, digits and signs of base64 may be an encoded text, a wallet, a token.
const LONG_RUN: usize = 16;
/// What nobody looks for, but is so surely a number of its kind, is no number of another.
const SURELY_ELSE: f32 = 0.8;
/// What is found in a text as it stands yields to what is found in it with its escapes read.
const AS_IT_STANDS: f32 = 0.98;

/// Something found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub entity: Entity,
    /// Which kind of the entity, such as `github-pat`; of a custom pattern its name.
    pub kind: String,
    /// Where in the text, in bytes.
    pub place: Range<usize>,
    /// 0 to 1.
    pub score: f32,
}

#[derive(Clone, Debug)]
struct Hit {
    entity: Entity,
    kind: &'static str,
    custom: Option<usize>,
    place: Range<usize>,
    score: f32,
    /// Only keeps other finds from being made of it.
    blocks: bool,
}

/// What has been found so far in one view.
pub(super) struct Hits {
    found: Vec<Hit>,
    wanted: Entities,
    threshold: f32,
}

impl Hits {
    pub fn add(&mut self, entity: Entity, kind: &'static str, place: Range<usize>, score: f32) {
        let wanted = self.wanted.has(entity);
        let blocks = !wanted && score >= SURELY_ELSE && entity.is_number();
        if score >= self.threshold && (wanted || blocks) && !place.is_empty() {
            self.found.push(Hit { entity, kind, custom: None, place, score, blocks });
        }
    }

    pub fn add_custom(&mut self, index: usize, place: Range<usize>) {
        if !place.is_empty() && self.wanted.has(Entity::Custom) {
            self.found.push(Hit {
                entity: Entity::Custom,
                kind: "",
                custom: Some(index),
                place,
                score: 1.0,
                blocks: false,
            });
        }
    }

    pub fn wants(&self, entity: Entity) -> bool {
        self.wanted.has(entity)
    }
}

/// What to look for.
#[derive(Debug)]
pub struct Finder {
    wanted: Entities,
    threshold: f32,
    custom: Custom,
    /// Whether digits are looked at.
    numbers: bool,
}

impl Finder {
    /// # Arguments
    ///
    /// * `threshold`: what is less sure is not reported; 0 to 1.
    pub fn new(wanted: Entities, threshold: f32, custom: Custom) -> Self {
        Self { wanted, threshold, custom: custom.gated(), numbers: wanted.has_numbers() }
    }

    /// The same, looking for one kind more.
    pub fn with(self, entity: Entity) -> Self {
        Self { wanted: self.wanted.and(entity), ..self }
    }

    /// Everything in the text, from left to right, without overlaps.
    pub fn find(&self, text: &str) -> Vec<Found> {
        self.settled(self.hits(text, DEPTH))
    }

    fn hits(&self, text: &str, depth: usize) -> Vec<Hit> {
        let view = View::of(text);
        let mut hits = self.in_view(&view, depth);
        if let Some(view) = View::unescaped(text) {
            hits.iter_mut().for_each(|hit| hit.score *= AS_IT_STANDS);
            hits.extend(self.in_view(&view, depth));
        }
        hits
    }

    fn in_view(&self, view: &View<'_>, depth: usize) -> Vec<Hit> {
        let mut hits = Hits { found: Vec::new(), wanted: self.wanted, threshold: self.threshold };
        if self.wanted.has(Entity::Secret) {
            secrets::find(&view.bytes, &mut hits);
        }
        self.custom.find(&view.bytes, &mut hits);
        placeholder::find(&view.bytes, &mut hits);
        self.scan(&view.bytes, depth, &mut hits);
        self.read_names(&view.bytes, &mut hits);
        if view.is_changed() {
            hits.found.iter_mut().for_each(|hit| hit.place = view.original(hit.place.clone()));
        }
        hits.found
    }

    fn scan(&self, bytes: &[u8], depth: usize, hits: &mut Hits) {
        let (mut groups, mut places) = (Vec::new(), addresses::Places::default());
        let has_addresses = hits.wants(Entity::Address);
        let (mut run, mut chained, mut colons) = (0, 0, 0);
        for (at, byte) in bytes.iter().enumerate() {
            match CLASSES.get(usize::from(*byte)) {
                Some(Class::Word) => continue,
                Some(Class::Digit) => {
                    if has_addresses {
                        places.add(bytes, at);
                    }
                    if self.numbers && at >= chained {
                        chained = digits(bytes, at, chained, &mut groups, hits);
                    }
                    continue;
                }
                Some(Class::At) => email::find(bytes, at, hits),
                Some(Class::Colon) if slice(bytes, at..at + 3) == b"://" => network::url(bytes, at, hits),
                Some(Class::Colon) if at >= colons => colons = network::colons(bytes, at, hits),
                _ => {}
            }
            if at - run >= LONG_RUN {
                self.long_run(bytes, run..at, depth, hits);
            }
            run = at + 1;
        }
        if bytes.len() - run >= LONG_RUN {
            self.long_run(bytes, run..bytes.len(), depth, hits);
        }
        addresses::find(bytes, &places, hits);
        if hits.wants(Entity::Url) {
            for at in memchr::memmem::find_iter(bytes, b"www.") {
                network::www(bytes, at..at + 4, hits);
            }
        }
    }

    /// Looks for names, which any word may be.
    fn read_names(&self, bytes: &[u8], hits: &mut Hits) {
        if hits.wants(Entity::Person) {
            let text = std::str::from_utf8(bytes).unwrap_or_default();
            persons::find(text, &spelt::words(text), hits);
        }
    }

    fn long_run(&self, bytes: &[u8], run: Range<usize>, depth: usize, hits: &mut Hits) {
        wallet::find(bytes, run.clone(), hits);
        if byte_at(bytes, run.end) == b'.' {
            secrets::discord(bytes, run.clone(), hits);
        }
        if depth == 0 {
            return;
        }
        for text in decode::texts(slice(bytes, run.clone())) {
            for hit in self.settled(self.hits(&text, depth - 1)) {
                hits.add(hit.entity, "encoded", run.clone(), hit.score * 0.95);
            }
        }
    }

    /// The surest of what overlaps, and the longer where it is a secret that holds the other.
    fn settled(&self, mut hits: Vec<Hit>) -> Vec<Found> {
        hits.sort_by(|a, b| {
            b.score.total_cmp(&a.score).then(b.place.len().cmp(&a.place.len())).then(a.entity.cmp(&b.entity))
        });
        // What is kept does not overlap, so what overlaps a hit begins inside of it, or is the last to begin before.
        let mut kept: BTreeMap<usize, Hit> = BTreeMap::new();
        for hit in hits {
            let before = kept
                .range(..hit.place.start)
                .next_back()
                .filter(|(_, other)| other.place.end > hit.place.start);
            let inside = kept.range(hit.place.clone());
            let others: Vec<(usize, bool)> = before
                .into_iter()
                .chain(inside)
                .map(|(start, other)| {
                    (*start, !other.blocks && hit.place.start <= *start && other.place.end <= hit.place.end)
                })
                .collect();
            let is_whole =
                matches!(hit.entity, Entity::Secret | Entity::Url | Entity::Custom | Entity::Address);
            if others.is_empty() || is_whole && others.iter().all(|(_, held)| *held) {
                for (start, _) in others {
                    kept.remove(&start);
                }
                kept.insert(hit.place.start, hit);
            }
        }
        kept.into_values().filter(|hit| !hit.blocks).map(|hit| self.found(hit)).collect()
    }

    fn found(&self, hit: Hit) -> Found {
        let kind = hit.custom.map_or_else(|| hit.kind.to_owned(), |index| self.custom.name(index).to_owned());
        Found { entity: hit.entity, kind, place: hit.place, score: hit.score }
    }
}

/// Looks at the digits at `at`, and tells where their chain ends.
fn digits(bytes: &[u8], at: usize, from: usize, groups: &mut Vec<Group>, hits: &mut Hits) -> usize {
    let end = numbers::chain(bytes, at, from, groups);
    for group in groups.iter().filter(|group| group.digits > 0) {
        network::mac(bytes, group.start, hits);
        if byte_at(bytes, group.start).is_ascii_digit() {
            network::ipv4(bytes, group.start, hits);
            place::find(bytes, group.start, hits);
            dates::by_digits(bytes, group.start, hits);
            dates::by_month(bytes, group.start, hits);
        }
    }
    let digits: usize = groups.iter().map(|group| group.digits).sum();
    if digits >= 5 {
        numbers::find(bytes, groups, hits);
        phone::find(bytes, groups, hits);
        told::find(bytes, groups, hits);
    }
    end
}

/// What a byte calls for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Other,
    /// Letters, and signs of base64.
    Word,
    Digit,
    At,
    Colon,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation, reason = "counts to 255")]
        #[allow(clippy::indexing_slicing, reason = "at compile time")]
        match byte as u8 {
            b'0'..=b'9' => classes[byte] = Class::Digit,
            b'a'..=b'z' | b'A'..=b'Z' | b'+' | b'/' | b'=' | b'-' | b'_' => classes[byte] = Class::Word,
            b'@' => classes[byte] = Class::At,
            b':' => classes[byte] = Class::Colon,
            _ => {}
        }
        byte += 1;
    }
    classes
};
