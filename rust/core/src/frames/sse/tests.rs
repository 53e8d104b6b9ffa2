//! The reader beside a slow one that sees the whole stream at once.

use proptest::prelude::*;

use super::*;

const CAP: usize = 1 << 20;

/// A frame, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    raw: Vec<u8>,
    event: Option<String>,
    data: Vec<u8>,
    is_comment: bool,
}

fn drain(reader: &mut SseReader, kept: &mut Vec<Kept>) {
    while let Some(frame) = reader.next() {
        let Frame { raw, event, data, is_comment } = frame.unwrap();
        let event = event.map(Cow::into_owned);
        kept.push(Kept { raw: raw.to_vec(), event, data: data.into_owned(), is_comment });
    }
}

fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Kept>, Tail) {
    let mut reader = SseReader::new(CAP);
    let mut kept = Vec::new();
    for chunk in chunks {
        reader.push(chunk);
        drain(&mut reader, &mut kept);
    }
    let tail = reader.finish();
    drain(&mut reader, &mut kept);
    (kept, tail)
}

/// The events that the HTML standard's algorithm dispatches.
fn dispatched(stream: &[u8]) -> Vec<(Option<String>, Vec<u8>)> {
    let text = stream.strip_prefix(BYTE_ORDER_MARK).unwrap_or(stream);
    let text = String::from_utf8_lossy(text).replace("\r\n", "\n").replace('\r', "\n");
    // What no line end ends is dropped with the event it belongs to.
    let lines: Vec<&str> = text.split('\n').collect();
    let (mut events, mut event, mut data) = (Vec::new(), String::new(), None::<String>);
    for line in &lines[..lines.len() - 1] {
        if line.is_empty() {
            let name = Some(std::mem::take(&mut event)).filter(|name| !name.is_empty());
            events.extend(data.take().map(|data| (name, data.into_bytes())));
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => event = value.to_owned(),
            "data" => data = Some(data.map_or(value.to_owned(), |data| format!("{data}\n{value}"))),
            _ => {}
        }
    }
    events
}

/// Checks the frames of a stream, whole, and gives them.
fn check_whole(stream: &[u8]) -> (Vec<Kept>, Tail) {
    let (frames, tail) = read([stream]);
    let events: Vec<_> = frames
        .iter()
        .filter(|frame| !frame.is_comment)
        .map(|frame| (frame.event.clone(), frame.data.clone()))
        .collect();
    assert_eq!(events, dispatched(stream), "{:?}", String::from_utf8_lossy(stream));
    let mut bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.raw.clone()).collect();
    match &tail {
        Tail::Unterminated(rest) => bytes.extend_from_slice(rest),
        Tail::Clean if bytes.len() < stream.len() => bytes.push(b'\n'),
        Tail::Clean => {}
    }
    assert_eq!(bytes, stream, "no byte is lost");
    (frames, tail)
}

fn check_every_split(stream: &[u8]) {
    let whole = check_whole(stream);
    for at in 0..=stream.len() {
        let (before, after) = stream.split_at(at);
        assert_eq!(read([before, after]), whole, "split at {at} of {:?}", String::from_utf8_lossy(stream));
    }
    assert_eq!(read(stream.chunks(1)), whole, "byte by byte");
}

#[test]
fn a_stream_may_be_split_anywhere() {
    let chat = "data: {\"choices\":[{\"delta\":{\"content\":\"Grüße 😀\"}}]}\n\n: OPENROUTER PROCESSING\n\nid: 7\n\
        retry: 100\nevent: error\ndata:{\"error\":{}}\n\ndata: a\ndata: b\ndata\n\nunknown: x\n\ndata: [DONE]\n\n";
    for ends in ["\n", "\r\n", "\r"] {
        let stream = chat.replace('\n', ends);
        check_every_split(stream.as_bytes());
        check_every_split(format!("\u{feff}{stream}").as_bytes());
        check_every_split(stream.trim_end().as_bytes());
    }
    check_every_split("\u{feff}\r".as_bytes());
    check_every_split(
        b"data: a\r\n\ndata: b\n\r\ndata: c\r\r\ndata: d\r\n\rdata: e\n\rdata: f\r\r\n\ndata: g\n\r",
    );
}

#[test]
fn fields_are_read_as_the_standard_says() {
    let (frames, tail) =
        check_whole(b"event:\ndata:x\n\nevent: a\nevent: b\ndata:  x\n\ndata\n\n:c\n\n\ndata: lost");
    let seen: Vec<_> = frames
        .iter()
        .map(|frame| (frame.event.as_deref(), frame.data.as_slice(), frame.is_comment))
        .collect();
    let expected: [(Option<&str>, &[u8], bool); 5] = [
        (None, b"x", false),
        (Some("b"), b" x", false),
        (None, b"", false),
        (None, b"", true),
        (None, b"", true),
    ];
    assert_eq!(seen, expected);
    assert_eq!(tail, Tail::Unterminated(b"data: lost".to_vec()));
}

#[test]
fn a_frame_waits_for_no_byte_that_cannot_matter() {
    for stream in [&b"data: x\n\n"[..], b"data: x\r\n\r\n", b"data: x\r\r"] {
        let mut reader = SseReader::new(CAP);
        reader.push(stream);
        assert!(reader.next().is_some(), "{stream:?}");
    }
}

#[test]
fn an_event_may_be_as_large_as_the_cap_and_no_larger() {
    let event = [b"data: ".as_slice(), &b"x".repeat(100), b"\n\n"].concat();
    for (cap, fits) in [(event.len(), true), (event.len() - 1, false)] {
        for size in [1, 7, event.len()] {
            let mut reader = SseReader::new(cap);
            let mut outcomes = Vec::new();
            for chunk in event.chunks(size) {
                reader.push(chunk);
                outcomes.extend(reader.next().map(|frame| frame.map(|frame| frame.raw.to_vec())));
            }
            let expected = if fits { Ok(event.clone()) } else { Err(FrameError::TooLarge) };
            assert_eq!(outcomes, [expected]);
        }
    }
}

#[test]
fn an_endless_line_is_let_go_at_the_cap() {
    let mut reader = SseReader::new(4096);
    let mut failures = 0;
    for _ in 0..100_000 {
        reader.push(&[b'x'; 1024]);
        failures += usize::from(reader.next().is_some_and(|frame| frame.is_err()));
        assert!(reader.buffer.capacity() <= 2 * (4096 + 1024));
    }
    assert_eq!(failures, 1);
    assert_eq!(reader.finish(), Tail::Clean);
}

#[test]
fn a_million_events_in_one_push_take_one_pass() {
    let mut reader = SseReader::new(CAP);
    reader.push(&b"data:\n\n".repeat(1_000_000));
    let mut count = 0;
    while let Some(frame) = reader.next() {
        count += usize::from(!frame.unwrap().is_comment);
        // A caller that pushes before it has taken all must not make the reader move the rest each time.
        reader.push(b"");
    }
    assert_eq!(count, 1_000_000);
}

#[test]
fn what_is_written_reads_back() {
    let mut out = Vec::new();
    write_event(None, b"{}", &mut out);
    write_event(Some("er\nror"), b"a\nb\r\nc\rd\n", &mut out);
    assert_eq!(out, b"data: {}\n\nevent: er ror\ndata: a\ndata: b\ndata: c\ndata: d\ndata: \n\n");
    let (frames, _) = check_whole(&out);
    assert_eq!(frames[1].data, b"a\nb\nc\nd\n");
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"\n"[..],
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"data: ",
        b"data:",
        b"data",
        b"event: e",
        b": c",
        b":",
        b" ",
        b"x",
        b"id: 1",
        b"\xEF\xBB\xBF",
        "é".as_bytes(),
        b"\xFF",
        b"[DONE]",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_stream_may_be_split_anywhere(stream in stream()) {
        // Lossy decoding of a broken character swallows no line end, but would differ in data.
        if std::str::from_utf8(&stream).is_ok() {
            check_every_split(&stream);
        } else {
            let whole = read([stream.as_slice()]);
            prop_assert_eq!(read(stream.chunks(1)), whole);
        }
    }

    #[test]
    fn any_data_reads_back(data in "[a-c\n ]{0,20}", name in prop::option::of("[a-z]{1,5}")) {
        let mut out = Vec::new();
        write_event(name.as_deref(), data.as_bytes(), &mut out);
        let (frames, tail) = read([out.as_slice()]);
        prop_assert_eq!(tail, Tail::Clean);
        prop_assert_eq!(&frames[0].data, data.as_bytes());
        prop_assert_eq!(&frames[0].event, &name);
    }
}
