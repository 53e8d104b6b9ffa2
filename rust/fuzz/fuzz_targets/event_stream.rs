//! Whatever headers a message has, and however it is split, the same comes out; what is spoilt is never taken.

#![no_main]

use dragoman_core::frames::eventstream::{Message, MessageReader, write_message};
use libfuzzer_sys::fuzz_target;

const CAP: usize = 1 << 20;

/// A message of these bytes whose lengths and checksums hold, so that the reader looks into its headers.
fn framed(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let total = u32::try_from(16 + headers.len() + payload.len()).expect("inputs are short");
    bytes.extend(total.to_be_bytes());
    bytes.extend(u32::try_from(headers.len()).expect("inputs are short").to_be_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend(headers);
    bytes.extend(payload);
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

fn read<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<(Message, Vec<u8>)>, bool) {
    let mut reader = MessageReader::new(CAP);
    let mut messages = Vec::new();
    for chunk in chunks {
        reader.push(chunk);
        while let Some(message) = reader.next_message() {
            let Ok(message) = message else {
                assert!(reader.next_message().is_none(), "nothing comes after an error");
                return (messages, true);
            };
            messages.push((message, reader.last_raw().to_vec()));
        }
    }
    (messages, false)
}

fuzz_target!(|input: (usize, &[u8], &[u8])| {
    let (seed, headers, payload) = input;
    let mut stream = framed(headers, payload);
    stream.extend(write_message("chunk", payload, seed % 2 == 0));
    let whole = read(std::iter::once(stream.as_slice()));
    assert_eq!(read(stream.chunks(seed % 7 + 1)), whole);
    let (messages, is_broken) = &whole;
    assert!(*is_broken || messages.len() == 2);
    let bytes: Vec<u8> = messages.iter().flat_map(|(_, raw)| raw.clone()).collect();
    assert!(stream.starts_with(&bytes));
    assert!(messages.iter().all(|(message, _)| message.payload == payload));

    // One bit, anywhere in the first message.
    let at = seed % (stream.len() * 8);
    stream[at / 8] ^= 1 << (at % 8);
    let spoilt = read(std::iter::once(stream.as_slice())).0;
    assert!(spoilt.len() < 2, "a message whose checksum is wrong was taken");

    // And bytes that are no message at all.
    read(headers.chunks(seed % 7 + 1));
});
