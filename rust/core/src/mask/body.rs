//! Hides and shows again in whole bodies of JSON, whatever dialect they are of.
//!
//! What is looked into is every string, key and long number of a body but for those that can only be structure (roles,
//! types, ids, signatures, the bytes of media): a field that nobody has heard of yet is looked into as well. JSON inside
//! a string, such as a tool's arguments, is read as JSON. Texts that follow each other are looked at across their seams
//! too, since a number may be split over messages and parts.

use std::borrow::Cow;
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

use super::entity::Entity;
use super::find::Found;
use super::session::{Masker, Session};
use super::text::{byte_at, slice};
use super::unmask::in_string;
use crate::body::json::{Scanner, Text};

#[cfg(test)]
mod tests;

/// JSON in a string of JSON in a string is read so deep.
const DEPTH: usize = 4;
/// How much of each side of a seam is looked at.
const SEAM: usize = 48;
/// What is found across a seam must be so sure.
const SURE: f32 = 0.75;
/// Shorter numbers are nobody's.
const LEAST_DIGITS: usize = 9;

/// Members whose strings are structure.
const STRUCTURE: [&[u8]; 40] = [
    b"model",
    b"role",
    b"type",
    b"id",
    b"object",
    b"tool_call_id",
    b"call_id",
    b"tool_use_id",
    b"toolUseId",
    b"item_id",
    b"signature",
    b"thought_signature",
    b"thoughtSignature",
    b"encrypted_content",
    b"encrypted_index",
    b"mime_type",
    b"mimeType",
    b"media_type",
    b"mediaType",
    b"finish_reason",
    b"stop_reason",
    b"stopReason",
    b"status",
    b"detail",
    b"effort",
    b"service_tier",
    b"previous_response_id",
    b"response_id",
    b"file_id",
    b"system_fingerprint",
    b"encoding_format",
    b"anthropic_version",
    b"format",
    b"reasoning_effort",
    b"tool_choice",
    b"verbosity",
    b"modelId",
    b"redactedContent",
    b"b64_json",
    b"created_at",
];
/// Members that hold bytes of media, where they are long.
const MEDIA: [&[u8]; 4] = [b"data", b"bytes", b"file_data", b"fileData"];
const LONG_MEDIA: usize = 256;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Key,
    Value,
    Number,
}

/// A string or number of a body.
struct Piece<'b> {
    /// With its quotes.
    span: Range<usize>,
    kind: Kind,
    text: Cow<'b, str>,
    /// The JSON that the text is.
    inner: bool,
}

/// The strings and long numbers of a body that are no structure.
fn pieces(body: &[u8], depth: usize) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut keys: Vec<&[u8]> = Vec::new();
    let mut key: &[u8] = b"";
    let mut at = 0;
    while let Some(byte) = body.get(at) {
        match byte {
            b'{' | b'[' => keys.push(key),
            b'}' | b']' => key = keys.pop().unwrap_or_default(),
            b',' => key = if keys.is_empty() { b"" } else { key },
            b'"' => {
                let end = string_end(body, at);
                let raw = slice(body, at + 1..end - 1);
                let is_key = byte_at(body, end + blanks(slice(body, end..body.len()))) == b':';
                if is_key {
                    key = raw;
                }
                if is_key || !is_structure(key, raw) {
                    let kind = if is_key { Kind::Key } else { Kind::Value };
                    let text = text(raw);
                    let inner = !is_key && depth > 0 && is_json(&text);
                    pieces.push(Piece { span: at..end, kind, text, inner });
                }
                at = end;
                continue;
            }
            b'0'..=b'9' | b'-' => {
                let number = slice(body, at..body.len());
                let end = at + number.iter().take_while(|byte| is_number(**byte)).count();
                let number = slice(body, at..end);
                if keys.len() > 1 && number.len() >= LEAST_DIGITS && number.iter().all(u8::is_ascii_digit) {
                    pieces.push(Piece {
                        span: at..end,
                        kind: Kind::Number,
                        text: text(number),
                        inner: false,
                    });
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    pieces
}

fn is_number(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E')
}

fn blanks(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// Where the string that begins at `start` ends, its quote included.
fn string_end(body: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = body.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if byte_at(body, at) == b'"' {
            return at + 1;
        }
        at += 2;
    }
    body.len()
}

fn is_structure(key: &[u8], raw: &[u8]) -> bool {
    STRUCTURE.contains(&key)
        || raw.starts_with(b"data:")
            && memchr::memmem::find(slice(raw, 0..raw.len().min(80)), b";base64,").is_some()
        || MEDIA.contains(&key) && raw.len() > LONG_MEDIA && raw.iter().all(|byte| is_base64(*byte))
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_' | b'\\')
}

fn text(raw: &[u8]) -> Cow<'_, str> {
    let read = Text::written(raw).bytes();
    // Nearly all are UTF-8, which is seen in a tenth of the time.
    match read {
        Cow::Borrowed(bytes) => {
            std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
        }
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// Whether a text is an object or an array of JSON.
fn is_json(text: &str) -> bool {
    let trimmed = text.trim_start();
    if !trimmed.starts_with(['{', '[']) {
        return false;
    }
    let mut scanner = Scanner::lenient(text.as_bytes(), 0);
    scanner.pass().is_ok() && scanner.end().is_ok()
}

impl Session {
    /// A body with what was found in it hidden; `None`: nothing was.
    ///
    /// # Arguments
    ///
    /// * `body`: JSON that has been checked.
    pub fn mask_body(&mut self, masker: &Masker, body: &[u8]) -> Option<Vec<u8>> {
        let masked = self.mask_json(masker, body, DEPTH);
        let sent = masked.as_deref().unwrap_or(body);
        if self.leak(sent).is_none() {
            return masked;
        }
        self.mask_known(sent, DEPTH).or(masked)
    }

    /// Hides what was found where its surroundings told what it is, wherever else it stands; `None`: nowhere.
    fn mask_known(&self, body: &[u8], depth: usize) -> Option<Vec<u8>> {
        let (values, names): (Vec<&str>, Vec<&str>) = self.known().unzip();
        let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(values).ok()?;
        let mut edits = Vec::new();
        for piece in pieces(body, depth) {
            let instead = match piece.inner {
                true => self
                    .mask_known(piece.text.as_bytes(), depth - 1)
                    .map(|inner| String::from_utf8_lossy(&inner).into_owned()),
                false if automaton.is_match(&*piece.text) => Some(automaton.replace_all(&piece.text, &names)),
                false => None,
            };
            edits.extend(instead.map(|text| (piece.span, text)));
        }
        rewritten(body, &edits)
    }

    fn mask_json(&mut self, masker: &Masker, body: &[u8], depth: usize) -> Option<Vec<u8>> {
        let pieces = pieces(body, depth);
        let mut found: Vec<Vec<Found>> = pieces.iter().map(|piece| self.find(masker, piece)).collect();
        across_seams(masker, &pieces, &mut found);
        let mut edits = Vec::new();
        for (piece, found) in pieces.iter().zip(&found) {
            let instead = match piece.inner {
                true => self
                    .mask_json(masker, piece.text.as_bytes(), depth - 1)
                    .map(|inner| String::from_utf8_lossy(&inner).into_owned()),
                false => self.hide(masker, &piece.text, found),
            };
            edits.extend(instead.map(|text| (piece.span.clone(), text)));
        }
        rewritten(body, &edits)
    }

    fn find(&self, masker: &Masker, piece: &Piece<'_>) -> Vec<Found> {
        if piece.inner {
            return Vec::new();
        }
        let mut found = masker.finder().find(&piece.text);
        if piece.kind == Kind::Number {
            found.retain(|found| found.place.len() == piece.text.len());
        }
        found
    }

    /// A body with this request's placeholders replaced; `None`: it has none.
    pub fn unmask_body(&self, body: &[u8]) -> Option<Vec<u8>> {
        if !self.has_placeholders() || memchr::memchr(b'_', body).is_none() {
            return None;
        }
        let mut edits = Vec::new();
        for piece in pieces_of_answer(body) {
            let shown = self.unmask(&piece.text, piece.inner);
            if shown != *piece.text {
                edits.push((piece.span, shown));
            }
        }
        rewritten(body, &edits)
    }
}

/// All strings: an answer may have a placeholder anywhere.
fn pieces_of_answer(body: &[u8]) -> Vec<Piece<'_>> {
    pieces(body, DEPTH)
        .into_iter()
        .filter(|piece| piece.kind != Kind::Number && piece.text.contains('_'))
        .collect()
}

fn rewritten(body: &[u8], edits: &[(Range<usize>, String)]) -> Option<Vec<u8>> {
    if edits.is_empty() {
        return None;
    }
    let mut written = Vec::with_capacity(body.len());
    let mut copied = 0;
    for (span, text) in edits {
        written.extend_from_slice(slice(body, copied..span.start));
        written.push(b'"');
        written.extend_from_slice(in_string(text).as_bytes());
        written.push(b'"');
        copied = span.end;
    }
    written.extend_from_slice(slice(body, copied..body.len()));
    Some(written)
}

/// Ends of texts, joined as a reader joins them.
#[derive(Default)]
struct Seams {
    joined: String,
    /// Where each part begins in `joined`, of which text it is, and where in that.
    parts: Vec<(usize, usize, usize)>,
}

impl Seams {
    fn add(&mut self, text: &str, index: usize, offset: usize) {
        self.parts.push((self.joined.len(), index, offset));
        self.joined.push_str(text);
    }

    /// What is found in the joined texts that is in more than one of them, cut into what is in each.
    fn look(&self, masker: &Masker, found: &mut [Vec<Found>]) {
        if self.parts.len() < 2 {
            return;
        }
        for across in masker.finder().find(&self.joined) {
            let cut = self.cut(&across);
            let is_new = cut.iter().all(|(index, piece)| {
                found
                    .get(*index)
                    .is_none_or(|found| !found.iter().any(|other| overlap(&other.place, &piece.place)))
            });
            if cut.len() > 1 && across.score >= SURE && across.entity != Entity::Date && is_new {
                for (index, piece) in cut {
                    if let Some(found) = found.get_mut(index) {
                        found.push(piece);
                        found.sort_by_key(|found| found.place.start);
                    }
                }
            }
        }
    }

    fn cut(&self, across: &Found) -> Vec<(usize, Found)> {
        let ends = self.parts.iter().skip(1).map(|(start, _, _)| *start).chain([self.joined.len()]);
        let parts = self.parts.iter().zip(ends).filter_map(|((start, index, offset), end)| {
            let from = across.place.start.max(*start);
            let to = across.place.end.min(end);
            let place = from.saturating_sub(*start) + offset..to.saturating_sub(*start) + offset;
            (from < to).then(|| (*index, Found { place, ..across.clone() }))
        });
        parts.collect()
    }
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

/// Whether nothing is in any text of a body that is looked into, nor across two that follow each other.
///
/// # Arguments
///
/// * `body`: JSON that has been checked.
/// * `nothing_in`: whether nothing is in a text.
pub fn nothing_in_body(body: &[u8], nothing_in: &mut impl FnMut(&str) -> bool) -> bool {
    nothing_in_json(body, DEPTH, nothing_in)
}

fn nothing_in_json(body: &[u8], depth: usize, nothing_in: &mut impl FnMut(&str) -> bool) -> bool {
    let pieces = pieces(body, depth);
    let mut clean = pieces.iter().all(|piece| match piece.inner {
        true => nothing_in_json(piece.text.as_bytes(), depth - 1, nothing_in),
        false => nothing_in(&piece.text),
    });
    if clean {
        at_seams(&pieces, |seams| clean = clean && (seams.parts.len() < 2 || nothing_in(&seams.joined)));
    }
    clean
}

fn across_seams(masker: &Masker, pieces: &[Piece<'_>], found: &mut [Vec<Found>]) {
    at_seams(pieces, |seams| seams.look(masker, found));
}

/// Shows the ends of texts that follow each other, as many at once as are short.
fn at_seams(pieces: &[Piece<'_>], mut see: impl FnMut(Seams)) {
    let mut seams = Seams::default();
    for (index, piece) in pieces.iter().enumerate() {
        if piece.kind != Kind::Value || piece.inner || piece.text.is_empty() {
            continue;
        }
        let text = piece.text.as_ref();
        if text.len() <= 2 * SEAM {
            seams.add(text, index, 0);
            continue;
        }
        let head = text.char_indices().map(|(at, _)| at).find(|at| *at >= SEAM).unwrap_or(text.len());
        let tail =
            text.char_indices().rev().map(|(at, _)| at).find(|at| text.len() - at >= SEAM).unwrap_or(0);
        seams.add(text.get(..head).unwrap_or_default(), index, 0);
        see(std::mem::take(&mut seams));
        seams.add(text.get(tail..).unwrap_or_default(), index, tail);
    }
    see(seams);
}
