//! Cuts text into the pieces that an encoding's vocabulary is applied to.
//!
//! Each encoding publishes a regular expression for this. Interpreting it is most of a tokeniser's time, so the three
//! are written out by hand here: every alternative starts with a different class of character, or with one optional
//! character before it, so that one look ahead picks the alternative and a piece is read once, front to back. Where
//! the expression would backtrack, the code says what is given back. The expressions, `x++` being a greedy `x+`:
//!
//! ```text
//! o200k   [^\r\n\p{L}\p{N}]? U* L+ S? | [^\r\n\p{L}\p{N}]? U+ L* S? | \p{N}{1,3}
//!         | ' '? [^\s\p{L}\p{N}]+ [\r\n/]* | \s* [\r\n]+ | \s+(?!\S) | \s+
//!         U: Lu Lt Lm Lo M   L: Ll Lm Lo M   S: (?i:'s|'t|'re|'ve|'m|'ll|'d)
//! cl100k  S | [^\r\n\p{L}\p{N}]? \p{L}++ | \p{N}{1,3} | ' '? [^\s\p{L}\p{N}]++ [\r\n]*
//!         | \s++$ | \s*[\r\n] | \s+(?!\S) | \s
//! p50k    '(s|d|m|t|ll|ve|re) | ' '? \p{L}++ | ' '? \p{N}++ | ' '? [^\s\p{L}\p{N}]++
//!         | \s++$ | \s+(?!\S) | \s
//! ```

/// The class of a character, as one bit, so that a set of classes is a mask. The build script writes the same bits.
mod class {
    pub const UPPER: u8 = 1; // Lu Lt
    pub const LOWER: u8 = 1 << 1; // Ll
    pub const CASELESS: u8 = 1 << 2; // Lm Lo
    pub const MARK: u8 = 1 << 3;
    pub const NUMBER: u8 = 1 << 4;
    pub const NEWLINE: u8 = 1 << 5; // \r \n
    pub const SPACE: u8 = 1 << 6; // \s but \r \n
    pub const OTHER: u8 = 1 << 7;

    pub const LETTER: u8 = UPPER | LOWER | CASELESS;
    pub const UPPERISH: u8 = UPPER | CASELESS | MARK;
    pub const LOWERISH: u8 = LOWER | CASELESS | MARK;
    pub const WHITE: u8 = NEWLINE | SPACE;
    pub const SYMBOL: u8 = MARK | OTHER; // [^\s\p{L}\p{N}]
}

use class::*;

static PAGES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/classes.bin"));
const BLOCKS: usize = 0x11_0000 / 256;

/// Classes of the first 128 characters, for the path that nearly all text takes.
#[expect(clippy::indexing_slicing, reason = "a constant is made when compiling")]
static ASCII: [u8; 128] = {
    let mut classes = [OTHER; 128];
    let mut at = 0;
    while at < 128 {
        classes[at] = match at as u8 {
            b'A'..=b'Z' => UPPER,
            b'a'..=b'z' => LOWER,
            b'0'..=b'9' => NUMBER,
            b'\r' | b'\n' => NEWLINE,
            b' ' | b'\t' | 0x0b | 0x0c => SPACE,
            _ => OTHER,
        };
        at += 1;
    }
    classes
};

/// Which of the published expressions cuts the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    O200k,
    Cl100k,
    P50k,
}

/// The end of the piece of `text` that begins at `start`; `start` is inside the text.
#[inline]
pub fn piece_end(pattern: Pattern, text: &str, start: usize) -> usize {
    let text = Text(text.as_bytes());
    let end = match pattern {
        Pattern::O200k => text.o200k(start),
        Pattern::Cl100k => text.cl100k(start),
        Pattern::P50k => text.p50k(start),
    };
    debug_assert!(end > start);
    end
}

#[derive(Clone, Copy)]
struct Text<'a>(&'a [u8]);

impl Text<'_> {
    /// The class of the character at `at` and the place after it; class 0 at the end of the text.
    #[inline]
    fn class(self, at: usize) -> (u8, usize) {
        match self.0.get(at) {
            Some(&byte) => match ASCII.get(usize::from(byte)) {
                Some(&class) => (class, at + 1),
                None => self.wide_class(at, byte),
            },
            None => (0, at),
        }
    }

    /// `class` for a character of more than one byte. The text is UTF-8, so that the bytes after the first are there.
    fn wide_class(self, at: usize, first: u8) -> (u8, usize) {
        let tail = |step: usize| u32::from(self.0.get(at + step).copied().unwrap_or_default() & 0x3f);
        let first = u32::from(first);
        let (code, length) = match first {
            0..0xe0 => ((first & 0x1f) << 6 | tail(1), 2),
            0xe0..0xf0 => ((first & 0x0f) << 12 | tail(1) << 6 | tail(2), 3),
            _ => ((first & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), 4),
        };
        let page = PAGES.get(code as usize >> 8).copied().unwrap_or_default();
        let class = PAGES.get(BLOCKS + usize::from(page) * 256 + (code as usize & 0xff)).copied();
        (class.unwrap_or(OTHER), at + length)
    }

    /// The end of the run of characters of these classes.
    #[inline]
    fn run(self, mut at: usize, classes: u8) -> usize {
        loop {
            if classes & LOWER != 0 {
                at = self.ascii_letters(at, classes & UPPER != 0);
            }
            let (class, next) = self.class(at);
            if class & classes == 0 {
                return at;
            }
            at = next;
        }
    }

    /// Passes over small ASCII letters, and capitals if `either`, eight at a time. Where a word ends is what a processor
    /// guesses wrong when it reads letter by letter, and a wrong guess costs more than the word.
    #[inline]
    fn ascii_letters(self, mut at: usize, either: bool) -> usize {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const HIGHS: u64 = 0x80 * ONES;
        while let Some(bytes) = self.0.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            let bytes = u64::from_le_bytes(*bytes);
            let small = if either { bytes | (0x20 * ONES) } else { bytes } & !HIGHS;
            // The high bit of each byte: it is at least `a`; it is beyond `z`.
            let from_a = small + (0x80 - b'a' as u64) * ONES;
            let beyond_z = small + (0x7f - b'z' as u64) * ONES;
            let others = !(from_a & !beyond_z & !bytes) & HIGHS;
            if others != 0 {
                return at + others.trailing_zeros() as usize / 8;
            }
            at += 8;
        }
        at
    }

    #[inline]
    fn byte(self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or_default()
    }

    #[inline]
    fn o200k(self, start: usize) -> usize {
        let (class, next) = self.class(start);
        if class & LETTER != 0 {
            return self.contraction(self.word(start).unwrap_or(next));
        }
        if class & (MARK | SPACE | OTHER) != 0
            && let Some(end) = self.word_after_prefix(class, start, next)
        {
            return self.contraction(end);
        }
        match class {
            NUMBER => self.three_digits(next),
            NEWLINE | SPACE => {
                self.space_then_symbols(class, start, next).unwrap_or_else(|| self.blank(start))
            }
            _ => self.symbols(next),
        }
    }

    /// The words of o200k: `U* L+`, else `U+`.
    #[inline]
    fn word(self, start: usize) -> Option<usize> {
        let mut at = start;
        let mut given_back = None;
        loop {
            let (class, next) = self.class(at);
            if class & UPPERISH == 0 {
                return match class {
                    LOWER => Some(self.run(next, LOWERISH)),
                    _ => given_back.or((at > start).then_some(at)),
                };
            }
            // With no small letter to follow, `U*` gives back up to its last character that `L` takes too.
            if class & LOWERISH != 0 {
                given_back = Some(next);
            }
            at = next;
        }
    }

    /// A word after one character that is no letter; a mark may also be the word's own first character, which the
    /// expression tries before a prefix followed by capitals alone.
    #[inline]
    fn word_after_prefix(self, class: u8, start: usize, next: usize) -> Option<usize> {
        match class {
            MARK => {
                let capitals = self.run(next, UPPER);
                let only_capitals = self.class(capitals).0 & LOWERISH == 0;
                self.word(if only_capitals { start } else { next })
            }
            _ => self.word(next),
        }
    }

    #[inline]
    fn three_digits(self, mut at: usize) -> usize {
        for _ in 0..2 {
            match self.class(at) {
                (NUMBER, next) => at = next,
                _ => break,
            }
        }
        at
    }

    /// The end of a contraction at `at`, or `at` itself. `(?i:s)` takes the long s too.
    #[inline]
    fn contraction(self, at: usize) -> usize {
        if self.byte(at) != b'\'' {
            return at;
        }
        let (first, second) = (self.byte(at + 1) | 0x20, self.byte(at + 2) | 0x20);
        match (first, second) {
            (b's' | b't' | b'm' | b'd', _) => at + 2,
            (b'r' | b'v', b'e') | (b'l', b'l') => at + 3,
            _ if self.0.get(at + 1..at + 3) == Some("ſ".as_bytes()) => at + 3,
            _ => at,
        }
    }

    /// ` ?[^\s\p{L}\p{N}]+[\r\n/]*` after its first symbol.
    #[inline]
    fn symbols(self, at: usize) -> usize {
        let mut at = self.run(at, SYMBOL);
        while matches!(self.byte(at), b'\r' | b'\n' | b'/') {
            at += 1;
        }
        at
    }

    #[inline]
    fn space_then_symbols(self, class: u8, start: usize, next: usize) -> Option<usize> {
        let symbol = class == SPACE && self.byte(start) == b' ' && self.class(next).0 & SYMBOL != 0;
        symbol.then(|| self.symbols(next))
    }

    /// White space in o200k: up to its last line end, else all but the last character, which goes with what follows.
    #[inline]
    fn blank(self, start: usize) -> usize {
        let white = self.white(start);
        white.after_newline.unwrap_or_else(|| white.before_last(start, self.0.len()))
    }

    fn white(self, start: usize) -> White {
        let mut white = White { end: start, last: start, after_newline: None };
        loop {
            let (class, next) = self.class(white.end);
            if class & WHITE == 0 {
                return white;
            }
            white.last = white.end;
            white.end = next;
            if class == NEWLINE {
                white.after_newline = Some(next);
            }
        }
    }

    #[inline]
    fn cl100k(self, start: usize) -> usize {
        let (class, next) = self.class(start);
        if class & LETTER != 0 {
            return self.run(next, LETTER);
        }
        if class == NUMBER {
            return self.three_digits(next);
        }
        let contracted = self.contraction(start);
        if contracted > start {
            return contracted;
        }
        if class != NEWLINE {
            let end = self.run(next, LETTER);
            if end > next {
                return end;
            }
        }
        if class & SYMBOL != 0 {
            return self.symbols_and_newlines(next);
        }
        if self.byte(start) == b' ' && self.class(next).0 & SYMBOL != 0 {
            return self.symbols_and_newlines(next);
        }
        let white = self.white(start);
        match white.after_newline {
            _ if white.end == self.0.len() => white.end,
            Some(end) => end,
            None => white.before_last(start, self.0.len()),
        }
    }

    #[inline]
    fn symbols_and_newlines(self, at: usize) -> usize {
        let at = self.run(at, SYMBOL);
        self.run(at, NEWLINE)
    }

    fn p50k(self, start: usize) -> usize {
        let contracted = self.lower_case_contraction(start);
        if contracted > start {
            return contracted;
        }
        let first = if self.byte(start) == b' ' { start + 1 } else { start };
        let (class, next) = self.class(first);
        match class {
            UPPER | LOWER | CASELESS => self.run(next, LETTER),
            NUMBER => self.run(next, NUMBER),
            MARK | OTHER => self.run(next, SYMBOL),
            _ => self.white(start).before_last(start, self.0.len()),
        }
    }

    fn lower_case_contraction(self, at: usize) -> usize {
        let end = self.contraction(at);
        let lower = self.0.get(at + 1..end).is_some_and(|letters| letters.iter().all(u8::is_ascii_lowercase));
        if lower { end } else { at }
    }
}

/// A run of white space.
struct White {
    end: usize,
    /// Where its last character begins.
    last: usize,
    /// The place after its last line end.
    after_newline: Option<usize>,
}

impl White {
    /// `\s+(?!\S)`, else one character: all of the run at the end of the text, and all but the last before a word.
    fn before_last(&self, start: usize, text_end: usize) -> usize {
        if self.end == text_end || self.last == start { self.end } else { self.last }
    }
}

#[cfg(test)]
mod tests;
