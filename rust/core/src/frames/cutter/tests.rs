use super::super::eventstream::write_message;
use super::*;

fn cut(framing: Framing, parts: &[&[u8]]) -> Result<Vec<(String, String)>, String> {
    let mut cutter = Cutter::new(framing, 256, true);
    let mut all = Cut::default();
    for part in parts {
        cutter.push(part, &mut all)?;
    }
    cutter.finish(&mut all)?;
    assert!(all.raw.starts_with(&parts.concat()), "kept as it came");
    Ok(all.events.into_iter().map(|(name, data)| (name, String::from_utf8(data).unwrap())).collect())
}

fn every_split(framing: Framing, stream: &[u8], expected: &[(&str, &str)]) {
    for at in 0..=stream.len() {
        let found = cut(framing, &[&stream[..at], &stream[at..]]).unwrap();
        let found: Vec<(&str, &str)> = found.iter().map(|(name, data)| (&name[..], &data[..])).collect();
        assert_eq!(found, expected, "split at {at}");
    }
}

#[test]
fn server_sent_events_have_names_and_comments_are_none() {
    let stream = b": ping\n\nevent: a\r\ndata: 1\r\n\r\ndata: 2\ndata: 3\n\ndata: [DONE]\n\n";
    every_split(Framing::Sse, stream, &[("a", "1"), ("", "2\n3"), ("", "[DONE]")]);
}

#[test]
fn lines_end_as_they_like_and_the_last_need_not() {
    every_split(
        Framing::Lines,
        b"{\"a\":1}\n\r\n{\"b\":2}\r\n  \n{\"c\":3}",
        &[("", "{\"a\":1}"), ("", "{\"b\":2}"), ("", "{\"c\":3}")],
    );
}

#[test]
fn messages_have_their_event_s_name() {
    let stream = [write_message("messageStart", b"{}", false), write_message("chunk", b"1", false)].concat();
    every_split(Framing::EventStream, &stream, &[("messageStart", "{}"), ("chunk", "1")]);
}

#[test]
fn what_came_is_kept_only_where_asked_for() {
    let mut cutter = Cutter::new(Framing::Sse, 256, false);
    let mut cut = Cut::default();
    cutter.push(b"data: 1\n\n", &mut cut).unwrap();
    assert_eq!((cut.events.len(), cut.raw.len()), (1, 0));
}

#[test]
fn a_message_that_is_cut_is_an_error() {
    let message = write_message("messageStart", b"{}", false);
    assert!(cut(Framing::EventStream, &[&message[..message.len() - 1]]).is_err());
}

#[test]
fn events_have_a_largest_size() {
    let long = vec![b'x'; 300];
    assert!(cut(Framing::Lines, &[&long]).is_err());
    assert!(cut(Framing::Sse, &[b"data: ", &long, b"\n\n"]).is_err());
    assert!(cut(Framing::EventStream, &[&write_message("chunk", &long, false)]).is_err());
}
