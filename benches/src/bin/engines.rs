//! The engines alone, from Rust: what finding, hiding, showing again, judging and looking up take.
//!
//! `engines` prints a line a figure, `engines --json` one list. Each figure is the best of several rounds on one core.

use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use clap::Parser;
use dragoman_core::cache::{Entry, ExactCache, key_of};
use dragoman_core::guard::Model;
use dragoman_core::mask::{Action, Custom, ENTITIES, Entities, Entity, Finder, Masker, Session, Unmasker};
use dragoman_core::nearest::{Embedder, VectorIndex};
use serde_json::{Value, json};

/// English prose without anything to find but addresses of pages.
const PROSE: &str = include_str!("../../../LICENSE");
const PERSONAL: &str = "Write to ann.lee@example.com or +1 415 555 2671; her card is 4111 1111 1111 1111 and her server 203.0.113.7. ";
const ROUNDS: usize = 7;
const ROUND_S: f64 = 0.05;

/// The engines alone.
#[derive(Parser)]
struct Options {
    /// One JSON list instead of lines.
    #[arg(long)]
    json: bool,
}

struct Figure {
    what: &'static str,
    bytes: usize,
    us: f64,
    bound: Option<Bound>,
}

enum Bound {
    MostUs(f64),
    LeastMbS(f64),
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let mut figures = figures();
    figures.extend(caches());
    let mut out = std::io::stdout().lock();
    if options.json {
        let rows: Vec<Value> = figures.iter().map(Figure::row).collect();
        writeln!(out, "{}", json!(rows))?;
    } else {
        for figure in &figures {
            writeln!(out, "{:<52}{:>10.2} us{:>8.1} MB/s", figure.what, figure.us, figure.mb_s())?;
        }
    }
    Ok(())
}

impl Figure {
    fn of<T>(what: &'static str, text: &str, bound: Option<Bound>, call: impl FnMut(&str) -> T) -> Self {
        Self { what, bytes: text.len(), us: call_us(text, call), bound }
    }

    fn mb_s(&self) -> f64 {
        self.bytes as f64 / self.us
    }

    fn row(&self) -> Value {
        let (target, kept) = match self.bound {
            Some(Bound::MostUs(most)) => (format!("at most {most} us"), Some(self.us <= most)),
            Some(Bound::LeastMbS(least)) => (format!("at least {least} MB/s"), Some(self.mb_s() >= least)),
            None => (String::new(), None),
        };
        let kept = kept.map_or("", |kept| if kept { "pass" } else { "**fail**" });
        json!({
            "engine": self.what, "us": rounded(self.us), "mb_s": rounded(self.mb_s()), "target": target, " ": kept,
        })
    }
}

fn figures() -> Vec<Figure> {
    let everything: Entities =
        ENTITIES.iter().map(|facts| facts.entity).filter(|entity| *entity != Entity::Person).collect();
    let finder = || Finder::new(everything, 0.5, Custom::default());
    let masker = Masker::new(finder(), Action::Mask, Vec::new());
    let model = Model::built_in();
    let long = PROSE.repeat(1 + (1 << 20) / PROSE.len());
    let prompt = prose(2048);
    let personal = format!("{PERSONAL}{}", prose(2048 - PERSONAL.len()));
    let hide = |text: &str| Session::new(b"key", b"").mask(&masker, text);
    let mut session = Session::new(b"key", b"");
    let hidden = session.mask(&masker, &personal).unwrap_or_default();
    let pieces = |text: &str| {
        let mut unmasker: Unmasker = session.unmasker(false);
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let end = (1..=rest.len()).filter(|end| rest.is_char_boundary(*end)).find(|end| *end >= 32);
            let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
            shown.push_str(&unmasker.push(piece));
            rest = after;
        }
        shown + &unmasker.finish()
    };
    assert_eq!(pieces(&hidden), personal, "what was hidden is shown again");
    vec![
        Figure::of(
            "find in 1 MB of clean prose, every kind but names on",
            &long,
            Some(Bound::LeastMbS(150.0)),
            |text| masker.find(text),
        ),
        Figure::of("find in a clean prompt of 2 KB", prompt, Some(Bound::MostUs(25.0)), |text| {
            masker.find(text)
        }),
        Figure::of("hide 4 values in a prompt of 2 KB", &personal, None, hide),
        Figure::of("show them again", &hidden, None, |text| session.unmask(text, false)),
        Figure::of("show them again, in pieces of 32 bytes", &hidden, None, pieces),
        Figure::of("judge a prompt of 1 KB for injection", prose(1024), Some(Bound::MostUs(50.0)), |text| {
            model.judge(text)
        }),
    ]
}

fn caches() -> [Figure; 2] {
    let key = |text: &str| key_of([b"tenant".as_slice(), b"plan", b"", b"way", text.as_bytes()]);
    let mut cache = ExactCache::new(1 << 24);
    let (body, note) = (b"{}".as_slice().into(), b"".as_slice().into());
    cache.put(
        key(prose(1024)),
        Entry { body, headers: [].into(), note, labels: [].into(), stored_ms: 0, expires_ms: 1000 },
    );
    let embedder = Embedder::Spelling { dimensions: 256 };
    let mut index = VectorIndex::new(256, 50_000);
    let words: Vec<&str> = PROSE.split_whitespace().collect();
    for at in 0..10_000_usize {
        let word = |step: usize| words.get(at * step % words.len().max(1)).copied().unwrap_or_default();
        let mut id = [0; 32];
        id.iter_mut().zip(at.to_le_bytes()).for_each(|(to, from)| *to = from);
        index.add(
            [0; 32],
            id,
            &embedder.embed(&format!("How do I {} the {} of {}?", word(1), word(7), word(97))),
        );
    }
    let question = "What is the best way to grow tomatoes on a small balcony in the city?";
    [
        Figure::of("find a request of 1 KB in the exact cache", prose(1024), None, move |text| {
            cache.get(&key(text), 1, None)
        }),
        Figure::of(
            "miss among 10,000 questions, by spelling",
            question,
            Some(Bound::MostUs(150.0)),
            move |text| index.search(&[0; 32], &embedder.embed(text), 4, 0.5),
        ),
    ]
}

/// So many bytes of prose; it is ASCII.
fn prose(bytes: usize) -> &'static str {
    PROSE.get(..bytes).unwrap_or(PROSE)
}

/// The best round's mean.
fn call_us<T>(text: &str, mut call: impl FnMut(&str) -> T) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let mut calls = 0_u32;
        while started.elapsed().as_secs_f64() < ROUND_S {
            black_box(call(black_box(text)));
            calls += 1;
        }
        best = best.min(started.elapsed().as_secs_f64() / f64::from(calls));
    }
    best * 1e6
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
