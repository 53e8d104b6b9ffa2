//! However a stream of any framing is split, the same events are cut, and what is kept is what came.

#![no_main]

use dragoman_core::frames::{Cut, Cutter, Event, Framing};
use libfuzzer_sys::fuzz_target;

const CAP: usize = 1 << 20;

fn cut<'a>(framing: Framing, chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<Event>, Vec<u8>, Result<(), String>) {
    let mut cutter = Cutter::new(framing, CAP, true);
    let mut cut = Cut::default();
    for chunk in chunks {
        if let Err(error) = cutter.push(chunk, &mut cut) {
            return (cut.events, cut.raw, Err(error));
        }
    }
    let end = cutter.finish(&mut cut);
    (cut.events, cut.raw, end)
}

fuzz_target!(|input: (usize, &[u8])| {
    let (seed, stream) = input;
    for framing in [Framing::Sse, Framing::EventStream, Framing::Lines] {
        let whole = cut(framing, std::iter::once(stream));
        assert_eq!(cut(framing, stream.chunks(seed % 7 + 1)), whole);
        let (before, after) = stream.split_at(seed % (stream.len() + 1));
        assert_eq!(cut(framing, [before, after].into_iter()), whole);
        // A line that nothing ended is ended when it is cut.
        let raw = whole.1.strip_suffix(b"\n").unwrap_or(&whole.1);
        assert!(stream.starts_with(raw));
        assert!(whole.0.iter().all(|event| event.1.len() <= stream.len()));
    }
});
