//! Connections over real sockets, all of them on loopback.

mod peer;

mod network;
mod pinned;
mod policy;
mod proxied;
mod secure;

use std::error::Error;
use std::io;
use std::net::IpAddr;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use super::*;

/// What must never be seen by the wrong eyes.
const SECRET: &str = "sk-do-not-leak";

/// Everything is permitted, nothing is special.
fn options() -> Options {
    Options {
        connect_timeout: Duration::from_secs(20),
        allow_private: true,
        http2: true,
        proxy: ProxyChoice::None,
        ca_pem: None,
        pins: Vec::new(),
    }
}

fn connector(options: Options) -> Connector {
    Connector::new(options, &Shared::new()).unwrap()
}

/// A shared part whose resolver answers every name with these addresses.
fn resolving_to(addresses: &'static [&'static str]) -> Shared {
    Shared::with_lookup(Arc::new(move |_| {
        async move { Ok(addresses.iter().map(|text| text.parse::<IpAddr>().unwrap()).collect()) }.boxed()
    }))
}

async fn connect(connector: &Connector, url: &str) -> Result<Conn, ConnectError> {
    connector.clone().call(url.parse().unwrap()).await
}

async fn refusal(connector: &Connector, url: &str) -> ConnectError {
    match connect(connector, url).await {
        Ok(_) => panic!("{url} was connected to"),
        Err(error) => error,
    }
}

/// Posts a request that holds the secret, and reads the answer.
async fn post(connector: &Connector, url: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(url)
        .header("authorization", format!("Bearer {SECRET}"))
        .body(Full::new(Bytes::from_static(b"{\"model\":\"m\"}")))?;
    if let Some(value) = connector.proxy_authorization(request.uri()) {
        request.headers_mut().insert("proxy-authorization", value);
    }
    let client = Client::builder(TokioExecutor::new()).build(connector.clone());
    let answer = client.request(request).await?;
    Ok(String::from_utf8(answer.into_body().collect().await?.to_bytes().to_vec())?)
}

/// As [`post`], which must fail while connecting.
async fn post_fails(connector: &Connector, url: &str) -> ConnectErrorText {
    let error = post(connector, url).await.expect_err(url);
    let found = ConnectError::within(&*error).unwrap_or_else(|| panic!("{url}: {error:?}"));
    let is_tls = matches!(found, ConnectError::Tls(_) | ConnectError::NotPinned(_));
    ConnectErrorText { is_tls, text: found.to_string() }
}

struct ConnectErrorText {
    is_tls: bool,
    text: String,
}
