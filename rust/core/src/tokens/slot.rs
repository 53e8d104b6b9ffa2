//! How a vocabulary lies in memory, told once for the build script that writes it and the look-up that reads it.
//!
//! Most look-ups while merging find nothing, and text uses few words often; so nothing-there and often-used are what
//! the layout makes cheap. A hash picks a place in an open-addressed table of four-byte slots, each an id and fourteen
//! bits of the hash: small enough for a core's own cache, and it answers nearly every miss alone. A match is compared
//! with the entry, sixteen bytes in a row sorted by id, where the common words lie together because ids follow
//! frequency. Only entries of more than twelve bytes are compared a third time, with the rest of their bytes.

/// Bytes of a piece that its entry holds.
pub const INLINE: usize = 12;
/// No entry of any vocabulary is longer.
pub const LONGEST: usize = 128;
/// A slot that holds nothing.
pub const EMPTY: u32 = u32::MAX;

const ID_BITS: u32 = 18;
const LENGTH_SHIFT: u32 = 8 * INLINE as u32;
const REST_SHIFT: u32 = LENGTH_SHIFT + 8;

/// The first `length` of sixteen bytes as a little-endian number.
#[inline]
pub fn key_of(bytes: [u8; 16], length: usize) -> u128 {
    let key = u128::from_le_bytes(bytes);
    if length >= 16 { key } else { key & ((1_u128 << (8 * length)) - 1) }
}

/// The hash of a piece of at most 16 bytes: its top bits are the place, its low bits the print.
#[inline]
pub fn hash(key: u128, length: usize) -> u64 {
    let low = (key as u64) ^ 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(length as u64 | 1);
    let high = ((key >> 64) as u64) ^ 0xd6e8_feb8_6659_fd93;
    let product = u128::from(low).wrapping_mul(u128::from(high | 1));
    (product as u64) ^ ((product >> 64) as u64)
}

/// The hash of a piece of more than 16 bytes.
pub fn hash_long(piece: &[u8]) -> u64 {
    piece.chunks(16).fold(piece.len() as u64, |state, chunk| {
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(chunk) {
            *to = *from;
        }
        hash(u128::from_le_bytes(bytes) ^ u128::from(state), 16)
    })
}

/// The place of a hash in a table of `slots` slots, a power of two.
#[inline]
pub fn place(hash: u64, slots: usize) -> usize {
    (hash >> 32) as usize & (slots - 1)
}

/// What a slot holds of a hash, where its id would be zero.
#[inline]
pub fn print(hash: u64) -> u32 {
    (hash as u32) << ID_BITS
}

/// The id in a slot whose print is this one.
#[inline]
pub fn matching(slot: u32, print: u32) -> Option<u32> {
    ((slot ^ print) >> ID_BITS == 0).then_some(slot & ((1 << ID_BITS) - 1))
}

/// An entry without the place of its rest: what a look-up compares.
#[inline]
pub fn tag(key: u128, length: usize) -> u128 {
    (key & ((1 << LENGTH_SHIFT) - 1)) | (length as u128) << LENGTH_SHIFT
}

/// Whether an entry has this tag.
#[inline]
pub fn has(entry: u128, tag: u128) -> bool {
    (entry ^ tag) & ((1 << REST_SHIFT) - 1) == 0
}

/// An entry: its tag, and where the bytes lie of one that is longer than `INLINE`.
pub fn entry(tag: u128, rest: u32) -> u128 {
    tag | u128::from(rest) << REST_SHIFT
}

/// How many bytes an entry is.
#[inline]
pub fn length(entry: u128) -> usize {
    (entry >> LENGTH_SHIFT) as usize & 0xff
}

/// Where the bytes of a long entry begin.
pub fn rest(entry: u128) -> usize {
    (entry >> REST_SHIFT) as usize
}
