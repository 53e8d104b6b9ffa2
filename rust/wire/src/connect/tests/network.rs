//! Reaching a host: it answers, refuses, is silent, or has several addresses.

use tokio::net::TcpListener;

use super::peer::{Peer, black_hole, refusing};
use super::*;

#[tokio::test]
async fn plain_http_is_spoken_to_an_address_and_to_a_name() {
    let peer = Peer::plain().await;
    let connector = connector(options());
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{}/v1/chat", peer.port());
        assert_eq!(post(&connector, &url).await.unwrap(), "ok");
        assert!(!connect(&connector, &url).await.unwrap().is_h2());
    }
    assert!(peer.received().starts_with("POST /v1/chat HTTP/1.1\r\n"), "{}", peer.received());
}

#[tokio::test]
async fn nothing_of_tls_is_read_without_https() {
    let peer = Peer::plain().await;
    let shared = Shared::new();
    let connector = Connector::new(options(), &shared).unwrap();
    connect(&connector, &format!("http://{}/", peer.address)).await.unwrap();
    assert!(!shared.platform.read.initialized());
}

#[tokio::test]
async fn an_ipv6_address_is_reached_where_there_is_one() {
    let Ok(listener) = TcpListener::bind("[::1]:0").await else { return };
    let peer = Peer::listening(listener, None);
    let url = format!("http://{}/", peer.address);
    assert_eq!(post(&connector(options()), &url).await.unwrap(), "ok");
}

#[tokio::test]
async fn a_refusal_is_known_as_one() {
    let (address, _socket) = refusing("127.0.0.1");
    let error = refusal(&connector(options()), &format!("http://{address}/")).await;
    let ConnectError::Refused(cause) = &error else { panic!("{error:?}") };
    assert_eq!(cause.kind(), io::ErrorKind::ConnectionRefused);
    assert!(error.source().is_some());
}

#[tokio::test]
async fn silence_ends_at_the_timeout() {
    let (address, _hole) = black_hole("127.0.0.1:0".parse().unwrap()).await;
    let connector = connector(Options { connect_timeout: Duration::from_millis(200), ..options() });
    for scheme in ["http", "https"] {
        let error = refusal(&connector, &format!("{scheme}://{address}/")).await;
        assert!(matches!(error, ConnectError::Timeout), "{error:?}");
    }
}

#[tokio::test]
async fn a_dead_address_does_not_hide_a_living_one() {
    let peer = Peer::plain().await;
    let (dead, _hole) = black_hole(format!("127.0.0.2:{}", peer.port()).parse().unwrap()).await;
    assert_eq!(dead.port(), peer.port());
    for order in [&["127.0.0.2", "127.0.0.1"], &["127.0.0.1", "127.0.0.2"]] {
        let connector = Connector::new(options(), &resolving_to(order)).unwrap();
        let url = format!("http://provider.example:{}/", peer.port());
        assert_eq!(post(&connector, &url).await.unwrap(), "ok");
    }
}

#[tokio::test]
async fn a_name_without_an_address_is_known_as_one() {
    let error = refusal(&connector(options()), "https://provider.invalid/").await;
    assert!(matches!(error, ConnectError::Resolve(_)), "{error:?}");
    assert!(error.to_string().starts_with("the name cannot be resolved: provider.invalid: "), "{error}");
    let connector = Connector::new(options(), &resolving_to(&[])).unwrap();
    let error = refusal(&connector, "https://provider.example/").await;
    assert_eq!(error.to_string(), "the name cannot be resolved: provider.example: no address");
}

#[tokio::test]
async fn the_client_finds_the_cause_among_its_errors() {
    let (address, _socket) = refusing("127.0.0.1");
    let error = post(&connector(options()), &format!("http://{address}/")).await.unwrap_err();
    assert!(matches!(ConnectError::within(&*error), Some(ConnectError::Refused(_))), "{error:?}");
    assert!(ConnectError::within(&io::Error::other("else")).is_none());
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_any_other() {
    let elsewhere = Peer::plain().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let location = format!("http://{}/", elsewhere.address);
    let server = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await.unwrap();
        let head = format!(
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: {location}\r\ncontent-length: 5\r\n\r\nmoved"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
    });
    assert_eq!(post(&connector(options()), &format!("http://{address}/")).await.unwrap(), "moved");
    server.await.unwrap();
    assert_eq!(elsewhere.seen().connections, 0);
}
