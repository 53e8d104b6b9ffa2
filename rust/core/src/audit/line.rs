//! The lines of a segment.

use data_encoding::HEXLOWER;

use super::chain::{Hash, unhex};

/// What stands in a record's place that was taken out.
pub const TAKEN_OUT: &[u8] = b"-";
const HEX_BYTES: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    pub seq: u64,
    pub hash: Hash,
    /// `None`: it was taken out.
    pub record: Option<&'a [u8]>,
}

/// A line without its end; `None` where it is none.
pub fn read_line(text: &[u8]) -> Option<Line<'_>> {
    let space = memchr::memchr(b' ', text)?;
    let number = std::str::from_utf8(text.get(..space)?).ok()?;
    let rest = text.get(space + 1..)?;
    let hash = unhex(std::str::from_utf8(rest.get(..HEX_BYTES)?).ok()?)?;
    let (separator, record) = rest.get(HEX_BYTES..)?.split_first()?;
    // One number is written in one way: nothing is changed unseen.
    let seq: u64 = number.parse().ok().filter(|seq: &u64| seq.to_string() == number)?;
    let record = (record != TAKEN_OUT).then_some(record);
    (*separator == b' ').then_some(Line { seq, hash, record })
}

/// Adds a line with its end.
pub fn write_line(out: &mut Vec<u8>, seq: u64, hash: &Hash, record: &[u8]) {
    out.extend_from_slice(seq.to_string().as_bytes());
    out.push(b' ');
    let start = out.len();
    out.resize(start + HEX_BYTES, 0);
    HEXLOWER.encode_mut(hash, out.split_at_mut(start).1);
    out.push(b' ');
    out.extend_from_slice(record);
    out.push(b'\n');
}
