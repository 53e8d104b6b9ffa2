use super::*;

fn shape(body_bytes: usize, vary: Vary) -> Shape {
    Shape {
        model: "bench.whole".to_owned(),
        body_bytes,
        stream: false,
        vary,
        headers: vec!["a: b".to_owned()],
    }
}

fn split(wire: &[u8]) -> (String, serde_json::Value, usize) {
    let text = String::from_utf8(wire.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), serde_json::from_str(body).unwrap(), body.len())
}

#[test]
fn bodies_have_the_asked_length() {
    let target: Target = "http://127.0.0.1:9/v1/x".parse().unwrap();
    for bytes in [700, 934, 3000, 20_480] {
        let mut request = Request::new(&target, &shape(bytes, Vary::Last));
        let (head, body, length) = split(request.numbered(7));
        assert_eq!(length, bytes);
        assert!(head.starts_with("POST /v1/x HTTP/1.1\r\nhost: 127.0.0.1:9\r\n") && head.ends_with("a: b"));
        let messages = body["messages"].as_array().unwrap();
        assert!(messages.last().unwrap()["content"].as_str().unwrap().starts_with("No. 000000007: "));
    }
}

#[test]
fn numbers_go_where_they_should() {
    let target: Target = "http://127.0.0.1:9/".parse().unwrap();
    let count = |vary| {
        let mut request = Request::new(&target, &shape(20_480, vary));
        String::from_utf8(request.numbered(42).to_vec()).unwrap().matches("000000042").count()
    };
    assert_eq!(count(Vary::Nothing), 0);
    assert_eq!(count(Vary::Last), 1);
    assert!(count(Vary::All) > 8);
}

#[test]
fn only_plain_loopback_is_a_target() {
    assert!("http://127.0.0.1:80/x".parse::<Target>().is_ok());
    assert!("http://[::1]:80".parse::<Target>().is_ok());
    for url in ["http://10.0.0.1:80/", "https://127.0.0.1:80/", "127.0.0.1:80", "http://localhost/"] {
        assert!(url.parse::<Target>().is_err(), "{url}");
    }
}
