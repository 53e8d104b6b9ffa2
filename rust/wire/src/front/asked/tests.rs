use super::*;

const PLAIN: &str =
    "POST /v1/chat/completions?a=b HTTP/1.1\r\nHost: gateway\r\nX-One: 1\r\nContent-Length: 4\r\n\r\n";

fn take(text: &str) -> Option<(Head, String)> {
    let mut buffer = BytesMut::from(text);
    let (head, ()) = Head::take(&mut buffer, 4096, |_| Some(()))?;
    Some((head, String::from_utf8(buffer.to_vec()).unwrap()))
}

fn with(lines: &str) -> String {
    format!("POST /a HTTP/1.1\r\nHost: gateway\r\n{lines}\r\n")
}

#[test]
fn a_plain_head_is_read_and_what_follows_is_left() {
    let (head, rest) = take(&format!("{PLAIN}body")).unwrap();
    assert_eq!((head.method(), head.path(), head.query()), ("POST", "/v1/chat/completions", "a=b"));
    assert_eq!(head.length, 4);
    let fields: Vec<_> = head.fields().collect();
    assert_eq!(fields, [("host", "gateway"), ("x-one", "1"), ("content-length", "4")]);
    assert_eq!(rest, "body");
}

#[test]
fn a_head_in_pieces_is_not_for_here() {
    for end in 0..PLAIN.len() {
        assert!(take(&PLAIN[..end]).is_none(), "{end}");
    }
}

#[test]
fn what_says_more_is_not_for_here() {
    for line in [
        "Transfer-Encoding: chunked\r\n",
        "transfer-encoding: gzip\r\n",
        "Expect: 100-continue\r\n",
        "Upgrade: websocket\r\n",
        "Connection: close\r\n",
        "Connection: keep-alive, Upgrade\r\n",
        "TE: trailers\r\n",
        "Trailer: x\r\n",
        "HTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        "Host: another\r\n",
        "Content-Length: 1\r\nContent-Length: 1\r\n",
        "Content-Length: 1, 1\r\n",
        "Content-Length: +1\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 1e3\r\n",
        "Content-Length:\r\n",
        "Content-Length: 9999999999999999\r\n",
        "X-Name: caf\u{e9}\r\n",
        "X-Name: a\u{7f}b\r\n",
        "X Name: a\r\n",
        "X-Name : a\r\n",
        " X-Name: a\r\n",
        "X-Name: a\r\n b\r\n",
    ] {
        assert!(take(&with(line)).is_none(), "{line}");
    }
    assert!(take(&with("Connection: Keep-Alive\r\n")).is_some());
    assert!(take(&with("")).is_some_and(|(head, _)| head.length == 0));
}

#[test]
fn what_asks_in_another_way_is_not_for_here() {
    for top in [
        "HEAD / HTTP/1.1",
        "CONNECT a:1 HTTP/1.1",
        "post / HTTP/1.1",
        "GET / HTTP/1.0",
        "GET http://a/ HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET /a%20b HTTP/1.1",
        "GET /a#b HTTP/1.1",
        "GET /\u{e9} HTTP/1.1",
        "PRI * HTTP/2.0",
    ] {
        assert!(take(&format!("{top}\r\nHost: gateway\r\n\r\n")).is_none(), "{top}");
    }
    assert!(take("GET / HTTP/1.1\r\n\r\n").is_none(), "no host");
    assert!(take("GET /?a=%20 HTTP/1.1\r\nHost: gateway\r\n\r\n").is_some());
}

#[test]
fn what_is_too_long_or_not_admitted_is_left_as_it_came() {
    let mut buffer = BytesMut::from(format!("{PLAIN}body").as_str());
    assert!(Head::take(&mut buffer, PLAIN.len() - 1, |_| Some(())).is_none());
    assert_eq!(&buffer[..], format!("{PLAIN}body").as_bytes());
    assert!(Head::take(&mut buffer, PLAIN.len(), |_| None::<()>).is_none());
    assert!(buffer.eq_ignore_ascii_case(format!("{PLAIN}body").as_bytes()));
    let many = "X: 1\r\n".repeat(MOST_FIELDS);
    assert!(take(&with(&many)).is_none());
}

/// Small changes to heads, most of which are still close to one.
#[test]
fn nothing_that_comes_breaks_the_reader() {
    let marks = b"\r\n\0 :;,\x7f\xff%#?/1aZ-";
    let mut seed = 7u64;
    let mut roll = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let mut read = 0;
    for _ in 0..100_000 {
        let mut bytes = format!("{PLAIN}body").into_bytes();
        for _ in 0..roll(4) {
            let at = roll(bytes.len());
            match roll(3) {
                0 => bytes[at] = marks[roll(marks.len())],
                1 => bytes.insert(at, marks[roll(marks.len())]),
                _ => drop(bytes.remove(at)),
            }
        }
        let mut buffer = BytesMut::from(&bytes[..]);
        let Some((head, ())) = Head::take(&mut buffer, 4096, |_| Some(())) else {
            assert_eq!(buffer, bytes);
            continue;
        };
        read += 1;
        assert!(bytes.ends_with(&buffer));
        let end = &bytes[..bytes.len() - buffer.len()];
        assert!(end.ends_with(b"\n\r\n") || end.ends_with(b"\n\n"));
        assert!(METHODS.contains(&head.method()) && head.path().starts_with('/'));
        let lengths: Vec<_> = head.fields().filter(|(name, _)| *name == "content-length").collect();
        assert!(lengths.len() <= 1);
        assert_eq!(head.length, lengths.first().map_or(0, |(_, value)| value.parse().unwrap()));
        assert!(
            head.fields().all(|(name, value)| !name.contains(['\r', '\n', ' ', ':']) && value.is_ascii())
        );
    }
    assert!(read > 30_000, "{read}");
}
