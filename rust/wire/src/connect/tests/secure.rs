//! TLS: who is trusted, and that nobody else is told anything.

use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, date_time_ymd};
use rustls::{HandshakeKind, ServerConfig};

use super::peer::{Authority, Peer, replying, self_signed};
use super::*;

fn trusting(authority: &Authority) -> Connector {
    connector(Options { ca_pem: Some(authority.pem.clone()), ..options() })
}

/// Posts to a TLS server that must not be trusted, and checks that it learns nothing.
async fn learns_nothing(connector: &Connector, config: ServerConfig, host: &str) -> String {
    let peer = Peer::tls(config).await;
    let error = post_fails(connector, &format!("https://{host}:{}/", peer.port())).await;
    assert!(error.is_tls, "{}", error.text);
    peer.until(|seen| seen.failed_handshakes > 0).await;
    let seen = peer.seen();
    assert!(seen.received.is_empty() && seen.handshakes.is_empty(), "{}", peer.received());
    error.text
}

#[tokio::test]
async fn a_trusted_server_is_asked_by_its_name() {
    let authority = Authority::new();
    let peer = Peer::tls(authority.server(&["localhost", "127.0.0.1"])).await;
    let connector = trusting(&authority);
    for host in ["localhost", "127.0.0.1"] {
        assert_eq!(post(&connector, &format!("https://{host}:{}/", peer.port())).await.unwrap(), "ok");
    }
    assert!(peer.received().contains(SECRET));
    let names: Vec<_> = peer.seen().handshakes.into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, [Some("localhost".to_owned()), None]);
}

#[tokio::test]
async fn an_unknown_authority_learns_nothing() {
    let stranger = Authority::new();
    let platform_only = connector(options());
    let text = learns_nothing(&platform_only, stranger.server(&["localhost"]), "localhost").await;
    assert!(text.contains("UnknownIssuer") || text.contains("no root certificates"), "{text}");
    let trusting = trusting(&Authority::new());
    learns_nothing(&trusting, stranger.server(&["localhost"]), "localhost").await;
}

#[tokio::test]
async fn a_self_signed_server_learns_nothing() {
    let text = learns_nothing(&trusting(&Authority::new()), self_signed(&["localhost"]), "localhost").await;
    assert!(text.starts_with("TLS: invalid peer certificate"), "{text}");
}

#[tokio::test]
async fn a_server_with_another_name_learns_nothing() {
    let authority = Authority::new();
    let connector = trusting(&authority);
    for (names, host) in [
        (&["provider.example"][..], "localhost"),
        (&["localhost"], "127.0.0.1"),
        (&["127.0.0.2"], "127.0.0.1"),
        (&["*.localhost"], "localhost"),
        (&[], "localhost"),
    ] {
        let text = learns_nothing(&connector, authority.server(names), host).await;
        assert!(text.contains("not valid for name"), "{text}");
    }
}

#[tokio::test]
async fn a_certificate_out_of_its_time_or_place_learns_nothing() {
    let authority = Authority::new();
    let connector = trusting(&authority);
    let expired = authority.server_with(&["localhost"], |certificate| {
        certificate.not_after = date_time_ymd(2020, 1, 1);
    });
    assert!(learns_nothing(&connector, expired, "localhost").await.contains("expired"));
    let early = authority.server_with(&["localhost"], |certificate| {
        certificate.not_before = date_time_ymd(4000, 1, 1);
    });
    assert!(learns_nothing(&connector, early, "localhost").await.contains("not valid yet"));
    let for_clients = authority.server_with(&["localhost"], |certificate| {
        certificate.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    learns_nothing(&connector, for_clients, "localhost").await;
    let authority_itself = authority.server_with(&["localhost"], |certificate| {
        certificate.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    learns_nothing(&connector, authority_itself, "localhost").await;
}

#[tokio::test]
async fn http2_is_offered_only_if_wanted() {
    let authority = Authority::new();
    let roots = Some(authority.pem.clone());
    for (server, http2, expected) in [
        (&["h2", "http/1.1"][..], true, true),
        (&["h2", "http/1.1"], false, false),
        (&["http/1.1"], true, false),
        (&[], true, false),
    ] {
        let mut config = authority.server(&["localhost"]);
        config.alpn_protocols = server.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let peer = Peer::tls(config).await;
        let connector = connector(Options { http2, ca_pem: roots.clone(), ..options() });
        let conn = connect(&connector, &format!("https://localhost:{}/", peer.port())).await.unwrap();
        assert_eq!(conn.is_h2(), expected, "{server:?} {http2}");
    }
    // A server that speaks nothing else is refused in the handshake.
    let mut config = authority.server(&["localhost"]);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let connector = connector(Options { http2: false, ca_pem: roots, ..options() });
    learns_nothing(&connector, config, "localhost").await;
}

#[tokio::test]
async fn tls_1_2_is_old_enough() {
    let authority = Authority::new();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let peer = Peer::tls(authority.server_speaking(&["localhost"], version)).await;
        let url = format!("https://localhost:{}/", peer.port());
        assert_eq!(post(&trusting(&authority), &url).await.unwrap(), "ok");
    }
}

#[tokio::test]
async fn what_does_not_speak_our_tls_learns_nothing() {
    // A ServerHello of TLS 1.0, one of SSL 3.0, an alert, plain HTTP, bytes.
    let mut hello_1_0 = vec![0x16, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1];
    hello_1_0.extend([7; 32]);
    hello_1_0.extend([0, 0xc0, 0x2f, 0]);
    let mut hello_3_0 = hello_1_0.clone();
    (hello_3_0[2], hello_3_0[10]) = (0, 0);
    let (hello_1_0, hello_3_0): (&[u8], &[u8]) = (hello_1_0.leak(), hello_3_0.leak());
    for reply in [
        hello_1_0,
        hello_3_0,
        &[0x15, 3, 3, 0, 2, 2, 70],
        b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
        &[0; 64],
    ] {
        let (address, received) = replying(reply).await;
        let error = post_fails(&trusting(&Authority::new()), &format!("https://{address}/")).await;
        assert!(error.is_tls, "{}", error.text);
        let received = received.await.unwrap();
        assert_eq!(received[0], 0x16, "a ClientHello first");
        assert!(!received.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes()));
        assert!(!received.windows(4).any(|bytes| bytes == b"POST"));
    }
}

#[tokio::test]
async fn a_server_that_leaves_the_handshake_is_a_fault_of_tls() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let leaving = tokio::spawn(async move { drop(listener.accept().await.unwrap()) });
    assert!(post_fails(&trusting(&Authority::new()), &url).await.is_tls);
    leaving.await.unwrap();
}

#[tokio::test]
async fn the_timeout_covers_the_handshake() {
    // The system accepts for the listener; nobody ever reads.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connector = connector(Options { connect_timeout: Duration::from_millis(200), ..options() });
    let error =
        connect(&connector, &format!("https://{}/", listener.local_addr().unwrap())).await.unwrap_err();
    let has_roots =
        !matches!(&error, ConnectError::Tls(cause) if cause.to_string().contains("no root certificates"));
    assert!(matches!(error, ConnectError::Timeout) || !has_roots, "{error:?}");
}

#[tokio::test]
async fn sessions_are_resumed_by_those_who_trust_the_same_and_no_others() {
    let authority = Authority::new();
    let peer = Peer::tls(authority.server(&["localhost"])).await;
    let url = format!("https://localhost:{}/", peer.port());
    let shared = Shared::new();
    let connector =
        || Connector::new(Options { ca_pem: Some(authority.pem.clone()), ..options() }, &shared).unwrap();
    let first = connector();
    for asking in [&first, &first.clone(), &connector()] {
        assert_eq!(post(asking, &url).await.unwrap(), "ok");
    }
    let kinds: Vec<_> = peer.seen().handshakes.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Full]);
    // The platform's trust does not cover this server, and a session that others have with it changes nothing.
    let platform_only = Connector::new(options(), &shared).unwrap();
    assert!(post_fails(&platform_only, &url).await.is_tls);
}

#[tokio::test]
async fn roots_that_cannot_be_read_are_an_error_at_once() {
    let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cut = b"-----BEGIN CERTIFICATE-----\nAAAA\n";
    for pem in [&b""[..], b"no PEM", broken, cut, b"\xff\xfe"] {
        let with = Options { ca_pem: Some(pem.to_vec()), ..options() };
        let error = Connector::new(with, &Shared::new()).err().unwrap();
        assert!(matches!(&error, ConnectError::Tls(_)), "{error:?}");
        assert!(error.to_string().starts_with("TLS: the extra roots: "), "{error}");
    }
}
