//! Which proxy stands before a target, and the tunnel through it.
//!
//! The environment's variables are read as curl reads them: lower case first, and `HTTP_PROXY` is not believed where
//! `REQUEST_METHOD` is set, for there a client's `Proxy:` header may have written it. A proxy that cannot be used is an
//! error, never a reason to go direct: whoever set it meant it. Only this machine itself is always reached without.

use std::future::{self, Ready};
use std::io;
use std::task::{Context, Poll};

use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use tower_service::Service;

use super::ConnectError;
use super::conn::Stream;
use super::target::Target;

/// Where a provider's connections go through.
#[derive(Clone, PartialEq, Eq)]
pub enum ProxyChoice {
    /// What `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say, in either case.
    Environment,
    /// No proxy.
    None,
    /// This proxy, for every target. User and password may stand before the host.
    Url(String),
}

/// The rules of one provider.
#[derive(Debug)]
pub(super) struct Proxies {
    matcher: Matcher,
    spares_loopback: bool,
}

/// The proxy before one target.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    pub target: Target,
    uri: Uri,
    authorization: Option<HeaderValue>,
}

impl Proxies {
    /// Reads the rules; `variable` reads one of the environment's.
    pub fn read(
        choice: &ProxyChoice,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConnectError> {
        match choice {
            ProxyChoice::None => Ok(Self { matcher: Matcher::builder().build(), spares_loopback: false }),
            ProxyChoice::Url(url) => {
                usable("the proxy's URL", url)?;
                Ok(Self { matcher: Matcher::builder().all(url).build(), spares_loopback: false })
            }
            ProxyChoice::Environment => Self::from_environment(variable),
        }
    }

    fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConnectError> {
        let first = |names: [&'static str; 2]| {
            names
                .into_iter()
                .find_map(|name| variable(name).filter(|value| !value.is_empty()).map(|value| (name, value)))
        };
        let http = match variable("REQUEST_METHOD") {
            None => first(["http_proxy", "HTTP_PROXY"]),
            Some(_) => first(["http_proxy", "http_proxy"]),
        };
        let all = first(["all_proxy", "ALL_PROXY"]);
        let https = first(["https_proxy", "HTTPS_PROXY"]).or_else(|| all.clone());
        let http = http.or(all);
        let mut builder = Matcher::builder();
        if let Some((name, url)) = https {
            usable(name, &url)?;
            builder = builder.https(url);
        }
        if let Some((name, url)) = http {
            usable(name, &url)?;
            builder = builder.http(url);
        }
        if let Some((_, exceptions)) = first(["no_proxy", "NO_PROXY"]) {
            builder = builder.no(exceptions);
        }
        Ok(Self { matcher: builder.build(), spares_loopback: true })
    }

    /// The proxy before `target`, if one is.
    pub fn before(&self, target: &Target, uri: &Uri) -> Option<Proxy> {
        if self.spares_loopback && target.host.is_loopback() {
            return None;
        }
        self.matcher.intercept(uri).and_then(|found| Proxy::new(&found).ok())
    }
}

/// Checks a proxy's URL without repeating it: it may hold a password.
fn usable(name: &str, url: &str) -> Result<(), ConnectError> {
    let unusable = |reason: &str| ConnectError::Proxy(format!("{name} {reason}").into());
    let probe = Uri::from_static("https://provider.invalid");
    let found = Matcher::builder().all(url).build().intercept(&probe);
    let found = found.ok_or_else(|| unusable("is not the URL of a proxy"))?;
    if !matches!(found.uri().scheme_str(), Some("http" | "https")) {
        return Err(unusable("is not the URL of an http or https proxy"));
    }
    Proxy::new(&found).map(|_| ()).map_err(|error| unusable(&format!("cannot be used: {error}")))
}

impl Proxy {
    fn new(found: &Intercept) -> Result<Self, ConnectError> {
        let target = Target::parse(found.uri())?;
        Ok(Self { target, uri: found.uri().clone(), authorization: found.basic_auth().cloned() })
    }

    /// What the proxy is shown of us.
    pub fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// Asks the proxy at the other end of `stream` for a tunnel to `uri`, which then is `stream`.
    pub async fn tunnel(&self, stream: Stream, uri: &Uri) -> Result<Stream, ConnectError> {
        let mut tunnel = Tunnel::new(self.uri.clone(), Opened(Some(stream)));
        if let Some(authorization) = &self.authorization {
            tunnel = tunnel.with_auth(authorization.clone());
        }
        let opened = tunnel.call(uri.clone()).await;
        opened.map(TokioIo::into_inner).map_err(|error| ConnectError::Proxy(error.into()))
    }
}

/// A connector whose one connection is open already: dialling, policy and timeouts are not left to [`Tunnel`].
struct Opened(Option<Stream>);

impl Service<Uri> for Opened {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let stream = self.0.take().map(TokioIo::new);
        future::ready(stream.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected)))
    }
}

#[cfg(test)]
mod tests;
