//! However a stream is split, the same frames come out and no byte is lost.

#![no_main]

use dragoman_core::frames::{SseReader, Tail};
use libfuzzer_sys::fuzz_target;

const CAP: usize = 1 << 20;

#[derive(Debug, Default, PartialEq)]
struct Read {
    frames: Vec<(Vec<u8>, Option<String>, Vec<u8>, bool)>,
    unterminated: Vec<u8>,
}

fn read<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Read {
    let mut reader = SseReader::new(CAP);
    let mut read = Read::default();
    for chunk in chunks {
        reader.push(chunk);
        drain(&mut reader, &mut read);
    }
    if let Tail::Unterminated(bytes) = reader.finish() {
        read.unterminated = bytes;
    }
    drain(&mut reader, &mut read);
    read
}

fn drain(reader: &mut SseReader, read: &mut Read) {
    while let Some(frame) = reader.next() {
        let frame = frame.expect("the input is smaller than the cap");
        let event = frame.event.map(|event| event.into_owned());
        read.frames.push((frame.raw.to_vec(), event, frame.data.into_owned(), frame.is_comment));
    }
}

fuzz_target!(|input: (usize, &[u8])| {
    let (seed, stream) = input;
    let whole = read(std::iter::once(stream));
    assert_eq!(read(stream.chunks(seed % 7 + 1)), whole);
    let (before, after) = stream.split_at(seed % (stream.len() + 1));
    assert_eq!(read([before, after].into_iter()), whole);
    let mut bytes: Vec<u8> = whole.frames.iter().flat_map(|frame| frame.0.clone()).collect();
    bytes.extend_from_slice(&whole.unterminated);
    // An LF that belongs to a CR before it may be all that is left, and is no unterminated event.
    assert!(bytes == stream || (stream.strip_prefix(bytes.as_slice()) == Some(b"\n")));
});
