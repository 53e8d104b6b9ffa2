//! Reads texts that are written in base64, base32 or hexadecimal.

use data_encoding::{BASE32_NOPAD, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};

/// Shorter ones hold nothing.
const LEAST: usize = 6;

/// What the run may be read as: nearly always nothing.
pub(super) fn texts(run: &[u8]) -> Vec<String> {
    let run = run.trim_ascii_end();
    let padding = run.iter().rev().take_while(|byte| **byte == b'=').count();
    let bare = run.get(..run.len() - padding).unwrap_or_default();
    let has = |is: fn(&u8) -> bool| bare.iter().any(is);
    let mut texts = Vec::new();
    if bare.iter().all(u8::is_ascii_hexdigit) {
        texts.extend(
            HEXLOWER_PERMISSIVE
                .decode(bare.get(..bare.len() / 2 * 2).unwrap_or(bare))
                .ok()
                .and_then(readable),
        );
    } else if bare.iter().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7')) {
        texts.extend(BASE32_NOPAD.decode(bare).ok().and_then(readable));
    }
    if has(u8::is_ascii_uppercase) && has(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
        // A word may be glued to it (`data=...`), and then only what is behind it can be read.
        let after = bare.iter().rposition(|byte| *byte == b'=').map_or(0, |at| at + 1);
        let value = bare.get(after..).unwrap_or_default();
        let whole = value.get(..value.len() - usize::from(value.len() % 4 == 1)).unwrap_or_default();
        let url = whole.iter().any(|byte| matches!(byte, b'-' | b'_'));
        let read = if url { BASE64URL_NOPAD.decode(whole) } else { BASE64_NOPAD.decode(whole) };
        texts.extend(read.ok().and_then(readable));
    }
    texts
}

/// The text that the bytes are, if people could read it.
fn readable(bytes: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(bytes).ok()?;
    let strange =
        text.bytes().filter(|byte| *byte < 0x20 && !byte.is_ascii_whitespace() || *byte == 0x7F).count();
    (text.len() >= LEAST && strange * 8 <= text.len()).then_some(text)
}
