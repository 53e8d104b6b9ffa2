//! Lays the vocabularies, the character classes and the shapes of phone numbers out as the look-ups want them.
//!
//! Done here and not at start: the tables are then part of the library's read-only pages, so that loading costs
//! nothing, forked workers share them, and no vocabulary file is kept in the repository. The entries come from
//! tiktoken-rs, the classes from the tables of the regex engine that tiktoken itself uses.

#![allow(clippy::indexing_slicing, clippy::panic, reason = "a build that cannot go on should stop")]

use std::{env, error::Error, fs, path::Path};

use regex_syntax::hir::{Class, HirKind};
use tiktoken_rs::CoreBPE;

#[path = "build/phones.rs"]
mod phones;
#[allow(dead_code, reason = "the look-up needs what the writer does not")]
#[path = "src/tokens/slot.rs"]
mod slot;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/tokens/slot.rs");
    println!("cargo:rerun-if-changed=build/phones.rs");
    let out = env::var("OUT_DIR")?;
    let out = Path::new(&out);
    write_vocabulary(out, "o200k", &tiktoken_rs::o200k_base()?, 199_998)?;
    write_vocabulary(out, "cl100k", &tiktoken_rs::cl100k_base()?, 100_256)?;
    write_vocabulary(out, "p50k", &tiktoken_rs::p50k_base()?, 50_281)?;
    fs::write(out.join("phones.bin"), phones::table()?)?;
    write_classes(&out.join("classes.bin"))
}

/// `limit` is one more than the last id that is no special token.
fn write_vocabulary(out: &Path, name: &str, bpe: &CoreBPE, limit: u32) -> Outcome<()> {
    const END_OF_TEXT_IN_P50K: u32 = 50_256;
    let mut pieces = Vec::new();
    for id in 0..limit {
        let special = name == "p50k" && id == END_OF_TEXT_IN_P50K;
        let piece = if special { Ok(Vec::new()) } else { bpe.decode_bytes(&[id]) };
        pieces.push(piece.map_err(|_| format!("{name} lacks {id}"))?);
    }
    fs::write(out.join(format!("{name}.pairs")), pairs(&pieces))?;
    let mut slots = vec![slot::EMPTY; (pieces.len() * 5 / 4).next_power_of_two()];
    let (mut entries, mut long) = (Vec::new(), Vec::new());
    for (id, piece) in pieces.iter().enumerate() {
        assert!(piece.len() <= slot::LONGEST, "an entry of {} bytes", piece.len());
        let mut start = [0; 16];
        for (to, from) in start.iter_mut().zip(piece) {
            *to = *from;
        }
        let key = slot::key_of(start, piece.len());
        entries.extend(slot::entry(slot::tag(key, piece.len()), u32::try_from(long.len())?).to_le_bytes());
        if piece.len() > slot::INLINE {
            long.extend(piece);
        }
        if !piece.is_empty() {
            let hash = if piece.len() <= 16 { slot::hash(key, piece.len()) } else { slot::hash_long(piece) };
            insert(&mut slots, hash, u32::try_from(id)?)?;
        }
    }
    let slots: Vec<u8> = slots.into_iter().flat_map(u32::to_le_bytes).collect();
    fs::write(out.join(format!("{name}.slots")), slots)?;
    fs::write(out.join(format!("{name}.entries")), entries)?;
    Ok(fs::write(out.join(format!("{name}.long")), long)?)
}

fn insert(slots: &mut [u32], hash: u64, id: u32) -> Outcome<()> {
    let first = slot::place(hash, slots.len());
    let mask = slots.len() - 1;
    let free = (0..slots.len()).map(|step| (first + step) & mask).find(|&at| slots[at] == slot::EMPTY);
    slots[free.ok_or("the table is full")?] = slot::print(hash) | id;
    Ok(())
}

/// The id of every entry of two bytes, at the number that those bytes make; `u32::MAX` for none.
fn pairs(pieces: &[Vec<u8>]) -> Vec<u8> {
    let mut table = vec![u32::MAX; 1 << 16];
    for (id, piece) in pieces.iter().enumerate() {
        if let [first, second] = piece.as_slice() {
            table[usize::from(u16::from_le_bytes([*first, *second]))] = id as u32;
        }
    }
    table.into_iter().flat_map(u32::to_le_bytes).collect()
}

/// The bit of each class, in the order of `tokens::split::class`.
const CLASSES: [&str; 7] =
    [r"[\p{Lu}\p{Lt}]", r"\p{Ll}", r"[\p{Lm}\p{Lo}]", r"\p{M}", r"\p{N}", r"[\r\n]", r"[\s--\r\n]"];

/// A page number for each block of 256 code points, then the pages.
fn write_classes(path: &Path) -> Outcome<()> {
    const OTHER: u8 = 1 << 7;
    let mut classes = vec![OTHER; 0x11_0000];
    for (bit, pattern) in CLASSES.iter().enumerate() {
        let hir = regex_syntax::parse(pattern)?;
        let HirKind::Class(Class::Unicode(class)) = hir.kind() else {
            return Err(pattern.to_string().into());
        };
        for range in class.ranges() {
            classes[range.start() as usize..=range.end() as usize].fill(1 << bit);
        }
    }
    let mut pages: Vec<&[u8]> = Vec::new();
    let mut index = Vec::new();
    for block in classes.chunks(256) {
        let page = pages.iter().position(|page| *page == block).unwrap_or_else(|| {
            pages.push(block);
            pages.len() - 1
        });
        index.push(u8::try_from(page)?);
    }
    index.extend(pages.concat());
    Ok(fs::write(path, index)?)
}
