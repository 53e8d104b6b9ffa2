//! A text as a detector sees it, with the way back to where each byte of it stands in the original.

use std::borrow::Cow;
use std::ops::Range;

use super::{escapes, fold};

#[cfg(test)]
mod tests;

/// The text with disguises taken off. Plain ASCII is its own view and costs nothing.
pub(super) struct View<'t> {
    pub bytes: Cow<'t, [u8]>,
    /// Where in the original each byte comes from, and at the end the original's length. Empty: from the same place.
    origins: Vec<u32>,
}

impl<'t> View<'t> {
    pub fn of(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        if text.is_ascii() && !bytes.iter().fold(false, |any, byte| any | fold::is_dropped(*byte)) {
            return Self { bytes: Cow::Borrowed(bytes), origins: Vec::new() };
        }
        let (bytes, origins) = folded_with_origins(text, |at| at);
        Self { bytes: Cow::Owned(bytes), origins }
    }

    /// The same with URL, HTML and backslash escapes read, twice if need be; `None` where there are none.
    pub fn unescaped(text: &str) -> Option<View<'static>> {
        let once = escapes::read(text)?;
        let read = match escapes::read(&once.text) {
            Some(twice) => {
                escapes::Read { origins: through(&twice.origins, &once.origins), text: twice.text }
            }
            None => once,
        };
        let (bytes, origins) = folded_with_origins(&read.text, |at| origin(&read.origins, at));
        Some(View { bytes: Cow::Owned(bytes), origins })
    }

    /// The part of the original that a part of the view stands for, invisible characters behind it included.
    pub fn original(&self, part: Range<usize>) -> Range<usize> {
        if self.origins.is_empty() {
            return part;
        }
        let start = origin(&self.origins, part.start);
        let last = origin(&self.origins, part.end.saturating_sub(1));
        let end = self.origins.get(part.end..).unwrap_or_default().iter().find(|at| **at as usize > last);
        start..end.map_or_else(|| origin(&self.origins, self.bytes.len()), |at| *at as usize)
    }

    /// Whether it differs from the original.
    pub fn is_changed(&self) -> bool {
        !self.origins.is_empty()
    }
}

fn origin(origins: &[u32], at: usize) -> usize {
    origins.get(at).or(origins.last()).map_or(0, |at| *at as usize)
}

fn through(outer: &[u32], inner: &[u32]) -> Vec<u32> {
    outer.iter().map(|at| inner.get(*at as usize).or(inner.last()).copied().unwrap_or(0)).collect()
}

/// A text with its disguises taken off.
pub fn folded(text: &str) -> Vec<u8> {
    View::of(text).bytes.into_owned()
}

fn folded_with_origins(text: &str, place: impl Fn(usize) -> usize) -> (Vec<u8>, Vec<u32>) {
    let mut bytes = Vec::with_capacity(text.len());
    let mut origins = Vec::with_capacity(text.len() + 1);
    for (at, character) in text.char_indices() {
        if character.is_ascii() {
            if !fold::is_dropped(character as u8) {
                bytes.push(character as u8);
            }
        } else {
            fold::fold(character, &mut bytes);
        }
        origins.resize(bytes.len(), u32::try_from(place(at)).unwrap_or(u32::MAX));
    }
    origins.push(u32::try_from(place(text.len())).unwrap_or(u32::MAX));
    (bytes, origins)
}
