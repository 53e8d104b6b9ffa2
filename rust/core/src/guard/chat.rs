//! The texts of requests and answers of OpenAI's chat that say nothing but texts, which most do.

use std::borrow::Cow;

use crate::body::json::{Fault, Kind, Scanner, Text};

/// Whose words a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The application's: what the model is told to do.
    System,
    User,
    Assistant,
}

/// The texts of a request; `None`: it says more than texts, or asks for more, or says nothing.
pub(super) fn asked(body: &[u8]) -> Option<Vec<(Role, Cow<'_, str>)>> {
    let mut scanner = Scanner::lenient(body, 0);
    let mut texts = None;
    if !scanner.object_or_skip().ok()? {
        return None;
    }
    while let Some(key) = scanner.next_key().ok()? {
        match &*key.bytes() {
            b"messages" if texts.is_none() => texts = Some(messages(&mut scanner).ok()??),
            b"messages" | b"tools" | b"functions" | b"response_format" | b"web_search_options" => {
                return None;
            }
            _ => scanner.pass().ok()?,
        }
    }
    scanner.end().ok()?;
    texts.filter(|texts| !texts.is_empty())
}

type Asked<'b> = Option<Vec<(Role, Cow<'b, str>)>>;

fn messages<'b>(scanner: &mut Scanner<'b>) -> Result<Asked<'b>, Fault> {
    let mut texts = Vec::new();
    if scanner.kind()? != Kind::Array || !scanner.array_or_skip()? {
        return Ok(None);
    }
    while scanner.next_item()? {
        if !scanner.object_or_skip()? {
            return Ok(None);
        }
        let (mut role, mut content) = (None, None);
        while let Some(key) = scanner.next_key()? {
            match &*key.bytes() {
                b"role" if role.is_none() => role = scanner.text_or_skip()?.and_then(role_of),
                b"content" if content.is_none() => content = scanner.text_or_skip()?.and_then(read),
                _ => return Ok(None),
            }
        }
        let (Some(role), Some(content)) = (role, content) else { return Ok(None) };
        if !content.is_empty() {
            texts.push((role, content));
        }
    }
    Ok(Some(texts))
}

fn role_of(name: Text<'_>) -> Option<Role> {
    match &*name.bytes() {
        b"system" | b"developer" => Some(Role::System),
        b"user" => Some(Role::User),
        b"assistant" => Some(Role::Assistant),
        _ => None,
    }
}

fn read<'b>(text: Text<'b>) -> Option<Cow<'b, str>> {
    match text.bytes() {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

/// The texts of a whole answer; `None`: it says more than texts, or nothing.
pub(super) fn said(body: &[u8]) -> Option<Vec<Cow<'_, str>>> {
    std::str::from_utf8(body).ok()?;
    let mut scanner = Scanner::lenient(body, 0);
    let mut texts = None;
    if !scanner.object_or_skip().ok()? {
        return None;
    }
    while let Some(key) = scanner.next_key().ok()? {
        match &*key.bytes() {
            b"choices" if texts.is_none() => texts = Some(choices(&mut scanner).ok()??),
            b"choices" => return None,
            _ => scanner.pass().ok()?,
        }
    }
    scanner.end().ok()?;
    texts
}

type Said<'b> = Option<Vec<Cow<'b, str>>>;

fn choices<'b>(scanner: &mut Scanner<'b>) -> Result<Said<'b>, Fault> {
    let mut texts = Vec::new();
    let mut messages = 0;
    if scanner.kind()? != Kind::Array || !scanner.array_or_skip()? {
        return Ok(None);
    }
    while scanner.next_item()? {
        if !scanner.object_or_skip()? {
            return Ok(None);
        }
        let before = messages;
        while let Some(key) = scanner.next_key()? {
            match &*key.bytes() {
                b"message" if messages == before => match message(scanner)? {
                    Some(said) => {
                        texts.extend(said);
                        messages += 1;
                    }
                    None => return Ok(None),
                },
                b"message" => return Ok(None),
                b"index" if scanner.kind()? == Kind::Number => {
                    if !scanner.number()?.iter().all(u8::is_ascii_digit) {
                        return Ok(None);
                    }
                }
                b"index" => return Ok(None),
                _ => scanner.pass()?,
            }
        }
        if messages == before {
            return Ok(None);
        }
    }
    Ok((messages > 0).then_some(texts))
}

/// What a message says: its content and its refusal, of which there has to be one.
fn message<'b>(scanner: &mut Scanner<'b>) -> Result<Said<'b>, Fault> {
    if !scanner.object_or_skip()? {
        return Ok(None);
    }
    let (mut said, mut seen) = (Vec::new(), Vec::new());
    while let Some(key) = scanner.next_key()? {
        let name = key.bytes();
        if seen.contains(&name) {
            return Ok(None);
        }
        match (&*name, scanner.kind()?) {
            (b"role", Kind::String) => scanner.pass()?,
            (b"content" | b"refusal", Kind::Null) => scanner.pass()?,
            (b"content" | b"refusal", Kind::String) => match read(scanner.text()?) {
                Some(text) => said.push(text),
                None => return Ok(None),
            },
            (b"annotations", Kind::Array) => {
                let list = scanner.skip()?;
                if !scanner.is_blank(list.start + 1..list.end - 1) {
                    return Ok(None);
                }
            }
            _ => return Ok(None),
        }
        seen.push(name);
    }
    Ok((!said.is_empty()).then_some(said))
}
