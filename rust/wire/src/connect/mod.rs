//! How a connection to a provider is made.
//!
//! ```text
//! URI -> target -> proxy? -> resolve -> address policy -> dial -> [CONNECT] -> [TLS, ALPN] -> Conn
//! ```
//!
//! hyper-util's own connector resolves and dials in one piece, so nothing can be checked in between; this one is that
//! piece taken apart. Every candidate address must pass the policy, one that does not refuses the host (a name that
//! answers with public and private addresses alike is what rebinding looks like), and the addresses dialled are the
//! ones that were checked. Nothing of a request is sent before the TLS handshake has succeeded.

pub mod address;
mod conn;
mod dial;
mod error;
mod pins;
mod proxy;
mod resolve;
mod target;
mod tls;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Uri};
use rustls::pki_types::CertificateDer;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tower_service::Service;

pub use conn::Conn;
pub use error::ConnectError;
pub use pins::{KeyPin, NotPinned};
pub use proxy::ProxyChoice;
pub use resolve::{Lookup, ResolveError};

use address::Reach;
use conn::Stream;
use proxy::{Proxies, Proxy};
use resolve::Resolver;
use target::{Host, Scheme, Target};
use tls::{Offer, Platform, Trust};

/// How the connections of one deployment are made.
#[derive(Clone)]
pub struct Options {
    /// Limit of dialling and the TLS handshake together; the name's resolution has its own, 5 s.
    pub connect_timeout: Duration,
    /// Whether loopback, private and link-local addresses may be connected to.
    pub allow_private: bool,
    /// Whether HTTP/2 is offered inside TLS. Without TLS it is always HTTP/1.1.
    pub http2: bool,
    /// What the connections go through.
    pub proxy: ProxyChoice,
    /// Roots in PEM form that are trusted besides the platform's.
    pub ca_pem: Option<Vec<u8>>,
    /// The only keys that the provider's servers may have; with none, any that is certified. A proxy's own is free.
    pub pins: Vec<KeyPin>,
}

/// What all deployments share: the platform's roots, TLS sessions, resolved names. A clone shares it too.
#[derive(Clone)]
pub struct Shared {
    platform: Arc<Platform>,
    resolver: Resolver,
}

impl Default for Shared {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    /// Empty: roots are read and names resolved when first needed.
    #[must_use]
    pub fn new() -> Self {
        Self::with_lookup(Arc::new(resolve::system))
    }

    /// Names are looked up by `lookup` instead of the system's resolver.
    #[must_use]
    pub fn with_lookup(lookup: Arc<Lookup>) -> Self {
        Self { platform: Arc::default(), resolver: Resolver::new(lookup) }
    }
}

/// Makes the connections of one deployment, for hyper-util's client.
#[derive(Clone)]
pub struct Connector {
    inner: Arc<Inner>,
}

struct Inner {
    connect_timeout: Duration,
    allow_private: bool,
    offer: Offer,
    proxies: Proxies,
    extra_roots: Vec<CertificateDer<'static>>,
    pins: Vec<KeyPin>,
    trust: OnceCell<Trust>,
    trust_in_proxies: OnceCell<Trust>,
    shared: Shared,
}

impl Connector {
    /// A connector that follows `options`. Reads the environment's proxy variables if they are to be followed, but
    /// neither files nor the network.
    ///
    /// # Errors
    /// [`ConnectError::Proxy`] for a proxy that cannot be used, [`ConnectError::Tls`] for roots that cannot be read.
    pub fn new(options: Options, shared: &Shared) -> Result<Self, ConnectError> {
        let inner = Inner {
            connect_timeout: options.connect_timeout,
            allow_private: options.allow_private,
            offer: if options.http2 { Offer::Http2OrHttp1 } else { Offer::Http1 },
            proxies: Proxies::read(&options.proxy, |name| std::env::var(name).ok())?,
            extra_roots: options.ca_pem.map_or(Ok(Vec::new()), |pem| tls::read_roots(&pem))?,
            pins: options.pins,
            trust: OnceCell::new(),
            trust_in_proxies: OnceCell::new(),
            shared: shared.clone(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The `Proxy-Authorization` that a request to `uri` must carry. Only a plain http request through a proxy that
    /// asks for a password has one; that of a tunnel is sent when the tunnel is made, and the provider never sees it.
    #[must_use]
    pub fn proxy_authorization(&self, uri: &Uri) -> Option<HeaderValue> {
        let target = Target::parse(uri).ok().filter(|target| target.scheme == Scheme::Http)?;
        self.inner.proxies.before(&target, uri)?.authorization().cloned()
    }

    /// How long a connection may take.
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        self.inner.connect_timeout
    }
}

impl Service<Uri> for Connector {
    type Response = Conn;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Conn, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { inner.connect(&uri).await })
    }
}

impl Inner {
    async fn connect(&self, uri: &Uri) -> Result<Conn, ConnectError> {
        let target = Target::parse(uri)?;
        match self.proxies.before(&target, uri) {
            None => self.directly(&target).await,
            Some(proxy) => self.through(&proxy, &target, uri).await,
        }
    }

    async fn directly(&self, target: &Target) -> Result<Conn, ConnectError> {
        let addresses = self.addresses(target, self.reach(&target.host)).await?;
        let trust = self.trust_for(target).await?;
        self.in_time(async {
            let stream = open(&addresses).await?;
            secure(trust, stream, target, self.offer).await.map(Conn::to_provider)
        })
        .await
    }

    /// The policy holds for the target as far as it can be known here; where the proxy is, the operator has said.
    async fn through(&self, proxy: &Proxy, target: &Target, uri: &Uri) -> Result<Conn, ConnectError> {
        if let Host::Address(address) = target.host {
            address::check(address, self.reach(&target.host)).map_err(ConnectError::Address)?;
        }
        let of_proxy = |error: ConnectError| ConnectError::Proxy(Box::new(error));
        let addresses = self.addresses(&proxy.target, Reach::Named).await.map_err(of_proxy)?;
        let proxy_trust = self.trust_for_proxy(&proxy.target).await?;
        let trust = self.trust_for(target).await?;
        self.in_time(async {
            let stream = open(&addresses).await.map_err(of_proxy)?;
            let stream = secure(proxy_trust, stream, &proxy.target, Offer::Http1).await.map_err(of_proxy)?;
            if target.scheme == Scheme::Http {
                return Ok(Conn::to_proxy(stream));
            }
            let stream = proxy.tunnel(stream, uri).await?;
            secure(trust, stream, target, self.offer).await.map(Conn::to_provider)
        })
        .await
    }

    fn reach(&self, host: &Host) -> Reach {
        match host {
            _ if !self.allow_private => Reach::Public,
            Host::Name(_) => Reach::Private,
            Host::Address(_) => Reach::Named,
        }
    }

    /// The addresses of a target, every one of which passes the policy.
    async fn addresses(&self, target: &Target, reach: Reach) -> Result<Vec<SocketAddr>, ConnectError> {
        let found = match &target.host {
            Host::Address(address) => Arc::from([*address]),
            Host::Name(name) => self.shared.resolver.resolve(name).await.map_err(ConnectError::Resolve)?,
        };
        for address in found.iter() {
            address::check(*address, reach).map_err(ConnectError::Address)?;
        }
        Ok(found.iter().map(|address| SocketAddr::new(*address, target.port)).collect())
    }

    /// What is trusted for `target`; nothing is needed without TLS, and without TLS no pinned key can be shown.
    async fn trust_for(&self, target: &Target) -> Result<Option<&Trust>, ConnectError> {
        match target.scheme {
            Scheme::Http if self.pins.is_empty() => Ok(None),
            Scheme::Http => Err(ConnectError::InvalidUri("keys are pinned, and http has none".to_owned())),
            Scheme::Https => {
                let read = || self.shared.platform.trust(&self.extra_roots, &self.pins);
                self.trust.get_or_try_init(read).await.map(Some)
            }
        }
    }

    /// What is trusted for a proxy, whose key is not the provider's.
    async fn trust_for_proxy(&self, proxy: &Target) -> Result<Option<&Trust>, ConnectError> {
        match proxy.scheme {
            Scheme::Http => Ok(None),
            Scheme::Https => {
                let read = || self.shared.platform.trust(&self.extra_roots, &[]);
                self.trust_in_proxies.get_or_try_init(read).await.map(Some)
            }
        }
    }

    async fn in_time(
        &self,
        making: impl Future<Output = Result<Conn, ConnectError>>,
    ) -> Result<Conn, ConnectError> {
        timeout(self.connect_timeout, making).await.unwrap_or(Err(ConnectError::Timeout))
    }
}

async fn open(addresses: &[SocketAddr]) -> Result<Stream, ConnectError> {
    dial::dial(addresses).await.map(Stream::Tcp).map_err(ConnectError::dialling)
}

async fn secure(
    trust: Option<&Trust>,
    stream: Stream,
    to: &Target,
    offer: Offer,
) -> Result<Stream, ConnectError> {
    match trust {
        None => Ok(stream),
        Some(trust) => trust.handshake(stream, &to.host, offer).await,
    }
}

#[cfg(test)]
mod tests;
