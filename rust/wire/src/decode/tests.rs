use flate2::{Compress, Compression, FlushCompress};

use super::*;

const PLENTY: usize = 64 * 1024 * 1024;

#[derive(Clone, Copy)]
enum Form {
    Gzip,
    Zlib,
    Bare,
}

fn encode(form: Form, level: Compression, text: &[u8]) -> Vec<u8> {
    let mut compress = match form {
        Form::Gzip => Compress::new_gzip(level, WINDOW_BITS),
        Form::Zlib => Compress::new(level, true),
        Form::Bare => Compress::new(level, false),
    };
    let mut encoded = Vec::with_capacity(text.len() + text.len() / 8 + 128);
    compress.compress_vec(text, &mut encoded, FlushCompress::Finish).unwrap();
    encoded
}

fn gzip(text: &[u8]) -> Vec<u8> {
    encode(Form::Gzip, Compression::default(), text)
}

/// Decodes pieces one after the other, to the end.
fn decode<'a>(
    encoding: &str,
    max: usize,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, DecodeError> {
    let mut decoder = Decoder::new(encoding, max).unwrap();
    let mut decoded = Vec::new();
    for piece in pieces {
        decoded.extend_from_slice(&decoder.feed(piece)?);
    }
    decoder.finish().map(|()| decoded)
}

const ALPHABET: &[u8] = b"etaoin shrdlu\n{}\":,";

/// Bytes that do not compress well, but somewhat.
fn prose(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ALPHABET[(state >> 33) as usize % ALPHABET.len()]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn every_form_is_decoded_at_every_split() {
    let text = prose(700);
    for (encoding, form) in [("gzip", Form::Gzip), ("deflate", Form::Zlib), ("deflate", Form::Bare)] {
        for level in [Compression::none(), Compression::fast(), Compression::best()] {
            let encoded = encode(form, level, &text);
            for at in 0..=encoded.len() {
                let (left, right) = encoded.split_at(at);
                assert_eq!(decode(encoding, PLENTY, [left, right]).unwrap(), text, "{encoding} {at}");
            }
            assert_eq!(decode(encoding, PLENTY, encoded.chunks(1)).unwrap(), text, "{encoding} by bytes");
        }
    }
}

#[test]
fn large_bodies_are_decoded_in_one_piece_and_in_many() {
    let text = prose(3 * 1024 * 1024);
    let encoded = gzip(&text);
    assert!(decode("gzip", PLENTY, [&encoded[..]]).unwrap() == text);
    assert!(decode("gzip", PLENTY, encoded.chunks(1460)).unwrap() == text);
}

#[test]
fn what_has_come_is_not_held_back() {
    let mut compress = Compress::new_gzip(Compression::default(), WINDOW_BITS);
    let mut decoder = Decoder::new("gzip", PLENTY).unwrap();
    for number in 0..50 {
        let event = format!("data: {{\"number\":{number}}}\n\n");
        let mut encoded = Vec::with_capacity(1024);
        compress.compress_vec(event.as_bytes(), &mut encoded, FlushCompress::Sync).unwrap();
        assert_eq!(decoder.feed(&encoded).unwrap(), event.as_bytes());
    }
    assert_eq!(decoder.finish(), Err(DecodeError::Truncated));
}

#[test]
fn encodings_are_known_by_any_case_and_only_one_layer_of_them() {
    for known in ["gzip", "GZIP", "x-gzip", "deflate", " gzip "] {
        assert!(Decoder::new(known, PLENTY).is_some(), "{known}");
    }
    for unknown in
        ["", "identity", "br", "zstd", "compress", "gzip, gzip", "deflate, gzip", "gzip,", "aws-chunked"]
    {
        assert!(Decoder::new(unknown, PLENTY).is_none(), "{unknown}");
    }
    let twice = gzip(&gzip(b"{}"));
    assert_eq!(decode("gzip", PLENTY, [&twice[..]]).unwrap(), gzip(b"{}"));
}

#[test]
fn every_truncation_is_noticed() {
    let text = prose(300);
    for (encoding, form) in [("gzip", Form::Gzip), ("deflate", Form::Zlib), ("deflate", Form::Bare)] {
        let encoded = encode(form, Compression::default(), &text);
        for length in 1..encoded.len() {
            let result = decode(encoding, PLENTY, [&encoded[..length]]);
            assert_eq!(
                result,
                Err(DecodeError::Truncated),
                "{encoding} cut at {length} of {}",
                encoded.len()
            );
        }
    }
}

#[test]
fn an_empty_body_is_no_error() {
    assert_eq!(decode("gzip", PLENTY, []).unwrap(), b"");
    assert_eq!(decode("gzip", PLENTY, [&[][..]]).unwrap(), b"");
    assert_eq!(decode("gzip", PLENTY, [&gzip(b"")[..]]).unwrap(), b"");
}

#[test]
fn a_wrong_checksum_or_length_is_noticed() {
    let encoded = gzip(&prose(300));
    let tail = encoded.len() - 8;
    for index in tail..encoded.len() {
        let mut wrong = encoded.clone();
        wrong[index] ^= 1;
        let error = decode("gzip", PLENTY, [&wrong[..]]).unwrap_err();
        assert!(matches!(error, DecodeError::Corrupt { encoding: "gzip", .. }), "{index}: {error:?}");
    }
    let mut wrong = encode(Form::Zlib, Compression::default(), &prose(300));
    *wrong.last_mut().unwrap() ^= 1;
    let error = decode("deflate", PLENTY, [&wrong[..]]).unwrap_err();
    assert!(matches!(error, DecodeError::Corrupt { encoding: "deflate", .. }), "{error:?}");
}

#[test]
fn no_single_wrong_bit_passes_for_the_truth() {
    let text = prose(200);
    let encoded = gzip(&text);
    for bit in 0..encoded.len() * 8 {
        let mut wrong = encoded.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        // The header's time, flags of speed and system may be anything.
        if let Ok(decoded) = decode("gzip", PLENTY, [&wrong[..]]) {
            assert_eq!(decoded, text, "bit {bit}");
        }
    }
}

#[test]
fn what_is_not_the_encoding_is_corrupt() {
    for body in [
        &b"{\"id\":\"chatcmpl-1\"}"[..],
        b"<html>",
        b"\x1f\x8b\x07\0\0\0\0\0\0\0",
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
    ] {
        let error = decode("gzip", PLENTY, [body]).unwrap_err();
        assert!(matches!(error, DecodeError::Corrupt { .. }), "{body:?}: {error:?}");
    }
}

#[test]
fn a_gzip_body_may_have_several_members_but_nothing_else_may_follow() {
    let mut encoded = gzip(b"one ");
    encoded.extend(gzip(b""));
    encoded.extend(gzip(b"two"));
    assert_eq!(decode("gzip", PLENTY, [&encoded[..]]).unwrap(), b"one two");
    assert_eq!(decode("gzip", PLENTY, encoded.chunks(1)).unwrap(), b"one two");
    let cut = &encoded[..encoded.len() - 1];
    assert_eq!(decode("gzip", PLENTY, [cut]), Err(DecodeError::Truncated));
    encoded.extend(b"three");
    assert!(matches!(decode("gzip", PLENTY, [&encoded[..]]), Err(DecodeError::Corrupt { .. })));
    let mut deflated = encode(Form::Zlib, Compression::default(), b"one");
    deflated.push(0);
    assert!(matches!(decode("deflate", PLENTY, [&deflated[..]]), Err(DecodeError::Corrupt { .. })));
}

#[test]
fn the_decoded_size_has_a_limit() {
    let text = prose(10_000);
    let encoded = gzip(&text);
    assert_eq!(decode("gzip", 10_000, [&encoded[..]]).unwrap(), text);
    assert_eq!(decode("gzip", 9_999, [&encoded[..]]), Err(DecodeError::TooLarge { limit_bytes: 9_999 }));
    assert_eq!(decode("gzip", 9_999, encoded.chunks(7)), Err(DecodeError::TooLarge { limit_bytes: 9_999 }));
}

#[test]
fn a_bomb_is_noticed_long_before_it_has_gone_off() {
    // A thousand to one: what 64 KiB of it decode to would be 64 MiB.
    let bomb = gzip(&vec![0; 64 * 1024 * 1024]);
    assert!(bomb.len() < 70_000);
    let mut decoder = Decoder::new("gzip", usize::MAX).unwrap();
    assert_eq!(decoder.feed(&bomb), Err(DecodeError::Ratio));
    assert!(decoder.decoded_bytes < 2 * RATIO * bomb.len(), "{}", decoder.decoded_bytes);
    assert_eq!(decode("gzip", usize::MAX, bomb.chunks(100)), Err(DecodeError::Ratio));
    assert_eq!(decode("gzip", 1000, [&bomb[..]]), Err(DecodeError::TooLarge { limit_bytes: 1000 }));
}

#[test]
fn a_small_body_may_be_as_repetitive_as_it_likes() {
    let spaces = vec![b' '; RATIO_FLOOR_BYTES];
    assert!(decode("gzip", PLENTY, [&gzip(&spaces)[..]]).unwrap() == spaces);
    let more = vec![b' '; RATIO_FLOOR_BYTES + RATIO];
    assert_eq!(decode("gzip", PLENTY, [&gzip(&more)[..]]), Err(DecodeError::Ratio));
}

#[test]
fn errors_say_what_is_wrong() {
    assert_eq!(DecodeError::TooLarge { limit_bytes: 5 }.to_string(), "over 5 bytes when decoded");
    assert_eq!(DecodeError::Ratio.to_string(), "over 100 times its size when decoded");
    let error = decode("gzip", PLENTY, [&b"{}"[..]]).unwrap_err();
    assert!(error.to_string().starts_with("corrupt gzip: "), "{error}");
}
