use super::*;

fn environment(variables: &[(&str, &str)]) -> Result<Proxies, ConnectError> {
    let find =
        |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    Proxies::read(&ProxyChoice::Environment, find)
}

/// The proxy before `url`, as `host:port`, with its authorization where there is one.
fn before(proxies: &Proxies, url: &str) -> Option<String> {
    let uri: Uri = url.parse().unwrap();
    let proxy = proxies.before(&Target::parse(&uri).unwrap(), &uri)?;
    let authorization =
        proxy.authorization().map_or(String::new(), |value| format!(" {}", value.to_str().unwrap()));
    Some(format!("{}{authorization}", proxy.uri.authority().unwrap()))
}

fn chosen(variables: &[(&str, &str)], url: &str) -> Option<String> {
    before(&environment(variables).unwrap(), url)
}

const HTTP: &str = "http://provider.example/v1";
const HTTPS: &str = "https://provider.example/v1";

#[test]
fn each_scheme_has_its_variable() {
    let variables = [("HTTPS_PROXY", "http://secure:1"), ("HTTP_PROXY", "http://plain:2")];
    assert_eq!(chosen(&variables, HTTPS).unwrap(), "secure:1");
    assert_eq!(chosen(&variables, HTTP).unwrap(), "plain:2");
    assert_eq!(chosen(&[("HTTPS_PROXY", "http://secure:1")], HTTP), None);
    assert_eq!(chosen(&[("HTTP_PROXY", "http://plain:1")], HTTPS), None);
    assert_eq!(chosen(&[], HTTPS), None);
}

#[test]
fn all_proxy_fills_the_gaps() {
    let variables = [("ALL_PROXY", "http://all:1"), ("HTTPS_PROXY", "http://secure:2")];
    assert_eq!(chosen(&variables, HTTPS).unwrap(), "secure:2");
    assert_eq!(chosen(&variables, HTTP).unwrap(), "all:1");
    assert_eq!(chosen(&[("all_proxy", "http://all:1")], HTTPS).unwrap(), "all:1");
}

#[test]
fn lower_case_comes_first_and_empty_is_unset() {
    for (lower, upper, url) in [("https_proxy", "HTTPS_PROXY", HTTPS), ("http_proxy", "HTTP_PROXY", HTTP)] {
        assert_eq!(chosen(&[(lower, "http://low:1"), (upper, "http://up:2")], url).unwrap(), "low:1");
        assert_eq!(chosen(&[(lower, ""), (upper, "http://up:2")], url).unwrap(), "up:2");
        assert_eq!(chosen(&[(lower, ""), (upper, "")], url), None);
    }
}

#[test]
fn a_cgi_program_does_not_believe_upper_case_http_proxy() {
    let cgi = ("REQUEST_METHOD", "POST");
    assert_eq!(chosen(&[cgi, ("HTTP_PROXY", "http://evil:1")], HTTP), None);
    assert_eq!(
        chosen(&[cgi, ("HTTP_PROXY", "http://evil:1"), ("ALL_PROXY", "http://all:2")], HTTP).unwrap(),
        "all:2"
    );
    assert_eq!(chosen(&[cgi, ("http_proxy", "http://plain:1")], HTTP).unwrap(), "plain:1");
    assert_eq!(chosen(&[cgi, ("HTTPS_PROXY", "http://secure:1")], HTTPS).unwrap(), "secure:1");
}

#[test]
fn no_proxy_takes_names_addresses_networks_and_the_star() {
    let direct = |exceptions: &str, host: &str| {
        let variables = [("ALL_PROXY", "http://all:1"), ("no_proxy", exceptions)];
        chosen(&variables, &format!("https://{host}/")).is_none()
    };
    assert!(direct("*", "provider.example"));
    assert!(direct("provider.example", "provider.example"));
    assert!(direct("PROVIDER.example", "provider.EXAMPLE"));
    assert!(direct("example", "provider.example"));
    assert!(direct(".example", "provider.example"));
    assert!(direct("other, provider.example ,x", "eu.provider.example:8443"));
    assert!(!direct("provider.example", "otherprovider.example"));
    assert!(!direct("eu.provider.example", "provider.example"));
    assert!(!direct("", "provider.example"));
    assert!(!direct(",,", "provider.example"));
    assert!(direct("10.1.2.3", "10.1.2.3"));
    assert!(direct("10.0.0.0/8", "10.1.2.3:8000"));
    assert!(!direct("10.0.0.0/8", "11.1.2.3"));
    assert!(direct("fd00::/8", "[fd12::1]"));
    assert!(direct("fd12::1", "[fd12::1]:8443"));
    assert!(!direct("fd12::1", "[fd12::2]"));
}

#[test]
fn this_machine_needs_no_proxy_of_the_environment() {
    let variables = [("ALL_PROXY", "http://all:1")];
    for url in ["http://localhost:11434/", "http://127.0.0.1:8000/", "https://[::1]/", "http://a.localhost/"]
    {
        assert_eq!(chosen(&variables, url), None, "{url}");
    }
    let named = Proxies::read(&ProxyChoice::Url("http://named:1".into()), |_| None).unwrap();
    assert_eq!(before(&named, "http://127.0.0.1/").unwrap(), "named:1");
}

#[test]
fn a_choice_does_not_look_at_the_environment() {
    let everything = |name: &str| {
        Some(if name == "NO_PROXY" { "*".to_owned() } else { "http://environment:1".to_owned() })
    };
    let none = Proxies::read(&ProxyChoice::None, everything).unwrap();
    assert_eq!(before(&none, HTTPS), None);
    let named = Proxies::read(&ProxyChoice::Url("named:3128".into()), everything).unwrap();
    assert_eq!(before(&named, HTTPS).unwrap(), "named:3128");
    assert_eq!(before(&named, HTTP).unwrap(), "named:3128");
}

#[test]
fn credentials_become_a_header_that_is_not_shown() {
    let proxies = environment(&[("https_proxy", "http://us%40er:p%3Ass@proxy:1")]).unwrap();
    assert_eq!(before(&proxies, HTTPS).unwrap(), "proxy:1 Basic dXNAZXI6cDpzcw==");
    assert_eq!(chosen(&[("https_proxy", "http://user@proxy:1")], HTTPS).unwrap(), "proxy:1 Basic dXNlcjo=");
    let uri = Uri::from_static(HTTPS);
    let shown = format!("{proxies:?} {:?}", proxies.before(&Target::parse(&uri).unwrap(), &uri));
    assert!(!shown.contains("p:ss") && !shown.contains("p%3Ass") && !shown.contains("dXNAZXI"), "{shown}");
}

#[test]
fn what_is_no_proxy_is_an_error_that_keeps_the_secret() {
    let hopeless = [
        "socks5://u:secret@proxy:1",
        "socks5h://u:secret@proxy:1",
        "ftp://u:secret@proxy:1",
        "http://u:secret@",
        "http://u:secret@0x7f.1:3128",
        "http://u:secret@proxy:0",
        "http://u:secret@proxy:port",
        "u:secret secret",
        "http://",
    ];
    for url in hopeless {
        for variables in [[("ALL_PROXY", url)], [("HTTPS_PROXY", url)], [("http_proxy", url)]] {
            let error = environment(&variables).unwrap_err().to_string();
            assert!(error.contains(variables[0].0) && !error.contains("secret"), "{url}: {error}");
        }
        let error = Proxies::read(&ProxyChoice::Url(url.into()), |_| None).unwrap_err();
        assert!(matches!(error, ConnectError::Proxy(_)), "{error:?}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    // What another variable overrides is not looked at.
    let variables =
        [("ALL_PROXY", "socks5://x"), ("HTTPS_PROXY", "http://secure:1"), ("HTTP_PROXY", "http://plain:1")];
    assert_eq!(chosen(&variables, HTTPS).unwrap(), "secure:1");
}
