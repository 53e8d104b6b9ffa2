//! Byte-pair merging: the entries that make up a piece which is no entry itself.
//!
//! The rule is to join, again and again, the two neighbours whose union is the entry with the lowest id. Which pair
//! that is, is the smallest of a row of numbers `id << 9 | place`, so that a minimum over plain integers, which
//! compiles to vector instructions, finds it and breaks ties to the left at once; minima of blocks of sixteen are kept
//! so that a join looks at three blocks and not at the row.
//!
//! A piece longer than a window is merged window by window, in linear time. That two neighbours stand side by side
//! in the encoding of a text depends on those two alone: a row of entries is the encoding of its text exactly when
//! each two neighbours are the encoding of theirs. So a window may be cut at a place where the next window begins with
//! the very entry that followed in this one. No text is known for which none of a window's places will do; then the
//! last one is taken.

use std::ops::Range;

use super::vocabulary::Vocabulary;

/// The longest piece that is merged at once.
const WINDOW: usize = WINDOW_BLOCKS * BLOCK;
const WINDOW_BLOCKS: usize = 32;
const PLACE_BITS: u32 = WINDOW.trailing_zeros();
const BLOCK: usize = 16;
const NONE: u32 = u32::MAX;

/// Calls `part` with the range of each entry that `text[piece]` is made of, in order. Most pieces are short, and a
/// small merger costs nothing to set up.
pub fn parts(of: Source<'_>, piece: Range<usize>, mut part: impl FnMut(Range<usize>)) {
    let length = piece.len();
    if length <= BLOCK {
        Merger::<1>::new().whole(of, piece, &mut part);
    } else if length <= 4 * BLOCK {
        Merger::<4>::new().whole(of, piece, &mut part);
    } else if length <= WINDOW {
        Merger::<WINDOW_BLOCKS>::new().whole(of, piece, &mut part);
    } else {
        Merger::<WINDOW_BLOCKS>::new().windows(of, piece, &mut part);
    }
}

/// The room in which a piece is merged.
struct Merger<const BLOCKS: usize> {
    /// For each place where a part begins: the union with the part after it, or `NONE`.
    joins: [[u32; BLOCK]; BLOCKS],
    /// The least join of each block.
    least: [u32; BLOCKS],
    /// For each place where a part begins: where it ends, and where the part before it begins.
    ends: [[u16; BLOCK]; BLOCKS],
    before: [[u16; BLOCK]; BLOCKS],
}

impl<const BLOCKS: usize> Merger<BLOCKS> {
    #[inline]
    fn new() -> Self {
        Merger {
            joins: [[NONE; BLOCK]; BLOCKS],
            least: [NONE; BLOCKS],
            ends: [[0; BLOCK]; BLOCKS],
            before: [[0; BLOCK]; BLOCKS],
        }
    }

    fn whole(&mut self, of: Source<'_>, piece: Range<usize>, part: &mut impl FnMut(Range<usize>)) {
        self.merge(of, piece.clone());
        self.emit(piece, part);
    }

    fn windows(&mut self, of: Source<'_>, piece: Range<usize>, part: &mut impl FnMut(Range<usize>)) {
        let mut window = piece.start..piece.end.min(piece.start + WINDOW);
        self.merge(of, window.clone());
        while window.end < piece.end {
            let step = self.cut(of, window.clone(), piece.end) - window.start;
            // Where text repeats itself, the next window is this one again.
            let mut next = window.clone();
            loop {
                self.emit(next.start..next.start + step, part);
                next = next.start + step..piece.end.min(next.end + step);
                if next.end == piece.end || of.text.get(next.clone()) != of.text.get(window.clone()) {
                    break;
                }
            }
            window = next;
            self.merge(of, window.clone());
        }
        self.emit(window, part);
    }

    /// Tells `part` the parts of a merged range, or of the beginning of one.
    #[inline]
    fn emit(&self, range: Range<usize>, part: &mut impl FnMut(Range<usize>)) {
        let mut at = 0;
        while at < range.len() {
            let end = self.end(at).max(at + 1);
            part(range.start + at..range.start + end);
            at = end;
        }
    }

    /// A place in the second half of the merged window where it may be cut.
    fn cut(&self, of: Source<'_>, window: Range<usize>, piece_end: usize) -> usize {
        let mut places = Vec::new();
        self.emit(window.start..window.start + WINDOW * 3 / 4, &mut |part| places.push(part.end));
        let second_half = places.iter().rev().take_while(|place| **place > window.start + WINDOW / 2);
        let follows_alike = |place: usize| {
            let mut ahead = Merger::<WINDOW_BLOCKS>::new();
            ahead.merge(of, place..piece_end.min(place + WINDOW));
            place + ahead.end(0) == window.start + self.end(place - window.start)
        };
        let place = second_half.copied().find(|place| follows_alike(*place));
        place.or(places.last().copied()).unwrap_or(window.end)
    }

    /// Merges a range of at most `BLOCKS` blocks.
    fn merge(&mut self, of: Source<'_>, range: Range<usize>) {
        let length = range.len().min(BLOCKS * BLOCK);
        self.begin(of, range.start, length);
        let blocks = length.div_ceil(BLOCK);
        loop {
            let best = self.least.iter().take(blocks).copied().fold(NONE, u32::min);
            if best == NONE {
                return;
            }
            let left = best as usize & (WINDOW - 1);
            let middle = self.end(left);
            let right = self.end(middle);
            put(&mut self.ends, left, right as u16);
            put(&mut self.joins, middle, NONE);
            let mut join_left = NONE;
            if right < length {
                put(&mut self.before, right, left as u16);
                join_left = of.join(range.start, left, self.end(right));
            }
            put(&mut self.joins, left, join_left);
            if left > 0 {
                let before = usize::from(get(&self.before, left));
                put(&mut self.joins, before, of.join(range.start, before, right));
                self.refresh(before);
            }
            if left == 0 || BLOCKS > 1 {
                self.refresh(left);
                self.refresh(middle);
            }
        }
    }

    /// Makes every byte a part of its own.
    #[inline]
    fn begin(&mut self, of: Source<'_>, start: usize, length: usize) {
        let bytes = of.text.get(start..start + length).unwrap_or_default();
        let mut byte = bytes.first().copied().unwrap_or_default();
        for (at, &next) in bytes.iter().enumerate().skip(1) {
            let join = of.vocabulary.pair(byte, next).map_or(NONE, |id| id << PLACE_BITS | (at - 1) as u32);
            put(&mut self.joins, at - 1, join);
            put(&mut self.ends, at - 1, at as u16);
            put(&mut self.before, at, at as u16 - 1);
            byte = next;
        }
        put(&mut self.joins, length.saturating_sub(1), NONE);
        put(&mut self.ends, length.saturating_sub(1), length as u16);
        for block in 0..length.div_ceil(BLOCK) {
            self.refresh(block * BLOCK);
        }
    }

    #[inline]
    fn end(&self, at: usize) -> usize {
        usize::from(get(&self.ends, at))
    }

    #[inline]
    fn refresh(&mut self, at: usize) {
        if let (Some(block), Some(least)) = (self.joins.get(at / BLOCK), self.least.get_mut(at / BLOCK)) {
            *least = block.iter().copied().fold(NONE, u32::min);
        }
    }
}

#[inline]
fn get(row: &[[u16; BLOCK]], at: usize) -> u16 {
    row.as_flattened().get(at).copied().unwrap_or_default()
}

#[inline]
fn put<T>(row: &mut [[T; BLOCK]], at: usize, value: T) {
    if let Some(place) = row.as_flattened_mut().get_mut(at) {
        *place = value;
    }
}

/// What is merged, and with which entries.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub vocabulary: &'a Vocabulary,
    pub text: &'a [u8],
}

impl Source<'_> {
    /// The join that makes `left..right` of a range one part.
    #[inline]
    fn join(self, range: usize, left: usize, right: usize) -> u32 {
        match self.vocabulary.id(self.text, range + left..range + right) {
            Some(id) => id << PLACE_BITS | left as u32,
            None => NONE,
        }
    }
}

#[cfg(test)]
mod tests;
