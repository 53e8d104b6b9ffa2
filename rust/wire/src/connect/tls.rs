//! TLS: whom to trust, and the handshake.
//!
//! There is no way to turn verification off. The platform's roots are read once, when the first https connection is
//! made (it takes 10 to 30 ms), and are shared with their session cache by every provider that adds none of its own.
//! One that does, or pins keys, has its own settings and its own cache: a resumed session is not verified again, so it
//! must not be found by someone who trusts fewer roots or keys.

use std::io;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

use super::ConnectError;
use super::conn::Stream;
use super::pins::{KeyPin, NotPinned, PinnedVerifier};
use super::target::Host;

/// The protocols that are offered inside TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    Http1,
    Http2OrHttp1,
}

/// Settings for one set of roots and pins; a clone shares its session cache.
#[derive(Clone)]
pub(super) struct Trust {
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

/// The platform's roots, once they are read.
#[derive(Default)]
pub(super) struct Platform {
    pub(super) read: OnceCell<(Arc<RootCertStore>, Trust)>,
}

impl Platform {
    /// Trust in the platform's roots, and in `extra` ones; with `pins`, in servers with one of these keys alone.
    pub async fn trust(
        &self,
        extra: &[CertificateDer<'static>],
        pins: &[KeyPin],
    ) -> Result<Trust, ConnectError> {
        let read = self.read.get_or_try_init(read_platform).await;
        match (read, extra) {
            (Ok((_, trust)), []) if pins.is_empty() => Ok(trust.clone()),
            (Err(error), []) => Err(error),
            (read, extra) => {
                let mut roots =
                    read.map_or_else(|_| RootCertStore::empty(), |(roots, _)| RootCertStore::clone(roots));
                roots.add_parsable_certificates(extra.iter().cloned());
                Trust::new(Arc::new(roots), pins)
            }
        }
    }
}

async fn read_platform() -> Result<(Arc<RootCertStore>, Trust), ConnectError> {
    let read = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs);
    let found = read.await.map_err(|error| ConnectError::Tls(io::Error::other(error)))?;
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let reason =
            "this machine has no root certificates: install ca-certificates, or set SSL_CERT_FILE or ca_file";
        return Err(ConnectError::Tls(io::Error::other(reason)));
    }
    let roots = Arc::new(roots);
    Trust::new(Arc::clone(&roots), &[]).map(|trust| (roots, trust))
}

impl Trust {
    pub fn new(roots: Arc<RootCertStore>, pins: &[KeyPin]) -> Result<Self, ConnectError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let usual = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
        let usual = usual.map_err(|error| ConnectError::Tls(io::Error::other(error)))?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(ConnectError::tls)?;
        let config = match pins {
            [] => config.with_webpki_verifier(usual),
            // Nothing is dangerous about it: it asks for all that the usual one does, and more.
            _ => config
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(PinnedVerifier::new(usual, pins))),
        };
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut http2 = config.clone();
        http2.alpn_protocols.insert(0, b"h2".to_vec());
        Ok(Self { http1: Arc::new(config), http2: Arc::new(http2) })
    }

    /// Makes `stream` a TLS stream to `host`, whose certificate must name it.
    pub async fn handshake(&self, stream: Stream, host: &Host, offer: Offer) -> Result<Stream, ConnectError> {
        let name = match host {
            Host::Address(address) => ServerName::from(*address),
            Host::Name(name) => ServerName::try_from(name.clone())
                .map_err(|error| ConnectError::Tls(io::Error::new(io::ErrorKind::InvalidInput, error)))?,
        };
        let config = match offer {
            Offer::Http1 => &self.http1,
            Offer::Http2OrHttp1 => &self.http2,
        };
        let connecting = TlsConnector::from(Arc::clone(config)).connect(name, stream);
        connecting.await.map(|stream| Stream::Tls(Box::new(stream))).map_err(failed)
    }
}

/// What a handshake failed of.
fn failed(error: io::Error) -> ConnectError {
    let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref());
    of_tls.and_then(NotPinned::within).map_or_else(|| ConnectError::Tls(error), ConnectError::NotPinned)
}

/// The certificates of a PEM file, each fit to be a root; at least one.
pub(super) fn read_roots(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let unreadable = |error: &dyn std::fmt::Display| {
        ConnectError::Tls(io::Error::new(io::ErrorKind::InvalidData, format!("the extra roots: {error}")))
    };
    let found =
        CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|e| unreadable(&e))?;
    let mut probe = RootCertStore::empty();
    for certificate in &found {
        probe.add(certificate.clone()).map_err(|error| unreadable(&error))?;
    }
    if found.is_empty() { Err(unreadable(&"no certificate in PEM form")) } else { Ok(found) }
}
