//! What a secret looks like, as a short line: `a36` is 36 letters or digits, `'AA'` those two letters.
//!
//! A shape is a sequence of parts, matched from left to right with each run as long as it may be and never shortened
//! again: one look at each byte, so no text is slow. (`regex` could do the same; 230 compiled expressions are 20 MB and
//! a second of start.)

#[cfg(test)]
mod tests;

/// Which bytes a run is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Class(char);

impl Class {
    fn has(self, byte: u8) -> bool {
        let more: &[u8] = match self.0 {
            'd' => return byte.is_ascii_digit(),
            'h' => return matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            'H' => return matches!(byte, b'0'..=b'9' | b'A'..=b'F'),
            'x' => return byte.is_ascii_hexdigit(),
            'i' => return matches!(byte.to_ascii_lowercase(), b'0'..=b'9' | b'a'..=b'h'),
            'l' => return matches!(byte, b'0'..=b'9' | b'a'..=b'z'),
            'u' => return matches!(byte, b'0'..=b'9' | b'A'..=b'Z'),
            'z' => return byte.is_ascii_alphabetic(),
            '3' => return matches!(byte, b'A'..=b'Z' | b'2'..=b'7'),
            'k' => return b"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".contains(&byte),
            'a' | 'A' => b"",
            'w' => b"_-",
            'W' => b"_",
            'm' => b"-",
            'e' => b"_=-",
            'o' => b"_=.-",
            'b' => b"+/",
            'B' => b"+/=_-",
            'q' => b"_~.",
            'Q' => b"_~.-",
            't' => b"_=~@.+/-",
            '%' => b"%",
            '=' => return byte == b'=',
            _ => return false,
        };
        byte.is_ascii_alphanumeric() || more.contains(&byte)
    }
}

#[derive(Debug)]
enum Part {
    Literal(&'static [u8]),
    Run {
        of: Class,
        least: usize,
        most: usize,
    },
    /// The rest of the shape may be missing.
    Perhaps,
}

/// A shape, read.
#[derive(Debug)]
pub(super) struct Shape {
    parts: Vec<Part>,
}

impl Shape {
    /// Reads a shape: parts with a space between them.
    ///
    /// `'...'` is a literal; `?` makes what follows optional; else a letter for the class ([`Class::has`]; `A` is `a`
    /// with a digit among them) and how many: `36`, `10-20`, `10+` (to 4,096).
    pub fn read(line: &'static str) -> Self {
        Self { parts: line.split(' ').filter_map(part).collect() }
    }

    /// How many bytes of the start of `bytes` have the shape.
    pub fn matched(&self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        let mut whole = None;
        for part in &self.parts {
            let rest = bytes.get(at..).unwrap_or_default();
            let taken = match part {
                Part::Perhaps => {
                    whole = Some(at);
                    Some(0)
                }
                Part::Literal(text) => rest.starts_with(text).then_some(text.len()),
                Part::Run { of, least, most } => {
                    let run = rest.iter().take(*most).take_while(|byte| of.has(**byte)).count();
                    let has_digit = || rest.iter().take(run).any(u8::is_ascii_digit);
                    (run >= *least && (of.0 != 'A' || has_digit())).then_some(run)
                }
            };
            match taken {
                Some(taken) => at += taken,
                None => return whole,
            }
        }
        Some(at)
    }
}

fn part(text: &'static str) -> Option<Part> {
    if text == "?" {
        return Some(Part::Perhaps);
    }
    if let Some(literal) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return Some(Part::Literal(literal.as_bytes()));
    }
    let mut characters = text.chars();
    let of = Class(characters.next()?);
    let count = characters.as_str();
    let (least, most) = if let Some(least) = count.strip_suffix('+') {
        (least.parse().ok()?, 4096)
    } else if let Some((least, most)) = count.split_once('-') {
        (least.parse().ok()?, most.parse().ok()?)
    } else {
        let exactly = count.parse().ok()?;
        (exactly, exactly)
    };
    Some(Part::Run { of, least, most })
}

impl Shape {
    /// How many bytes of the end of `bytes` are the run that this shape, of one part, allows.
    pub fn matched_backwards(&self, bytes: &[u8]) -> Option<usize> {
        let Some(Part::Run { of, least, most }) = self.parts.first() else { return None };
        let run = bytes.iter().rev().take(most + 1).take_while(|byte| of.has(**byte)).count();
        (run >= *least && run <= *most).then_some(run)
    }
}

/// Shannon's entropy of the bytes, in bits a byte.
pub(super) fn entropy(bytes: &[u8]) -> f32 {
    let mut counts = [0_u16; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count = count.saturating_add(1);
        }
    }
    #[allow(clippy::cast_precision_loss, reason = "a token's length")]
    let length = bytes.len() as f32;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f32::from(*count) / length)
        .map(|share| -share * share.log2())
        .sum()
}
