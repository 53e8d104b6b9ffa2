//! The address policy, where it counts: at the moment of connecting.

use std::sync::Mutex;

use tokio::net::TcpListener;

use super::peer::Peer;
use super::*;

/// Ways to write an address of this machine or its neighbours, or to hide one.
#[rustfmt::skip] // One a line would be two hundred lines.
const HOSTS: &[&str] = &[
    // Canonical.
    "127.0.0.1", "127.0.0.2", "127.1.1.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.17.0.1",
    "192.168.0.1", "192.168.65.2", "169.254.169.254", "169.254.170.2", "169.254.42.42", "100.64.0.1",
    "100.100.100.200", "192.0.0.192", "168.63.129.16", "198.18.0.1", "192.0.2.1", "224.0.0.1", "255.255.255.255",
    "240.0.0.1", "192.88.99.1",
    // Short, decimal, octal, hexadecimal, mixed, padded, overflowing.
    "0", "1", "127.1", "127.0.1", "127.0.0.1.", "2130706433", "017700000001", "0x7f000001", "0X7F000001", "0x7f.1",
    "0x7f.0.0.1", "0x7f.0x0.0x0.0x1", "0177.0.0.1", "0177.1", "0177.0.0.01", "127.000.000.001", "00000127.0.0.1",
    "127.0.0.0x1", "127.0.0.01", "4294967295", "4294967296", "6425673729", "256.256.256.256", "425.510.425.510",
    "2852039166", "0xa9fea9fe", "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376", "025177524776", "169.254.43518",
    "169.16689662", "0xa9fe.0xa9fe", "0x00000000000000007f000001", "167772161", "0xa000001", "012.1", "3232235521",
    "1.2.3", "1.2.3.4.5", "1.2.3.4.", "127.0.0.1.0x1",
    // IPv6 of this machine and around it.
    "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]", "[::0001]", "[fe80::1]",
    "[fec0::1]", "[fc00::1]", "[fd00::1]", "[fd00:ec2::254]", "[fd20:ce::254]", "[ff02::1]", "[2001:db8::1]",
    "[3fff::1]", "[100::1]", "[5f00::1]", "[2001:2::1]", "[2001:10::1]",
    // IPv6 that carries IPv4.
    "[::127.0.0.1]", "[::7f00:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::ffff:0.0.0.0]", "[::ffff:10.0.0.1]", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b::10.0.0.1]",
    "[64:ff9b:1::127.0.0.1]", "[2002:7f00:1::]", "[2002:7f00:1::1]", "[2002:a9fe:a9fe::1]", "[2002:a00:1::1]",
    "[2002:c0a8:1::1]", "[2001:0:7f00:1::]", "[2001:0:808:808:0:0:80ff:fffe]", "[2001:0:808:808:0:0:5601:5601]",
    // Scoped or broken IPv6.
    "[::1%25lo]", "[::1%lo]", "[fe80::1%25eth0]", "[fe80::1%251]", "[::1", "::1", "[::1]]", "[::ffff:127.1]",
    "[::ffff:0x7f.0.0.1]", "[127.0.0.1]", "[localhost]", "[]",
    // Names of this machine, and names that answer with it.
    "localhost", "LOCALHOST", "localhost.", "ip6-localhost", "localhost.localdomain", "kubernetes.default.svc",
    "metadata.google.internal", "metadata", "instance-data", "127.0.0.1.nip.io", "127-0-0-1.sslip.io",
    "customer1.app.localhost", "spoofed.example", "rebinding.example", "xn--fiqs8s", "host.docker.internal",
    "0x7f.example", "127.example",
    // Characters that some parsers take for others.
    "127\u{3002}0\u{3002}0\u{3002}1", "\u{ff11}\u{ff12}\u{ff17}.0.0.1", "\u{2460}\u{2461}\u{2466}.0.0.1",
    "loc\u{e1}lhost", "\u{24db}ocalhost", "127%2e0%2e0%2e1", "%31%32%37.0.0.1", "localhost%00", "localhost%2f",
    "localhost\\", "127.0.0.1\\@provider.example", "provider.example\\@127.0.0.1", "127.0.0.1 ", " 127.0.0.1",
    "127.0.0.1\r\nHost: x", "127.0.0.1\t", "localhost\0.example", "*.localhost", "localhost,x",
    // Credentials before the host.
    "provider.example@127.0.0.1", "provider.example:443@127.0.0.1", "user:password@localhost", "@127.0.0.1",
    "a@b@127.0.0.1", "127.0.0.1@provider.example",
    // No host.
    "", ".", "..", "-", "_",
];

async fn connects(connector: &Connector, url: &str) -> bool {
    match url.parse() {
        Ok(uri) => connector.clone().call(uri).await.is_ok(),
        Err(_) => false,
    }
}

#[tokio::test]
async fn no_way_to_write_an_address_of_this_machine_reaches_it() {
    let peer = Peer::plain().await;
    let on_v6 =
        TcpListener::bind(format!("[::1]:{}", peer.port())).await.ok().map(|l| Peer::listening(l, None));
    // Whatever gets as far as the resolver is this machine.
    let shared = resolving_to(&["127.0.0.1"]);
    let strict = Connector::new(Options { allow_private: false, ..options() }, &shared).unwrap();
    let mut tried = 0;
    for host in HOSTS {
        for url in [format!("http://{host}:{}/", peer.port()), format!("https://{host}:{}/", peer.port())] {
            assert!(!connects(&strict, &url).await, "{url:?}");
            tried += 1;
        }
    }
    for url in [
        "file:///etc/passwd",
        "unix:/run/docker.sock",
        "gopher://127.0.0.1/_",
        "ftp://127.0.0.1/",
        "127.0.0.1",
    ] {
        assert!(!connects(&strict, url).await, "{url:?}");
        tried += 1;
    }
    assert!(tried >= 300, "{tried} tried");
    assert_eq!(peer.seen().connections, 0);
    assert_eq!(on_v6.map_or(0, |peer| peer.seen().connections), 0);
    // And the peer is there to be reached.
    assert_eq!(post(&connector(options()), &format!("http://{}/", peer.address)).await.unwrap(), "ok");
}

#[tokio::test]
async fn one_bad_address_refuses_the_host() {
    let peer = Peer::plain().await;
    let strict = Options { allow_private: false, ..options() };
    for answers in [&["93.184.216.34", "127.0.0.1"], &["127.0.0.1", "93.184.216.34"], &["1.1.1.1", "fd00::1"]]
    {
        let connector = Connector::new(strict.clone(), &resolving_to(answers)).unwrap();
        let error = refusal(&connector, &format!("http://provider.example:{}/", peer.port())).await;
        assert!(matches!(error, ConnectError::Address(_)), "{error:?}");
    }
    assert_eq!(peer.seen().connections, 0);
}

#[tokio::test]
async fn a_refusal_names_the_rule() {
    let strict =
        Connector::new(Options { allow_private: false, ..options() }, &resolving_to(&["10.0.0.7"])).unwrap();
    let by_name = refusal(&strict, "https://provider.example/").await.to_string();
    assert_eq!(
        by_name,
        "refused by the address policy: 10.0.0.7 is a private address, which takes allow_private"
    );
}

#[tokio::test]
async fn metadata_addresses_are_reached_by_no_name() {
    for answers in
        [&["169.254.169.254"], &["fd00:ec2::254"], &["::ffff:169.254.169.254"], &["100.100.100.200"]]
    {
        let connector = Connector::new(options(), &resolving_to(answers)).unwrap();
        let error = refusal(&connector, "http://provider.example/").await;
        assert!(error.to_string().contains("is a cloud metadata address"), "{error}");
    }
    // Written out by the operator who allows private addresses, it is meant. (Not dialled here.)
    let permitted = async |url: &str, allow_private| {
        let target = Target::parse(&url.parse().unwrap()).unwrap();
        let connector = connector(Options { allow_private, ..options() });
        connector.inner.addresses(&target, connector.inner.reach(&target.host)).await.is_ok()
    };
    assert!(permitted("http://169.254.169.254/", true).await);
    assert!(permitted("http://[fd00:ec2::254]/", true).await);
    assert!(!permitted("http://169.254.169.254/", false).await);
    assert!(!permitted("http://0.0.0.0/", true).await);
}

#[tokio::test]
async fn a_name_that_was_good_is_checked_again() {
    let peer = Peer::plain().await;
    let answers = Arc::new(Mutex::new(vec!["127.0.0.1"]));
    let current = Arc::clone(&answers);
    let shared = Shared::with_lookup(Arc::new(move |_| {
        let found = current.lock().unwrap().iter().map(|text| text.parse().unwrap()).collect();
        async move { Ok(found) }.boxed()
    }));
    let connector = Connector::new(options(), &shared).unwrap();
    let url = format!("http://provider.example:{}/", peer.port());
    connect(&connector, &url).await.unwrap();
    for turned in ["169.254.169.254", "0.0.0.0"] {
        *answers.lock().unwrap() = vec![turned];
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(31)).await;
        tokio::time::resume();
        let error = refusal(&connector, &url).await;
        assert!(
            matches!(&error, ConnectError::Address(refusal) if refusal.address.to_string() == turned),
            "{error:?}"
        );
    }
    assert_eq!(peer.seen().connections, 1);
}

#[tokio::test]
async fn the_shared_cache_grants_nothing() {
    let peer = Peer::plain().await;
    let shared = resolving_to(&["127.0.0.1"]);
    let url = format!("http://provider.example:{}/", peer.port());
    connect(&Connector::new(options(), &shared).unwrap(), &url).await.unwrap();
    let strict = Connector::new(Options { allow_private: false, ..options() }, &shared).unwrap();
    assert!(matches!(refusal(&strict, &url).await, ConnectError::Address(_)));
}
