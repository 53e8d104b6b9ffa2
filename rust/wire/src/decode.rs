//! Compressed bodies, decoded as they come and within limits.
//!
//! A compressed body is a small thing that says how large it is going to be, and it may lie: ten megabytes of gzip
//! hold ten gigabytes of zeros. So two limits hold at every byte: the decoded size, and, past the first MiB, the ratio
//! to what was received. One layer is read, no more; checksums are checked; a body that ends early is an error.
//!
//! gzip and deflate only: they are what is asked for with `Accept-Encoding: gzip`, and what servers send unasked.

use std::fmt::Display;

use bytes::Bytes;
use flate2::{Decompress, FlushDecompress, Status};

/// Decoded bytes a received byte may become, at most...
const RATIO: usize = 100;
/// ... once this many are decoded.
const RATIO_FLOOR_BYTES: usize = 1024 * 1024;
/// How much is decoded at a time, so that a limit is noticed in time.
const PIECE_BYTES: usize = 64 * 1024;
/// The window of a gzip stream: 32 KiB, as large as there is.
const WINDOW_BITS: u8 = 15;

/// Why a body cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not what the encoding says, or its checksum is wrong.
    #[error("corrupt {encoding}: {reason}")]
    Corrupt {
        /// The encoding.
        encoding: &'static str,
        /// What the decoder found.
        reason: String,
    },
    /// The body ended before its encoding did.
    #[error("the body ended inside its encoding")]
    Truncated,
    /// Decoded, the body is over the limit.
    #[error("over {limit_bytes} bytes when decoded")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// The body is a bomb.
    #[error("over {RATIO} times its size when decoded")]
    Ratio,
}

/// A body's decoder.
#[derive(Debug)]
pub struct Decoder {
    format: Format,
    /// None until the first byte has come.
    inflate: Option<Decompress>,
    has_ended: bool,
    max_decoded_bytes: usize,
    received_bytes: usize,
    decoded_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Gzip,
    Deflate,
}

impl Decoder {
    /// A decoder for a `Content-Encoding`, whatever its case; at most `max_decoded_bytes` will come out. None for
    /// `identity`, for several layers, and for what is not read here.
    #[must_use]
    pub fn new(encoding: &str, max_decoded_bytes: usize) -> Option<Self> {
        let format = match encoding.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Format::Gzip,
            "deflate" => Format::Deflate,
            _ => return None,
        };
        Some(Self {
            format,
            inflate: None,
            has_ended: false,
            max_decoded_bytes,
            received_bytes: 0,
            decoded_bytes: 0,
        })
    }

    /// Decodes the next bytes of a body: all that can be known from them comes out.
    ///
    /// # Errors
    /// Every [`DecodeError`] but `Truncated`. The decoder is of no use after one.
    pub fn feed(&mut self, data: &[u8]) -> Result<Bytes, DecodeError> {
        self.received_bytes += data.len();
        let mut decoded = Vec::new();
        let mut rest = data;
        while let Some(&first) = rest.first() {
            let used = self.step(first, rest, &mut decoded)?;
            rest = rest.get(used..).unwrap_or_default();
        }
        Ok(decoded.into())
    }

    /// Says that the body has ended.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when its encoding has not. A body without a byte is no error.
    pub fn finish(&mut self) -> Result<(), DecodeError> {
        if self.has_ended || self.inflate.is_none() { Ok(()) } else { Err(DecodeError::Truncated) }
    }

    /// Decodes from `rest`, which begins with `first`, until it is used up or one stream ends; says what was used.
    fn step(&mut self, first: u8, rest: &[u8], decoded: &mut Vec<u8>) -> Result<usize, DecodeError> {
        if self.has_ended {
            self.begin_next_member()?;
        }
        let format = self.format;
        let inflate = self.inflate.get_or_insert_with(|| match format {
            Format::Gzip => Decompress::new_gzip(WINDOW_BITS),
            Format::Deflate => Decompress::new(is_zlib(first)),
        });
        let mut used = 0;
        loop {
            let input = rest.get(used..).unwrap_or_default();
            let (used_before, decoded_before) = (inflate.total_in(), decoded.len());
            decoded.reserve((4 * input.len()).clamp(1024, PIECE_BYTES));
            let status = inflate.decompress_vec(input, decoded, FlushDecompress::None);
            let status = status.map_err(|error| format.corrupt(&error))?;
            used += usize::try_from(inflate.total_in() - used_before).unwrap_or(usize::MAX);
            self.decoded_bytes += decoded.len() - decoded_before;
            within_limits(self.received_bytes, self.decoded_bytes, self.max_decoded_bytes)?;
            if status == Status::StreamEnd {
                self.has_ended = true;
                return Ok(used);
            }
            // Room left over means that nothing more can come out of what has come in.
            if decoded.len() < decoded.capacity() {
                return Ok(rest.len());
            }
        }
    }

    /// A gzip body may be several members in a row (RFC 1952, 2.2); after deflate nothing may follow.
    fn begin_next_member(&mut self) -> Result<(), DecodeError> {
        match self.format {
            Format::Gzip => self.inflate = None,
            Format::Deflate => return Err(self.format.corrupt(&"bytes after its end")),
        }
        self.has_ended = false;
        Ok(())
    }
}

impl Format {
    fn corrupt(self, reason: &dyn Display) -> DecodeError {
        let encoding = match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        };
        DecodeError::Corrupt { encoding, reason: reason.to_string() }
    }
}

/// Whether a `deflate` body has zlib's wrapper, as RFC 9110 says, or is bare, as some servers send it. A bare one could
/// begin with such a byte only if it padded a stored block with ones.
fn is_zlib(first: u8) -> bool {
    first & 0x0f == 8 && first >> 4 <= 7
}

fn within_limits(
    received_bytes: usize,
    decoded_bytes: usize,
    max_decoded_bytes: usize,
) -> Result<(), DecodeError> {
    if decoded_bytes > max_decoded_bytes {
        return Err(DecodeError::TooLarge { limit_bytes: max_decoded_bytes });
    }
    if decoded_bytes > RATIO_FLOOR_BYTES && decoded_bytes / RATIO > received_bytes {
        return Err(DecodeError::Ratio);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
