//! Pinned keys: the only ones that a server may have, however well certified others are.
//!
//! A pin is what HPKP (RFC 7469) and curl's `--pinnedpubkey` call one: the SHA-256 of a SubjectPublicKeyInfo. It is that
//! of the server's own key and of no authority's, for an authority signs for others as well; and of the key, not of the
//! certificate, which may so be renewed. Pins are asked for besides everything else that makes a certificate good, and
//! within the handshake: one that fails leaves no session to resume, which would not be verified again.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

/// The SHA-256 of a SubjectPublicKeyInfo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPin(pub [u8; 32]);

impl KeyPin {
    /// That of the key in a certificate, which is in DER form.
    ///
    /// # Errors
    /// It cannot be read as a certificate.
    pub fn of(certificate: &[u8]) -> Result<Self, Error> {
        let certificate = CertificateDer::from(certificate);
        let key = ParsedCertificate::try_from(&certificate)?.subject_public_key_info();
        Ok(Self(digest(&SHA256, &key).as_ref().try_into().unwrap_or_default()))
    }
}

impl fmt::Display for KeyPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256/{}", STANDARD.encode(self.0))
    }
}

/// The key of a server, which is not pinned.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the server's key is not pinned: it is {0}")]
pub struct NotPinned(pub KeyPin);

impl NotPinned {
    /// The reason why a handshake failed, if it is this one.
    pub(super) fn within(error: &Error) -> Option<Self> {
        match error {
            Error::InvalidCertificate(CertificateError::Other(OtherError(reason))) => {
                reason.downcast_ref().copied()
            }
            _ => None,
        }
    }
}

/// Takes a certificate that is good as such, if its key is one of these.
#[derive(Debug)]
pub(super) struct PinnedVerifier {
    usual: Arc<WebPkiServerVerifier>,
    pins: Vec<KeyPin>,
}

impl PinnedVerifier {
    pub fn new(usual: Arc<WebPkiServerVerifier>, pins: &[KeyPin]) -> Self {
        Self { usual, pins: pins.to_vec() }
    }
}

impl ServerCertVerifier for PinnedVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        let presented = KeyPin::of(end_entity)?;
        if self.pins.contains(&presented) {
            return Ok(verified);
        }
        Err(CertificateError::Other(OtherError(Arc::new(NotPinned(presented)))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests;
