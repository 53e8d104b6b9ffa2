//! The other side: servers on loopback that remember what they were sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{HandshakeKind, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::TlsAcceptor;

/// A certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: Vec<u8>,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem().into_bytes();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A server's settings, with a certificate for these names or addresses.
    pub fn server(&self, names: &[&str]) -> ServerConfig {
        self.server_with(names, |_| {})
    }

    /// As [`Self::server`], with the certificate changed before it is signed.
    pub fn server_with(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> ServerConfig {
        let mut params = certificate(names);
        change(&mut params);
        self.certified(&params, &KeyPair::generate().unwrap(), rustls::ALL_VERSIONS)
    }

    /// As [`Self::server`], with this key.
    pub fn server_of(&self, key: &KeyPair, names: &[&str]) -> ServerConfig {
        self.certified(&certificate(names), key, rustls::ALL_VERSIONS)
    }

    /// As [`Self::server`], speaking only one version of TLS.
    pub fn server_speaking(
        &self,
        names: &[&str],
        version: &'static SupportedProtocolVersion,
    ) -> ServerConfig {
        self.server_of_speaking(&KeyPair::generate().unwrap(), names, version)
    }

    /// As [`Self::server_of`], speaking only one version of TLS.
    pub fn server_of_speaking(
        &self,
        key: &KeyPair,
        names: &[&str],
        version: &'static SupportedProtocolVersion,
    ) -> ServerConfig {
        self.certified(&certificate(names), key, &[version])
    }

    fn certified(
        &self,
        params: &CertificateParams,
        key: &KeyPair,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ServerConfig {
        let signed = params.signed_by(key, &self.issuer).unwrap();
        configure(signed.der().clone(), key, versions)
    }
}

/// A server that has signed its own certificate.
pub fn self_signed(names: &[&str]) -> ServerConfig {
    self_signed_by(&KeyPair::generate().unwrap(), names)
}

/// As [`self_signed`], with this key.
pub fn self_signed_by(key: &KeyPair, names: &[&str]) -> ServerConfig {
    let signed = certificate(names).self_signed(key).unwrap();
    configure(signed.der().clone(), key, rustls::ALL_VERSIONS)
}

fn certificate(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
}

fn configure(
    certificate: CertificateDer<'static>,
    key: &KeyPair,
    versions: &[&'static SupportedProtocolVersion],
) -> ServerConfig {
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())
        .unwrap()
}

/// What a server has seen.
#[derive(Default, Clone)]
pub struct Seen {
    /// Connections accepted.
    pub connections: usize,
    /// Every TLS handshake that succeeded, and the name that was asked for.
    pub handshakes: Vec<(HandshakeKind, Option<String>)>,
    /// TLS handshakes that failed.
    pub failed_handshakes: usize,
    /// Bytes of the application.
    pub received: Vec<u8>,
}

/// A server.
pub struct Peer {
    pub address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Peer {
    /// A server of plain HTTP.
    pub async fn plain() -> Self {
        Self::listening(TcpListener::bind("127.0.0.1:0").await.unwrap(), None)
    }

    /// A server of HTTP in TLS.
    pub async fn tls(config: ServerConfig) -> Self {
        Self::listening(TcpListener::bind("127.0.0.1:0").await.unwrap(), Some(config))
    }

    /// A server on a listener of its own.
    pub fn listening(listener: TcpListener, config: Option<ServerConfig>) -> Self {
        let peer = Self { address: listener.local_addr().unwrap(), seen: Arc::default() };
        let acceptor = config.map(|config| TlsAcceptor::from(Arc::new(config)));
        let seen = Arc::clone(&peer.seen);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                seen.lock().unwrap().connections += 1;
                let (acceptor, seen) = (acceptor.clone(), Arc::clone(&seen));
                tokio::spawn(async move {
                    let Some(acceptor) = acceptor else { return answer(stream, &seen).await };
                    match acceptor.accept(stream).await {
                        Err(_) => seen.lock().unwrap().failed_handshakes += 1,
                        Ok(stream) => {
                            let state = stream.get_ref().1;
                            let name = state.server_name().map(str::to_owned);
                            seen.lock().unwrap().handshakes.push((state.handshake_kind().unwrap(), name));
                            answer(stream, &seen).await;
                        }
                    }
                });
            }
        });
        peer
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    /// What was sent to it, as text.
    pub fn received(&self) -> String {
        String::from_utf8_lossy(&self.seen().received).into_owned()
    }

    /// Waits until something holds, which it will.
    pub async fn until(&self, holds: impl Fn(&Seen) -> bool) {
        while !holds(&self.seen()) {
            tokio::task::yield_now().await;
        }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

/// Answers each request that comes with the two bytes `ok`.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, seen: &Mutex<Seen>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        seen.lock().unwrap().received.extend_from_slice(&buffer[..length]);
        if buffer[..length].ends_with(b"}") {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        }
    }
}

/// A server that sends `reply` once something has come, and then reads until the other side hangs up. Gives its address
/// and all that came.
pub async fn replying(reply: &'static [u8]) -> (SocketAddr, tokio::task::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut received = vec![0; 16 * 1024];
        let length = stream.read(&mut received).await.unwrap();
        received.truncate(length);
        stream.write_all(reply).await.unwrap();
        // An error is as good as an end here: the other side may reset.
        let _ = stream.read_to_end(&mut received).await;
        received
    });
    (address, task)
}

/// An address whose port is taken, but where nobody listens.
pub fn refusing(host: &str) -> (SocketAddr, TcpSocket) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{host}:0").parse().unwrap()).unwrap();
    (socket.local_addr().unwrap(), socket)
}

/// A listener that drops what arrives: its backlog is full, and nobody accepts. Whatever comes with it keeps it so.
pub async fn black_hole(address: SocketAddr) -> (SocketAddr, impl Sized) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(address).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    loop {
        let connecting = tokio::net::TcpStream::connect(address);
        match tokio::time::timeout(std::time::Duration::from_millis(200), connecting).await {
            Ok(stream) => queued.push(stream.unwrap()),
            Err(_) => return (address, (listener, queued)),
        }
    }
}
