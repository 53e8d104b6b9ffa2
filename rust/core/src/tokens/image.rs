//! What an image in a request costs, by the rules that OpenAI publishes.
//!
//! Tiles: an image is scaled to fit 2048 x 2048, then until its short side is at most 768, and each tile of 512 x 512
//! that is begun is paid for. Patches: each patch of 32 x 32 that is begun, the image being scaled down first when
//! those are too many. The size stands in the file's first bytes, so only the head of a data URL is decoded.

use super::model::Vision;

/// Bytes of a file in which its size is looked for; the preamble of a photograph can be long.
const HEAD_BYTES: usize = 96 * 1024;
const HIGH_DETAIL_SIDE: f64 = 2048.0;
const HIGH_DETAIL_SHORT_SIDE: f64 = 768.0;
const TILE: f64 = 512.0;
const PATCH: f64 = 32.0;

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub width: u32,
    pub height: u32,
}

/// What is taken for an image whose size is not to be seen.
pub const TYPICAL: Size = Size { width: 1024, height: 1024 };

/// The tokens of an image of this size. `low` detail is one price, where the model has it.
pub fn tokens(vision: Vision, size: Size, low: bool) -> usize {
    let (width, height) = (f64::from(size.width.max(1)), f64::from(size.height.max(1)));
    match vision {
        Vision::Tiles { image, .. } if low => image,
        Vision::Tiles { image, tile } => {
            let fit = (HIGH_DETAIL_SIDE / width.max(height)).min(1.0);
            let scale = fit * (HIGH_DETAIL_SHORT_SIDE / (width.min(height) * fit)).min(1.0);
            image + tile * (steps(width * scale, TILE) * steps(height * scale, TILE))
        }
        Vision::Patches { factor, most, marks } => {
            (patches(width, height, most) as f64 * factor).ceil() as usize + marks
        }
    }
}

/// How many steps cover a length. Half a pixel is forgiven, for what scaling rounds.
fn steps(length: f64, step: f64) -> usize {
    ((length - 0.5) / step).ceil().max(1.0) as usize
}

fn patches(width: f64, height: f64, most: usize) -> usize {
    let covering = |scale: f64| (width * scale / PATCH).ceil() * (height * scale / PATCH).ceil();
    let all = covering(1.0);
    if all <= most as f64 {
        return all as usize;
    }
    // Scaled to the allowed area, then a little more, to whole patches along the side that gets fewer of them.
    let scale = (most as f64 * PATCH * PATCH / (width * height)).sqrt();
    let (across, down) = (width * scale / PATCH, height * scale / PATCH);
    let scale = scale * (across.floor() / across).min(down.floor() / down);
    covering(scale).min(most as f64) as usize
}

/// The size of the image in a `data:` URL; `None` for any other URL and for what is no image we can read.
pub fn size_in_url(url: &[u8]) -> Option<Size> {
    let (head, data) = url.strip_prefix(b"data:").and_then(|url| split_at_comma(url))?;
    head.ends_with(b";base64").then(|| size_in_file(&decode_head(data)))?
}

fn split_at_comma(url: &[u8]) -> Option<(&[u8], &[u8])> {
    let comma = memchr::memchr(b',', url.get(..url.len().min(256))?)?;
    Some((url.get(..comma)?, url.get(comma + 1..)?))
}

/// Decodes the first bytes of base64, plain or URL-safe; stops at what is neither. (A crate would want the whole, or
/// its padding.)
fn decode_head(data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0_u32, 0);
    for character in data.iter().filter(|character| **character != b'\\').take(HEAD_BYTES / 3 * 4) {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => break,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}

/// The size in the head of a PNG, JPEG, GIF or WebP file.
pub fn size_in_file(bytes: &[u8]) -> Option<Size> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return size(big(bytes, 16, 4)?, big(bytes, 20, 4)?);
    }
    if bytes.starts_with(b"GIF8") {
        return size(little(bytes, 6, 2)?, little(bytes, 8, 2)?);
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return webp(bytes);
    }
    if bytes.starts_with(b"\xff\xd8") { jpeg(bytes) } else { None }
}

fn webp(bytes: &[u8]) -> Option<Size> {
    match bytes.get(12..16)? {
        b"VP8X" => size(little(bytes, 24, 3)? + 1, little(bytes, 27, 3)? + 1),
        b"VP8L" => {
            let bits = little(bytes, 21, 4)?;
            size((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1)
        }
        b"VP8 " => size(little(bytes, 26, 2)? & 0x3fff, little(bytes, 28, 2)? & 0x3fff),
        _ => None,
    }
}

/// Walks a JPEG's segments to the one that begins a frame.
fn jpeg(bytes: &[u8]) -> Option<Size> {
    let mut at = 2;
    loop {
        if *bytes.get(at)? != 0xff {
            return None;
        }
        match *bytes.get(at + 1)? {
            0xff => at += 1,
            0xc4 | 0xc8 | 0xcc => at += 2 + big(bytes, at + 2, 2)? as usize,
            0xc0..=0xcf => return size(big(bytes, at + 7, 2)?, big(bytes, at + 5, 2)?),
            _ => at += 2 + big(bytes, at + 2, 2)? as usize,
        }
    }
}

fn size(width: u32, height: u32) -> Option<Size> {
    (width > 0 && height > 0).then_some(Size { width, height })
}

fn big(bytes: &[u8], at: usize, length: usize) -> Option<u32> {
    Some(bytes.get(at..at + length)?.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

fn little(bytes: &[u8], at: usize, length: usize) -> Option<u32> {
    Some(bytes.get(at..at + length)?.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

#[cfg(test)]
mod tests;
