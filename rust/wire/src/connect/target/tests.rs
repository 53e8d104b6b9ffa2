use super::*;

/// URLs that name no host which is spoken to. What the `http` crate itself refuses is refused all the same.
const REFUSED: &[&str] = &[
    // Other schemes, or none.
    "file:///etc/passwd",
    "gopher://example.com:70/_x",
    "ftp://example.com/",
    "unix:/var/run/docker.sock",
    "unix:///var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "ws://example.com/",
    "dict://example.com:11211/",
    "ldap://example.com/",
    "javascript:alert(1)",
    "data:text/plain,x",
    "example.com",
    "example.com:80",
    "//example.com/",
    "/v1/chat/completions",
    "*",
    "",
    // Numbers that a resolver takes for an address.
    "http://0/",
    "http://1/",
    "http://127/",
    "http://127.1/",
    "http://127.0.1/",
    "http://127.0.0.1./",
    "http://127.0.0.01/",
    "http://127.000.000.001/",
    "http://0127.0.0.1/",
    "http://0177.0.0.1/",
    "http://0177.0.0.01/",
    "http://017700000001/",
    "http://2130706433/",
    "http://4294967295/",
    "http://4294967296/",
    "http://18446744073709551616/",
    "http://0x7f000001/",
    "http://0X7F000001/",
    "http://0x7f.0x0.0x0.0x1/",
    "http://0x7f.1/",
    "http://0x7f.0.0.1/",
    "http://127.0.0x1/",
    "http://0x/",
    "http://0xa9fea9fe/",
    "http://2852039166/",
    "http://169.254.43518/",
    "http://0251.0376.0251.0376/",
    "http://425.510.425.510/",
    "http://256.256.256.256/",
    "http://1.2.3.4.5/",
    "http://1.2.3/",
    "http://1.2.3.4.0x5/",
    "http://example.0x1/",
    "http://example.123/",
    "http://example.123./",
    // Broken or scoped IPv6.
    "http://[]/",
    "http://[::1/",
    "http://::1/",
    "http://[::1%25lo]/",
    "http://[::1%lo]/",
    "http://[fe80::1%25eth0]/",
    "http://[::ffff:127.0.0.1.]/",
    "http://[v1.x]/",
    "http://[127.0.0.1]/",
    "http://[example.com]/",
    "http://[::1]x/",
    "http://[1:2:3]/",
    // Credentials, and what looks like them.
    "http://user@example.com/",
    "http://user:password@example.com/",
    "http://api.openai.com@169.254.169.254/",
    "http://api.openai.com:443@127.0.0.1/",
    "http://@example.com/",
    "http://a@b@example.com/",
    // Characters that no name has.
    "http://exa mple.com/",
    "http://example.com\\@127.0.0.1/",
    "http://example.com\\.internal/",
    "http://127.0.0.1\\@example.com/",
    "http://example.com%2e127.0.0.1/",
    "http://127%2e0%2e0%2e1/",
    "http://%31%32%37.0.0.1/",
    "http://example.com\r\nHost: x/",
    "http://example.com\t/",
    "http://example.com\0/",
    "http://ex\u{e4}mple.com/",
    "http://\u{ff11}\u{ff12}\u{ff17}.0.0.1/",
    "http://\u{2460}\u{2461}\u{2466}.0.0.1/",
    "http://127\u{3002}0\u{3002}0\u{3002}1/",
    "http://localho\u{17f}t/",
    "http://*.example.com/",
    "http://example!.com/",
    "http://$HOME/",
    "http://{host}/",
    "http://a,b/",
    "http://a;b/",
    "http://a'b/",
    "http://(a)/",
    // Empty or too long.
    "http:///",
    "http://",
    "http://:80/",
    "http://./",
    "http://../",
    "http://.example.com/",
    "http://example..com/",
    "http://example.com../",
    // Ports.
    "http://example.com:/",
    "http://example.com:0/",
    "http://example.com:65536/",
    "http://example.com:99999999999/",
    "http://example.com:-1/",
    "http://example.com:8o/",
    "http://example.com:80:80/",
    "http://example.com:+80/",
];

fn parse(url: &str) -> Option<Target> {
    url.parse::<Uri>().ok().and_then(|uri| Target::parse(&uri).ok())
}

fn name(name: &str) -> Host {
    Host::Name(name.to_owned())
}

#[test]
fn strange_urls_are_refused() {
    for url in REFUSED {
        assert_eq!(parse(url), None, "{url:?}");
    }
}

#[test]
fn usual_urls_are_read() {
    let v4 = |text: &str| Host::Address(text.parse().unwrap());
    let (http, https) = (Scheme::Http, Scheme::Https);
    let cases = [
        ("https://api.openai.com/v1", name("api.openai.com"), 443, https),
        ("HTTPS://API.OpenAI.com", name("api.openai.com"), 443, https),
        ("http://localhost:11434/v1", name("localhost"), 11434, http),
        ("http://ollama/", name("ollama"), 80, http),
        ("http://my_host.internal:8000/", name("my_host.internal"), 8000, http),
        ("https://example.com./", name("example.com."), 443, https),
        ("https://xn--bcher-kva.example/", name("xn--bcher-kva.example"), 443, https),
        ("https://1password.com/", name("1password.com"), 443, https),
        ("https://0xabc.example/", name("0xabc.example"), 443, https),
        ("https://0xzz/", name("0xzz"), 443, https),
        ("https://123.example/", name("123.example"), 443, https),
        ("http://127.0.0.1:8080/", v4("127.0.0.1"), 8080, http),
        ("http://0.0.0.0/", v4("0.0.0.0"), 80, http),
        ("https://[::1]:8443/x?y", v4("::1"), 8443, https),
        ("https://[2001:DB8::1]/", v4("2001:db8::1"), 443, https),
        ("http://[::ffff:127.0.0.1]/", v4("::ffff:127.0.0.1"), 80, http),
        ("http://example.com:65535/", name("example.com"), 65535, http),
    ];
    for (url, host, port, scheme) in cases {
        assert_eq!(parse(url), Some(Target { host, port, scheme }), "{url}");
    }
}

#[test]
fn names_have_limits() {
    let label = "a".repeat(63);
    let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
    assert_eq!(longest.len(), 253);
    assert!(parse(&format!("http://{longest}/")).is_some());
    assert!(parse(&format!("http://{longest}./")).is_some());
    assert!(parse(&format!("http://{longest}a/")).is_none());
    assert!(parse(&format!("http://{label}/")).is_some());
    assert!(parse(&format!("http://{label}a/")).is_none());
}

#[test]
fn the_machine_itself_is_known_by_name_and_address() {
    for url in [
        "http://localhost/",
        "http://LOCALHOST./",
        "http://a.localhost/",
        "http://127.9.9.9/",
        "http://[::1]/",
    ] {
        assert!(parse(url).unwrap().host.is_loopback(), "{url}");
    }
    for url in ["http://notlocalhost/", "http://localhost.example/", "http://10.0.0.1/"] {
        assert!(!parse(url).unwrap().host.is_loopback(), "{url}");
    }
}

#[test]
fn an_error_does_not_repeat_the_url() {
    let uri = Uri::from_static("http://user:hunter2@example.com/?key=hunter2");
    assert!(!Target::parse(&uri).unwrap_err().to_string().contains("hunter2"));
}
