//! Pinned keys: what is certified and has another key is told nothing, whatever it is reached by.

use rcgen::{KeyPair, PublicKeyData};
use ring::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{HandshakeKind, RootCertStore};

use super::peer::{Authority, Peer, self_signed_by};
use super::proxied::tunnelling;
use super::*;

fn pin(key: &KeyPair) -> KeyPin {
    KeyPin(digest(&SHA256, &key.subject_public_key_info()).as_ref().try_into().unwrap())
}

fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn pinning(authority: &Authority, keys: &[&KeyPair]) -> Options {
    let pins = keys.iter().map(|key| pin(key)).collect();
    Options { ca_pem: Some(authority.pem.clone()), pins, ..options() }
}

/// Posts to a server that has `key`, which is not pinned, and checks that it learns nothing and that we are told why.
async fn is_refused(connector: &Connector, url: &str, peer: &Peer, key: &KeyPair) {
    let before = peer.seen().failed_handshakes;
    let error = post_fails(connector, url).await;
    assert!(error.is_tls);
    assert_eq!(error.text, format!("TLS: the server's key is not pinned: it is {}", pin(key)));
    peer.until(|seen| seen.failed_handshakes > before).await;
    assert!(peer.seen().received.is_empty() && peer.seen().handshakes.is_empty(), "{}", peer.received());
}

#[tokio::test]
async fn any_of_the_pinned_keys_is_taken_and_no_other() {
    let (authority, own, next, other) = (Authority::new(), key(), key(), key());
    let peer = Peer::tls(authority.server_of(&own, &["localhost"])).await;
    let url = format!("https://localhost:{}/", peer.port());
    for pins in [&[&other][..], &[&other, &next]] {
        is_refused(&connector(pinning(&authority, pins)), &url, &peer, &own).await;
    }
    for pins in [&[&own][..], &[&next, &own]] {
        assert_eq!(post(&connector(pinning(&authority, pins)), &url).await.unwrap(), "ok");
    }
}

#[tokio::test]
async fn a_renewed_certificate_of_the_same_key_is_taken() {
    let (authority, own) = (Authority::new(), key());
    let connector = connector(pinning(&authority, &[&own]));
    for names in [&["localhost"][..], &["localhost", "other.example"]] {
        let peer = Peer::tls(authority.server_of(&own, names)).await;
        assert_eq!(post(&connector, &format!("https://localhost:{}/", peer.port())).await.unwrap(), "ok");
    }
}

#[tokio::test]
async fn a_pinned_key_makes_up_for_nothing_else() {
    let (authority, own) = (Authority::new(), key());
    let connector = connector(pinning(&authority, &[&own]));
    for (config, why) in [
        (Authority::new().server_of(&own, &["localhost"]), "invalid peer certificate"),
        (self_signed_by(&own, &["localhost"]), "invalid peer certificate"),
        (authority.server_of(&own, &["other.example"]), "not valid for name"),
    ] {
        let peer = Peer::tls(config).await;
        let error = post_fails(&connector, &format!("https://localhost:{}/", peer.port())).await;
        assert!(error.is_tls && error.text.contains(why), "{}", error.text);
        assert!(peer.seen().received.is_empty());
    }
}

#[tokio::test]
async fn the_key_of_the_authority_is_not_the_server_s() {
    let (authority, own) = (Authority::new(), key());
    let of_authority = KeyPin::of(&CertificateDer::from_pem_slice(&authority.pem).unwrap()).unwrap();
    let peer = Peer::tls(authority.server_of(&own, &["localhost"])).await;
    let connector = connector(Options { pins: vec![of_authority], ..pinning(&authority, &[]) });
    is_refused(&connector, &format!("https://localhost:{}/", peer.port()), &peer, &own).await;
}

#[tokio::test]
async fn http2_and_tls_1_2_are_asked_for_it_too() {
    let (authority, own, other) = (Authority::new(), key(), key());
    for (alpn, version, is_h2) in [
        (&b"h2"[..], &rustls::version::TLS13, true),
        (b"h2", &rustls::version::TLS12, true),
        (b"http/1.1", &rustls::version::TLS12, false),
    ] {
        let mut config = authority.server_of_speaking(&own, &["localhost"], version);
        config.alpn_protocols = vec![alpn.to_vec()];
        let peer = Peer::tls(config).await;
        let url = format!("https://localhost:{}/", peer.port());
        is_refused(&connector(pinning(&authority, &[&other])), &url, &peer, &own).await;
        let conn = connect(&connector(pinning(&authority, &[&own])), &url).await.unwrap();
        assert_eq!(conn.is_h2(), is_h2);
    }
}

#[tokio::test]
async fn sessions_are_resumed_under_the_same_pins_and_no_others() {
    let (authority, own, other) = (Authority::new(), key(), key());
    let peer = Peer::tls(authority.server_of(&own, &["localhost"])).await;
    let url = format!("https://localhost:{}/", peer.port());
    // The platform trusts the authority here, so all of them trust the same roots and share what can be shared.
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&authority.pem).unwrap()).unwrap();
    let roots = Arc::new(roots);
    let shared = Shared::new();
    let trust = Trust::new(Arc::clone(&roots), &[]).unwrap();
    assert!(shared.platform.read.set((roots, trust)).is_ok());
    let under = |pins: &[&KeyPair]| {
        let pins = pins.iter().map(|key| pin(key)).collect();
        Connector::new(Options { pins, ..options() }, &shared).unwrap()
    };
    let (free, pinned) = (under(&[]), under(&[&own]));
    for asking in [&free, &free, &pinned, &pinned] {
        assert_eq!(post(asking, &url).await.unwrap(), "ok");
    }
    let kinds: Vec<_> = peer.seen().handshakes.into_iter().map(|(kind, _)| kind).collect();
    let (full, resumed) = (HandshakeKind::Full, HandshakeKind::Resumed);
    assert_eq!(kinds, [full, resumed, full, resumed]);
    let elsewhere = under(&[&other]);
    assert!(post_fails(&elsewhere, &url).await.text.contains("not pinned"));
    assert_eq!(peer.seen().handshakes.len(), 4, "no session of others was resumed");
}

#[tokio::test]
async fn a_refused_handshake_leaves_no_session() {
    let (authority, own, other) = (Authority::new(), key(), key());
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let peer = Peer::tls(authority.server_of_speaking(&own, &["localhost"], version)).await;
        let url = format!("https://localhost:{}/", peer.port());
        let connector = connector(pinning(&authority, &[&other]));
        for _ in 0..3 {
            is_refused(&connector, &url, &peer, &own).await;
        }
    }
}

#[tokio::test]
async fn a_tunnel_changes_nothing_and_the_proxy_has_a_key_of_its_own() {
    let (authority, own, other) = (Authority::new(), key(), key());
    for keys in [[&other], [&own]] {
        let peer = Peer::tls(authority.server_of(&own, &["provider.example"])).await;
        let (proxy, request) = tunnelling(peer.address, Some(authority.server(&["127.0.0.1"]))).await;
        let proxy = ProxyChoice::Url(format!("https://{proxy}"));
        let connector = connector(Options { proxy, http2: false, ..pinning(&authority, &keys) });
        let url = "https://provider.example/";
        if pin(keys[0]) == pin(&own) {
            assert_eq!(post(&connector, url).await.unwrap(), "ok");
        } else {
            is_refused(&connector, url, &peer, &own).await;
        }
        drop(connector);
        assert!(request.await.unwrap().starts_with("CONNECT provider.example:443 "));
    }
}

#[tokio::test]
async fn what_has_no_key_to_show_is_not_connected_to() {
    let peer = Peer::plain().await;
    for proxy in [ProxyChoice::None, ProxyChoice::Url(format!("http://{}", peer.address))] {
        let connector = connector(Options { proxy, ..pinning(&Authority::new(), &[&key()]) });
        let error = refusal(&connector, &format!("http://{}/", peer.address)).await;
        assert_eq!(error.to_string(), "the URL cannot be used: keys are pinned, and http has none");
    }
    assert_eq!(peer.seen().connections, 0);
}
