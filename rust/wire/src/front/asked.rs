//! Heads of requests: which are plain, and what they say.

use std::mem::MaybeUninit;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

#[cfg(test)]
mod tests;

/// More is for the server behind to count.
const MOST_FIELDS: usize = 128;
const MOST_LENGTH_DIGITS: usize = 15;
const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// Whatever says one of these is for the server behind.
const SPEAKING: [&str; 5] = ["expect", "http2-settings", "te", "trailer", "upgrade"];

/// The head of a plain request.
#[derive(Debug, Clone)]
pub struct Head {
    text: Bytes,
    method: Range<usize>,
    path: Range<usize>,
    query: Range<usize>,
    fields: Vec<(Range<usize>, Range<usize>)>,
    /// Of the body.
    pub length: usize,
}

impl Head {
    /// Takes a head from the front of what has come, if it is admitted. `None`: it is not, is not plain, or not there as
    /// a whole, and nothing has been taken.
    pub fn take<T>(
        buffer: &mut BytesMut,
        most_bytes: usize,
        admits: impl FnOnce(&Self) -> Option<T>,
    ) -> Option<(Self, T)> {
        let (size, mut head) = read(buffer)?;
        if size > most_bytes {
            return None;
        }
        let mut text = buffer.split_to(size);
        for (name, _) in &head.fields {
            if let Some(name) = text.get_mut(name.clone()) {
                name.make_ascii_lowercase();
            }
        }
        head.text = text.freeze();
        let Some(admitted) = admits(&head) else {
            // Names mean the same in lower case.
            let mut whole = BytesMut::from(head.text.as_ref());
            whole.unsplit(std::mem::take(buffer));
            *buffer = whole;
            return None;
        };
        Some((head, admitted))
    }

    pub fn method(&self) -> &str {
        self.at(&self.method)
    }

    pub fn path(&self) -> &str {
        self.at(&self.path)
    }

    pub fn query(&self) -> &str {
        self.at(&self.query)
    }

    /// Names, in lower case, and values.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (self.at(name), self.at(value)))
    }

    fn at(&self, place: &Range<usize>) -> &str {
        self.text.get(place.clone()).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

/// Reads a head where it stands; its text is empty as yet.
fn read(bytes: &[u8]) -> Option<(usize, Head)> {
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    let size = match request.parse_with_uninit_headers(bytes, &mut fields).ok()? {
        httparse::Status::Complete(size) => size,
        httparse::Status::Partial => return None,
    };
    let (method, target) = (request.method?, request.path?);
    let is_plain = request.version == Some(1) && METHODS.contains(&method) && target.starts_with('/');
    if !is_plain || !target.is_ascii() || target.contains('#') {
        return None;
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if path.contains('%') {
        return None;
    }
    let length = length_of(request.headers)?;
    let at = |part: &[u8]| place(bytes, part);
    let fields = request.headers.iter();
    let head = Head {
        text: Bytes::new(),
        method: at(method.as_bytes())?,
        path: at(path.as_bytes())?,
        query: if query.is_empty() { 0..0 } else { at(query.as_bytes())? },
        fields: fields
            .map(|field| Some((at(field.name.as_bytes())?, at(field.value)?)))
            .collect::<Option<_>>()?,
        length,
    };
    Some((size, head))
}

/// Where a part of what was read stands in it.
fn place(whole: &[u8], part: &[u8]) -> Option<Range<usize>> {
    if part.is_empty() {
        return Some(0..0);
    }
    let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    (start + part.len() <= whole.len()).then_some(start..start + part.len())
}

/// The length of the body. `None`: the head says more than a plain one, or what it says is not in order.
fn length_of(fields: &[httparse::Header<'_>]) -> Option<usize> {
    let (mut length, mut hosts) = (None, 0);
    for field in fields {
        let (name, value) = (field.name, field.value);
        if !value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) {
            return None;
        }
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if is("host") {
            hosts += 1;
        } else if is("content-length") {
            let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
            if length.is_some() || !digits || value.len() > MOST_LENGTH_DIGITS {
                return None;
            }
            length = Some(std::str::from_utf8(value).ok()?.parse().ok()?);
        } else if is("connection") {
            if !value.eq_ignore_ascii_case(b"keep-alive") {
                return None;
            }
        } else if is("transfer-encoding") || SPEAKING.iter().any(|name| is(name)) {
            return None;
        }
    }
    (hosts == 1).then_some(length.unwrap_or(0))
}
