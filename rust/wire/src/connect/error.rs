//! Why no connection was made. In every case no byte of the request has left.

use std::error::Error;
use std::io;

use super::address::Refusal;
use super::pins::NotPinned;
use super::resolve::ResolveError;

/// A connection that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URI names no host that is spoken to.
    #[error("the URL cannot be used: {0}")]
    InvalidUri(String),
    /// The address policy refuses; the text names the rule.
    #[error("refused by the address policy: {0}")]
    Address(#[source] Refusal),
    /// The host's name has no address.
    #[error("the name cannot be resolved: {0}")]
    Resolve(#[source] ResolveError),
    /// The network says no: refused, unreachable or reset.
    #[error("no connection: {0}")]
    Refused(#[source] io::Error),
    /// Connecting, with the TLS handshake, took longer than the timeout.
    #[error("connecting took too long")]
    Timeout,
    /// The certificate or the handshake is bad, or there are no roots to check with.
    #[error("TLS: {0}")]
    Tls(#[source] io::Error),
    /// The certificate is good, and its key none of those that are pinned.
    #[error("TLS: {0}")]
    NotPinned(#[source] NotPinned),
    /// The proxy cannot be used, or will not tunnel.
    #[error("proxy: {0}")]
    Proxy(#[source] Box<dyn Error + Send + Sync>),
}

impl ConnectError {
    /// The connect error among the causes of `error`, if there is one.
    #[must_use]
    pub fn within<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(current) = next {
            if let Some(found) = current.downcast_ref() {
                return Some(found);
            }
            next = current.source();
        }
        None
    }

    /// What the network said while dialling.
    pub(super) fn dialling(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::Timeout,
            _ => Self::Refused(error),
        }
    }

    pub(super) fn tls(error: rustls::Error) -> Self {
        Self::Tls(io::Error::new(io::ErrorKind::InvalidData, error))
    }
}
