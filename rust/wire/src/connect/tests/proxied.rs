//! Through a proxy: the tunnel, whole URLs, and what the proxy gets to know.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::peer::{Authority, Peer, refusing, replying};
use super::*;

const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

/// A proxy that opens one tunnel to `to`, whatever it is asked for, and gives the request it got.
pub async fn tunnelling(
    to: SocketAddr,
    tls: Option<rustls::ServerConfig>,
) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        match tls {
            None => tunnel(stream, to).await,
            Some(config) => {
                let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
                tunnel(acceptor.accept(stream).await.unwrap(), to).await
            }
        }
    });
    (address, task)
}

async fn tunnel(mut stream: impl AsyncRead + AsyncWrite + Unpin, to: SocketAddr) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let mut onward = TcpStream::connect(to).await.unwrap();
    stream.write_all(ESTABLISHED).await.unwrap();
    // The ends may hang up as they like.
    let _ = copy_bidirectional(&mut stream, &mut onward).await;
    String::from_utf8(head).unwrap()
}

fn through(proxy: String, authority: &Authority) -> Options {
    Options {
        allow_private: false,
        http2: false,
        proxy: ProxyChoice::Url(proxy),
        ca_pem: Some(authority.pem.clone()),
        ..options()
    }
}

#[tokio::test]
async fn a_tunnel_carries_tls_to_the_provider() {
    let authority = Authority::new();
    let peer = Peer::tls(authority.server(&["provider.example"])).await;
    let (proxy, request) = tunnelling(peer.address, None).await;
    let connector = connector(through(format!("http://us%40er:pass@{proxy}"), &authority));
    assert_eq!(post(&connector, "https://provider.example/v1").await.unwrap(), "ok");
    assert!(peer.received().starts_with("POST /v1 HTTP/1.1\r\n"));
    assert!(!peer.received().contains("proxy-authorization"));
    drop(connector);
    let request = request.await.unwrap();
    assert!(
        request.starts_with("CONNECT provider.example:443 HTTP/1.1\r\nHost: provider.example:443\r\n"),
        "{request}"
    );
    assert!(request.contains("Proxy-Authorization: Basic dXNAZXI6cGFzcw==\r\n"), "{request}");
    assert!(!request.contains(SECRET));
}

#[tokio::test]
async fn a_tunnel_carries_http2_and_asks_for_the_port() {
    let authority = Authority::new();
    let mut config = authority.server(&["provider.example"]);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let peer = Peer::tls(config).await;
    let (proxy, request) = tunnelling(peer.address, None).await;
    let connector = connector(Options { http2: true, ..through(proxy.to_string(), &authority) });
    let conn = connect(&connector, "https://provider.example:8443/").await.unwrap();
    assert!(conn.is_h2());
    drop(conn);
    let request = request.await.unwrap();
    assert!(request.starts_with("CONNECT provider.example:8443 HTTP/1.1\r\n"), "{request}");
    assert!(!request.contains("Proxy-Authorization"));
}

#[tokio::test]
async fn a_proxy_may_itself_speak_tls() {
    let authority = Authority::new();
    let peer = Peer::tls(authority.server(&["provider.example"])).await;
    let (proxy, request) = tunnelling(peer.address, Some(authority.server(&["127.0.0.1"]))).await;
    let connector = connector(through(format!("https://{proxy}"), &authority));
    assert_eq!(post(&connector, "https://provider.example/").await.unwrap(), "ok");
    drop(connector);
    assert!(request.await.unwrap().starts_with("CONNECT provider.example:443 "));
}

#[tokio::test]
async fn a_proxy_that_is_not_trusted_is_asked_nothing() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let proxy = Peer::tls(stranger.server(&["127.0.0.1"])).await;
    let connector = connector(through(format!("https://user:pass@{}", proxy.address), &authority));
    let error = refusal(&connector, "https://provider.example/").await;
    assert!(matches!(error, ConnectError::Proxy(_)), "{error:?}");
    proxy.until(|seen| seen.failed_handshakes > 0).await;
    assert!(proxy.seen().received.is_empty());
}

#[tokio::test]
async fn a_provider_that_is_not_trusted_learns_nothing_through_a_tunnel() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let peer = Peer::tls(stranger.server(&["provider.example"])).await;
    let (proxy, _request) = tunnelling(peer.address, None).await;
    let connector = connector(through(proxy.to_string(), &authority));
    let error = post_fails(&connector, "https://provider.example/").await;
    assert!(error.is_tls, "{}", error.text);
    peer.until(|seen| seen.failed_handshakes > 0).await;
    assert!(peer.seen().received.is_empty());
}

#[tokio::test]
async fn plain_http_is_asked_for_by_its_whole_url() {
    let proxy = Peer::plain().await;
    // The name is for the proxy to resolve.
    let connector = connector(through(format!("http://user:pass@{}", proxy.address), &Authority::new()));
    assert_eq!(post(&connector, "http://provider.invalid:8000/v1?a=b").await.unwrap(), "ok");
    let received = proxy.received();
    assert!(received.starts_with("POST http://provider.invalid:8000/v1?a=b HTTP/1.1\r\n"), "{received}");
    assert!(received.contains("proxy-authorization: Basic dXNlcjpwYXNz\r\n"), "{received}");
    // Inside TLS the header would reach the provider.
    assert!(connector.proxy_authorization(&Uri::from_static("https://provider.invalid/")).is_none());
}

#[tokio::test]
async fn a_proxy_that_will_not_is_told_no_more() {
    let long: &[u8] = [b"HTTP/1.1 200 OK\r\nx: ".as_slice(), &[b'y'; 9000]].concat().leak();
    for reply in [
        &b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"[..],
        b"HTTP/1.1 403 Forbidden\r\n\r\n",
        b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\0\0\0\0",
        long,
    ] {
        let (proxy, received) = replying(reply).await;
        let connector = connector(through(proxy.to_string(), &Authority::new()));
        let error = post(&connector, "https://provider.example/").await.unwrap_err();
        assert!(matches!(ConnectError::within(&*error), Some(ConnectError::Proxy(_))), "{error:?}");
        let received = String::from_utf8(received.await.unwrap()).unwrap();
        assert!(received.starts_with("CONNECT ") && received.ends_with("\r\n\r\n"), "{received}");
        assert!(!received.contains(SECRET));
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_or_says_nothing_is_an_error() {
    let authority = Authority::new();
    let (address, _socket) = refusing("127.0.0.1");
    let error =
        refusal(&connector(through(address.to_string(), &authority)), "https://provider.example/").await;
    assert!(matches!(error, ConnectError::Proxy(_)), "{error:?}");
    assert!(
        matches!(error.source().and_then(<dyn Error>::downcast_ref), Some(ConnectError::Refused(_))),
        "{error:?}"
    );
    let (silent, _received) = replying(b"").await;
    let impatient =
        Options { connect_timeout: Duration::from_millis(200), ..through(silent.to_string(), &authority) };
    let error = refusal(&connector(impatient), "https://provider.example/").await;
    assert!(matches!(error, ConnectError::Timeout), "{error:?}");
}

#[tokio::test]
async fn an_address_is_judged_before_the_proxy_is_asked_for_it() {
    let proxy = Peer::plain().await;
    let strict = connector(through(proxy.address.to_string(), &Authority::new()));
    for host in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "[fd00:ec2::254]", "[::ffff:127.0.0.1]"]
    {
        for scheme in ["http", "https"] {
            let error = refusal(&strict, &format!("{scheme}://{host}/")).await;
            assert!(matches!(error, ConnectError::Address(_)), "{error:?}");
        }
    }
    assert_eq!(proxy.seen().connections, 0);
    let lenient =
        connector(Options { allow_private: true, ..through(proxy.address.to_string(), &Authority::new()) });
    assert_eq!(post(&lenient, "http://10.0.0.1/").await.unwrap(), "ok");
}
