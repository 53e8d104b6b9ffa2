//! Finds addresses of the network: IP, MAC, URLs and the credentials in them.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::email;
use super::entity::Entity;
use super::find::Hits;
use super::text::{byte_at, is_word, slice};

/// Finds the IPv4 address that begins with the digits at `start`.
pub(super) fn ipv4(bytes: &[u8], start: usize, hits: &mut Hits) {
    let before = start.checked_sub(1).map_or(0, |before| byte_at(bytes, before));
    if is_word(before) || before == b':' {
        return; // the end of an IPv6 address is found with it
    }
    let rest = slice(bytes, start..bytes.len());
    let Some(length) = dotted(rest) else { return };
    let next = byte_at(rest, length);
    if is_word(next) {
        return;
    }
    let Some(address) = text(slice(rest, 0..length)).and_then(|text| text.parse::<Ipv4Addr>().ok()) else {
        return;
    };
    let more = before == b'.' || next == b'.' && byte_at(rest, length + 1).is_ascii_digit();
    let kind = if address.is_private() || address.is_loopback() || address.is_link_local() {
        "ip-private"
    } else {
        "ip"
    };
    hits.add(Entity::Ip, kind, start..start + length, if more { 0.45 } else { 0.9 });
}

/// The length of four numbers with stops between.
fn dotted(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    for part in 0..4 {
        if part > 0 {
            if byte_at(bytes, at) != b'.' {
                return None;
            }
            at += 1;
        }
        let digits =
            slice(bytes, at..bytes.len()).iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=3).contains(&digits) {
            return None;
        }
        at += digits;
    }
    Some(at)
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Finds the IPv6 or MAC address that has the colon at `colon` as its first, and tells where it ends.
pub(super) fn colons(bytes: &[u8], colon: usize, hits: &mut Hits) -> usize {
    const LONGEST: usize = 45;
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let back = slice(bytes, colon.saturating_sub(5)..colon)
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let start = colon - back.min(4);
    let length =
        slice(bytes, start..bytes.len()).iter().take(LONGEST).take_while(|byte| is_part(byte)).count();
    let whole = slice(bytes, start..start + length);
    if whole.iter().filter(|byte| **byte == b':').count() < 2 {
        return start + length.max(1);
    }
    let glued = start > 0 && (is_word(byte_at(bytes, start - 1)) || back > 4) && back > 0;
    if is_mac(whole, b':') && !glued && !is_word(byte_at(bytes, start + 17)) {
        hits.add(Entity::Mac, "mac", start..start + 17, 0.9);
        return start + 17;
    }
    if glued {
        return start + length;
    }
    let trimmed = (2..=length).rev().find(|end| {
        text(slice(whole, 0..*end)).is_some_and(|text| text.parse::<Ipv6Addr>().is_ok())
            && !is_word(byte_at(bytes, start + end))
    });
    if let Some(end) = trimmed {
        let goes_on = matches!(slice(bytes, start + end..start + end + 2), [b':', next] if *next == b':' || next.is_ascii_hexdigit());
        if !goes_on && (end > 2 || back > 0 || byte_at(bytes, start + end) == b'/') {
            let zone = zone(slice(bytes, start + end..bytes.len()));
            let alone = if end == 2 { 0.3 } else { 0.85 };
            hits.add(Entity::Ip, "ipv6", start..start + end + zone, alone);
        }
    }
    start + length
}

/// `%eth0` behind a link-local address.
fn zone(bytes: &[u8]) -> usize {
    if byte_at(bytes, 0) != b'%' {
        return 0;
    }
    let name =
        slice(bytes, 1..bytes.len()).iter().take(16).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    if name == 0 { 0 } else { 1 + name }
}

fn is_mac(bytes: &[u8], separator: u8) -> bool {
    let Some(bytes) = bytes.get(..17) else { return false };
    let pairs = bytes.iter().enumerate().all(|(at, byte)| match at % 3 {
        2 => *byte == separator,
        _ => byte.is_ascii_hexdigit(),
    });
    pairs && !bytes.iter().all(|byte| matches!(byte, b'0' | b'f' | b'F' | b':' | b'-'))
}

/// Finds a MAC address written with dashes, or in three groups of four: its first digits are at `start`.
pub(super) fn mac(bytes: &[u8], start: usize, hits: &mut Hits) {
    let rest = slice(bytes, start..bytes.len());
    if is_mac(rest, b'-') && !is_word(byte_at(rest, 17)) && byte_at(rest, 17) != b'-' {
        hits.add(Entity::Mac, "mac", start..start + 17, 0.9);
    }
    let dotted = rest.get(..14).is_some_and(|bytes| {
        bytes
            .iter()
            .enumerate()
            .all(|(at, byte)| if at % 5 == 4 { *byte == b'.' } else { byte.is_ascii_hexdigit() })
            && bytes.iter().any(u8::is_ascii_alphabetic)
    });
    if dotted && !is_word(byte_at(rest, 14)) {
        hits.add(Entity::Mac, "mac", start..start + 14, 0.8);
    }
}

/// Finds the URL whose `://` is at `colon`, and the credentials in it.
pub(super) fn url(bytes: &[u8], colon: usize, hits: &mut Hits) {
    let scheme = slice(bytes, colon.saturating_sub(20)..colon)
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        .count();
    if scheme < 2 {
        return;
    }
    let start = colon - scheme;
    let after = colon + 3;
    let authority =
        slice(bytes, after..bytes.len()).iter().take(1024).take_while(|byte| !ends_authority(**byte)).count();
    let authority = slice(bytes, after..after + authority);
    let host = match authority.iter().rposition(|byte| *byte == b'@') {
        Some(at) => {
            credentials(slice(authority, 0..at), after, hits);
            at + 1
        }
        None => 0,
    };
    let host = slice(authority, host..authority.len());
    let name = email::domain(host).is_some()
        || dotted(host).is_some()
        || host.starts_with(b"localhost")
        || host.starts_with(b"[");
    if name {
        hits.add(Entity::Url, "url", start..url_end(bytes, after), 0.9);
    }
}

fn ends_authority(byte: u8) -> bool {
    byte.is_ascii_whitespace()
        || matches!(byte, b'/' | b'?' | b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\' | b'|')
}

fn credentials(login: &[u8], start: usize, hits: &mut Hits) {
    let Some(colon) = login.iter().position(|byte| *byte == b':') else { return };
    let password = slice(login, colon + 1..login.len());
    let stand_in = password.starts_with(b"$")
        || password.starts_with(b"{")
        || password.starts_with(b"<")
        || [&b"password"[..], b"pass", b"xxx", b"***"].contains(&password);
    if !password.is_empty() && !stand_in {
        hits.add(Entity::UrlCredentials, "url-credentials", start..start + login.len(), 1.0);
    }
}

fn url_end(bytes: &[u8], from: usize) -> usize {
    let rest = slice(bytes, from..bytes.len());
    let ends = |byte: u8| {
        byte.is_ascii_whitespace()
            || matches!(byte, b'"' | b'<' | b'>' | b'`' | b'{' | b'}' | b'|' | b'\\' | b'^')
    };
    let mut length = rest.iter().take(4096).take_while(|byte| !ends(**byte)).count();
    while length > 0
        && matches!(
            byte_at(rest, length - 1),
            b'.' | b',' | b';' | b':' | b'!' | b'?' | b')' | b']' | b'\'' | b'*'
        )
    {
        length -= 1;
    }
    from + length
}

/// Finds `www.` and the name behind it, without a scheme.
pub(super) fn www(bytes: &[u8], at: Range<usize>, hits: &mut Hits) {
    if at.start > 0
        && (is_word(byte_at(bytes, at.start - 1))
            || matches!(byte_at(bytes, at.start - 1), b'/' | b'@' | b'.'))
    {
        return;
    }
    let name = slice(bytes, at.start..bytes.len());
    if email::domain(name)
        .is_some_and(|length| slice(name, 0..length).iter().filter(|byte| **byte == b'.').count() >= 2)
    {
        hits.add(Entity::Url, "url", at.start..url_end(bytes, at.start), 0.8);
    }
}
