//! Where a URI points: scheme, host and port, read once and strictly.
//!
//! A resolver reads `0x7f.1`, `2130706433` and `0177.0.0.1` as addresses; a parser that takes them for names lets them
//! past a check of literals. Here a host that ends in a number is a canonical dotted quad or is refused, and a name
//! holds only what names hold, so both always read the same thing.

use std::net::{IpAddr, Ipv6Addr};

use http::Uri;

use super::ConnectError;

/// The longest name that DNS can carry, as text.
const NAME_BYTES: usize = 253;
const LABEL_BYTES: usize = 63;

/// The far end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub host: Host,
    pub port: u16,
    pub scheme: Scheme,
}

/// A host, as the URI names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    Address(IpAddr),
    /// Lower-case; perhaps with the dot at its end that keeps search domains away.
    Name(String),
}

/// The schemes that are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Target {
    /// Reads the target of a URI.
    pub fn parse(uri: &Uri) -> Result<Self, ConnectError> {
        let invalid = |reason: &str| ConnectError::InvalidUri(reason.to_owned());
        let (scheme, default_port) = match uri.scheme_str() {
            Some("https") => (Scheme::Https, 443),
            Some("http") => (Scheme::Http, 80),
            _ => return Err(invalid("the scheme is neither https nor http")),
        };
        let authority = uri.authority().ok_or_else(|| invalid("no host"))?;
        // `http` finds a host in more than it should; nothing but a port may stand beside it.
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => default_port,
            Some(rest) => read_port(rest).ok_or_else(|| invalid("the port is no port"))?,
            None => return Err(invalid("credentials before the host")),
        };
        Ok(Self { host: Host::parse(authority.host())?, port, scheme })
    }
}

fn read_port(text: &str) -> Option<u16> {
    let digits = text.strip_prefix(':').filter(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().filter(|&port| port != 0)
}

impl Host {
    fn parse(text: &str) -> Result<Self, ConnectError> {
        if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let address = inner.parse::<Ipv6Addr>();
            return address.map(|address| Self::Address(address.into())).map_err(|_| unreadable(text));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Address(address));
        }
        let labels = text.strip_suffix('.').unwrap_or(text);
        let is_name = labels.len() <= NAME_BYTES && labels.split('.').all(is_label);
        if !is_name || labels.rsplit('.').next().is_some_and(is_number) {
            return Err(unreadable(text));
        }
        Ok(Self::Name(text.to_ascii_lowercase()))
    }

    /// Whether this is the machine itself, by address or by the name that RFC 6761 sets aside.
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Address(address) => address.is_loopback(),
            Self::Name(name) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                name == "localhost" || name.ends_with(".localhost")
            }
        }
    }
}

fn unreadable(host: &str) -> ConnectError {
    ConnectError::InvalidUri(format!("the host {host:?} is neither a name nor an address in its usual form"))
}

fn is_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=LABEL_BYTES).contains(&label.len()) && label.bytes().all(allowed)
}

/// Whether a resolver may take a label for a number: decimal, octal or hexadecimal.
fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    match hex {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests;
