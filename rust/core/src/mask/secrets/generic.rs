//! Values that their own text calls a secret.

use std::ops::Range;

use super::super::entity::Entity;
use super::super::find::Hits;
use super::super::text::{byte_at, is_word, slice};
use super::shape::entropy;
use super::table::GENERIC;

/// What the automaton looks for; [`GENERIC`] decides.
pub(super) const STEMS: [&str; 10] = [
    "key",
    "token",
    "secret",
    "passw",
    "pwd",
    "passphrase",
    "credential",
    "creds",
    "authorization",
    "passcode",
];
/// Names that end like a secret's and are none.
const HARMLESS: [&str; 12] = [
    "csrf",
    "xsrf",
    "public",
    "nextpage",
    "pagetoken",
    "continuation",
    "nexttoken",
    "synctoken",
    "cancellation",
    "idempotency",
    "foreignkey",
    "maxtoken",
];
const PASSWORDS: [&str; 5] = ["password", "passwd", "pwd", "passphrase", "passcode"];
const LONGEST_NAME: usize = 60;
const LONGEST_VALUE: usize = 4096;
const LONGEST_PASSWORD: usize = 256;
const STAND_INS: [&str; 14] = [
    "example",
    "changeme",
    "change_me",
    "your",
    "placeholder",
    "redacted",
    "dummy",
    "insert",
    "todo",
    "xxxx",
    "....",
    "****",
    "none",
    "undefined",
];

/// Where the value starts that is given to the name which ends at `end`, or has up to 24 bytes more.
///
/// `name = value`, `name: "value"`, `"name" => value`, `name is value`.
pub(super) fn value_after(bytes: &[u8], end: usize) -> Option<usize> {
    const MORE: usize = 24;
    let rest = slice(bytes, end..bytes.len());
    for at in 0..=MORE {
        let closed =
            at + count(rest, at, 3, |byte| matches!(byte, b'\'' | b'"' | b'`' | b' ' | b'\t' | b']' | b')'));
        if let Some(value) =
            said(rest, at).map(|length| at + length).or(operator(rest, closed).map(|n| closed + n))
        {
            let opened = count(rest, value, 6, |byte| {
                matches!(byte, b'\'' | b'"' | b'`' | b'\n' | b'(' | b'[') || is_gap(byte)
            });
            return Some(end + value + opened);
        }
        let next = byte_at(rest, at);
        if !is_word(next) && !matches!(next, b' ' | b'\t' | b'.' | b'-') {
            break;
        }
    }
    None
}

fn is_gap(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'=')
}

/// The length of the operator here.
fn operator(rest: &[u8], at: usize) -> Option<usize> {
    const KNOWN: [&[u8]; 9] = [b":::=", b":=", b"=>", b"==", b"||", b"?=", b"=", b":", b">"];
    let here = slice(rest, at..rest.len());
    KNOWN.iter().find(|operator| here.starts_with(operator)).map(|operator| operator.len())
}

/// The length of what says it in a sentence.
fn said(rest: &[u8], at: usize) -> Option<usize> {
    const KNOWN: [&[u8]; 8] = [b" is: ", b" is ", b" was ", b" to ", b" ist ", b" est ", b" es ", b" -> "];
    let here = slice(rest, at..rest.len());
    KNOWN.iter().find(|word| here.starts_with(word)).map(|word| word.len())
}

fn count(rest: &[u8], from: usize, most: usize, is: impl Fn(u8) -> bool) -> usize {
    rest.iter().skip(from).take(most).take_while(|byte| is(**byte)).count()
}

/// Finds the value of the name of which `stem` is a part.
pub(super) fn find(bytes: &[u8], stem: Range<usize>, hits: &mut Hits) {
    let start = stem.start - bytes_of_name(slice(bytes, 0..stem.start).iter().rev());
    let end = stem.end + bytes_of_name(slice(bytes, stem.end..bytes.len()).iter());
    let name: String = slice(bytes, start..end)
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .map(|byte| char::from(byte.to_ascii_lowercase()))
        .collect();
    if !GENERIC.iter().any(|word| name.ends_with(word)) || HARMLESS.iter().any(|word| name.contains(word)) {
        return;
    }
    let is_password = PASSWORDS.iter().any(|word| name.ends_with(word));
    let Some(at) = value_after(bytes, end) else { return };
    let at = at + scheme(slice(bytes, at..bytes.len()));
    let value = at..at + value_length(bytes, at, is_password);
    if is_secret(slice(bytes, value.clone()), is_password) {
        hits.add(Entity::Secret, "generic-secret", value, 0.7);
    }
}

fn bytes_of_name<'a>(bytes: impl Iterator<Item = &'a u8>) -> usize {
    bytes.take(LONGEST_NAME).take_while(|byte| is_word(**byte) || matches!(byte, b'-' | b'.')).count()
}

/// `Bearer ` and the like before the value of an `Authorization` header.
fn scheme(value: &[u8]) -> usize {
    let known: [&[u8]; 4] = [b"basic ", b"bearer ", b"token ", b"apikey "];
    let starts = |word: &&[u8]| slice(value, 0..word.len()).eq_ignore_ascii_case(word);
    known.iter().find(|word| starts(word)).map_or(0, |word| word.len())
}

/// How long the value is that begins at `at`: up to the quote that it began with, or as far as it may go without.
fn value_length(bytes: &[u8], at: usize, is_password: bool) -> usize {
    let longest = if is_password { LONGEST_PASSWORD } else { LONGEST_VALUE };
    let value = slice(bytes, at..bytes.len().min(at + longest));
    let opened = at.checked_sub(1).map(|before| byte_at(bytes, before)).filter(|byte| b"\"'`".contains(byte));
    let line = value.iter().take_while(|byte| !matches!(byte, b'\n' | b'\r'));
    if let Some(length) = opened.and_then(|quote| line.clone().position(|byte| *byte == quote)) {
        return length;
    }
    let ends = |byte: u8| match is_password {
        true => byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b';' | b',' | b'<'),
        false => !(byte.is_ascii_alphanumeric() || b"_-=~@.+/:".contains(&byte)),
    };
    let length = line.take_while(|byte| !ends(**byte)).count();
    let value = slice(value, 0..length);
    length - value.iter().rev().take_while(|byte| matches!(byte, b'.' | b',' | b')' | b'?' | b'!')).count()
}

fn is_secret(value: &[u8], is_password: bool) -> bool {
    let has = |is: fn(&u8) -> bool| value.iter().any(is);
    let lower = String::from_utf8_lossy(value).to_ascii_lowercase();
    let is_stand_in = matches!(value.first(), Some(b'$' | b'{' | b'<' | b'%' | b'[' | b'('))
        || STAND_INS.iter().any(|word| lower.contains(word));
    let mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic);
    if is_stand_in || value.iter().any(|byte| matches!(byte, b'(' | b' ')) || lower.starts_with("http") {
        return false;
    }
    if is_password {
        let rest = value.iter().rev().take_while(|byte| b":|/".contains(byte)).count();
        let value = slice(value, 0..value.len() - rest);
        if PASSWORDS.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(value)) {
            return false; // a form that names its field twice
        }
        let special =
            value.iter().any(|byte| byte.is_ascii_punctuation() && !matches!(byte, b'_' | b'-' | b'.'));
        return value.len() >= 6 && (mixed || special) && entropy(value) >= 2.0;
    }
    let calls = value.contains(&b'.') && !has(u8::is_ascii_digit);
    value.len() >= 10 && mixed && !calls && !is_uuid(value) && entropy(value) >= 2.75
}

/// An identifier, unless it is called a secret by a provider that uses them as such.
fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36 && value.iter().filter(|byte| **byte == b'-').count() == 4
}

/// Finds `user:password` after `-u` in a curl command; `from` is behind its name.
pub(super) fn curl(bytes: &[u8], from: usize, hits: &mut Hits) {
    const LONGEST_COMMAND: usize = 600;
    let command = slice(bytes, from..bytes.len().min(from + LONGEST_COMMAND));
    const FLAGS: [&[u8]; 2] = [b"-u", b"--user"];
    let Some((at, flag)) = FLAGS.iter().find_map(|flag| Some((option(command, flag)?, flag))) else { return };
    let mut start = at + flag.len();
    start += count(command, start, 6, |byte| matches!(byte, b' ' | b'=' | b'\t'));
    let quote = byte_at(command, start);
    let quoted = matches!(quote, b'"' | b'\'');
    start += usize::from(quoted);
    let value = slice(command, start..command.len());
    let length = value
        .iter()
        .take_while(|byte| if quoted { **byte != quote } else { !byte.is_ascii_whitespace() })
        .count();
    let Some(colon) = slice(value, 0..length).iter().position(|byte| *byte == b':') else { return };
    let (user, password) = (slice(value, 0..colon), slice(value, colon + 1..length));
    let plain = password.iter().all(u8::is_ascii_alphabetic) && password.len() < 10;
    let stands_in = slice(value, 0..length).contains(&b'$') || value.starts_with(b"{{");
    if user.len() >= 3 && password.len() >= 4 && !plain && !stands_in {
        hits.add(Entity::Secret, "curl-auth-user", from + start..from + start + length, 0.9);
    }
}

/// Where an option of a command stands: after a space, with a space, a quote or `=` behind it.
fn option(command: &[u8], flag: &[u8]) -> Option<usize> {
    memchr::memmem::find_iter(command, flag).find(|at| {
        let before = at.checked_sub(1).map_or(b' ', |before| byte_at(command, before));
        before.is_ascii_whitespace()
            && matches!(byte_at(command, at + flag.len()), b' ' | b'=' | b'\'' | b'"' | b'\t')
    })
}
