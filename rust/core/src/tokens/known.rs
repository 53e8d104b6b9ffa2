//! A small memory of pieces that are no entries and of how many tokens each is.
//!
//! One piece in ten is a name or a rare word that must be merged, which takes as long as looking up ten others; and
//! the same names come again and again. A row holds a piece of up to fifteen bytes whole, so that a hit is a
//! comparison of one number and can never be wrong; a new piece takes the row of an old one.

/// Rows; with sixteen bytes each, what fits beside the vocabulary in a core's own cache.
const ROWS: usize = 4096;
/// Longer pieces are not remembered.
pub const LONGEST: usize = 15;

const LENGTH_SHIFT: u32 = 120;
const COUNT_SHIFT: u32 = 124;

/// Pieces of one vocabulary.
pub struct KnownPieces {
    rows: Box<[u128]>,
}

impl Default for KnownPieces {
    fn default() -> Self {
        KnownPieces { rows: vec![0; ROWS].into_boxed_slice() }
    }
}

impl KnownPieces {
    /// The tokens of the piece with these bytes (as a number), this length and this hash.
    #[inline]
    pub fn get(&self, key: u128, length: usize, hash: u64) -> Option<usize> {
        let row = self.rows.get(hash as usize % ROWS).copied().unwrap_or_default();
        let count = (row >> COUNT_SHIFT) as usize;
        let known = row & ((1 << COUNT_SHIFT) - 1) == key | (length as u128) << LENGTH_SHIFT;
        (known && count > 0).then_some(count)
    }

    /// Remembers how many tokens a piece of at most `LONGEST` bytes is.
    #[inline]
    pub fn put(&mut self, key: u128, length: usize, hash: u64, count: usize) {
        if let Some(row) = self.rows.get_mut(hash as usize % ROWS) {
            *row = key | (length as u128) << LENGTH_SHIFT | (count.min(LONGEST) as u128) << COUNT_SHIFT;
        }
    }
}

#[cfg(test)]
mod tests;
