use super::*;

fn written(status: u16, lines: &Lines, framing: Framing, closes: bool) -> String {
    let mut out = BytesMut::new();
    head(&mut out, (status, lines), framing, closes);
    let text = String::from_utf8(out.to_vec()).unwrap();
    text.lines().filter(|line| !line.starts_with("date: ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_head_says_how_its_body_ends() {
    let mut lines = Lines::default();
    assert!(lines.add("content-type", "a/b"));
    let of = |status, length| written(status, &lines, Framing::of(status, length), false);
    assert_eq!(of(200, Some(3)), "HTTP/1.1 200 OK\ncontent-type: a/b\ncontent-length: 3\n");
    assert_eq!(of(200, None), "HTTP/1.1 200 OK\ncontent-type: a/b\ntransfer-encoding: chunked\n");
    assert_eq!(of(204, Some(0)), "HTTP/1.1 204 No Content\ncontent-type: a/b\n");
    assert_eq!(of(599, Some(0)), "HTTP/1.1 599 \ncontent-type: a/b\ncontent-length: 0\n");
    let closing = written(200, &Lines::default(), Framing::Length(0), true);
    assert_eq!(closing, "HTTP/1.1 200 OK\ncontent-length: 0\nconnection: close\n");
}

#[test]
fn a_head_says_when_it_was_written() {
    let mut out = BytesMut::new();
    head(&mut out, (200, &Lines::default()), Framing::None, false);
    let text = String::from_utf8(out.to_vec()).unwrap();
    let date = text.lines().find_map(|line| line.strip_prefix("date: ")).unwrap();
    let age = SystemTime::now().duration_since(httpdate::parse_http_date(date).unwrap()).unwrap();
    assert!(age.as_secs() < 60, "{date}");
}

#[test]
fn what_frames_an_answer_is_not_for_others_to_say() {
    let mut lines = Lines::default();
    for name in ["Connection", "date", "Transfer-Encoding", "content-length"] {
        assert!(lines.add(name, "7"));
    }
    assert_eq!(lines.declared(), Some(7));
    assert_eq!(lines.each().count(), 0);
}

#[test]
fn no_field_breaks_out_of_its_line() {
    let mut lines = Lines::default();
    for (name, value) in [
        ("a", "b\r\nc: d"),
        ("a", "b\nc"),
        ("a\r\nb", "c"),
        ("", "a"),
        ("a b", "c"),
        ("a:", "b"),
        ("a", "\0"),
    ] {
        assert!(!lines.add(name, value), "{name:?}: {value:?}");
    }
    assert!(lines.add("a", "b: c\td \u{e9}"));
    assert!(lines.add("b", ""));
    assert_eq!(lines.each().collect::<Vec<_>>(), [("a", "b: c\td \u{e9}"), ("b", "")]);
}

#[test]
fn pieces_are_told_apart() {
    let mut out = BytesMut::new();
    chunk(&mut out, &[b'x'; 17]);
    out.put_slice(LAST_CHUNK);
    assert_eq!(&out[..], b"11\r\nxxxxxxxxxxxxxxxxx\r\n0\r\n\r\n");
}
