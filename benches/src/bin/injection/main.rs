//! Trains the detector of prompt injection, and says how good it is.
//!
//! `injection RECORDED` measures: by five folds of rows, and leaving one data set out. `injection RECORDED WEIGHTS`
//! trains on everything as well and writes the weights. Everything is a function of the data: no chance, no clock.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "that is what it is for")]
#![allow(clippy::indexing_slicing, reason = "a program that cannot go on should stop")]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;

use dragoman_core::guard::{BUCKETS, Model, features, norm};
use flate2::read::GzDecoder;
use serde_json::Value;

mod made_up;

type Outcome<T> = Result<T, Box<dyn Error>>;

const FOLDS: u64 = 5;
const EPOCHS: usize = 8;
const RATE: f32 = 0.12;
const DECAY: f32 = 2e-6;
/// Of 256 words so many are not heard.
const DEAF: u64 = 64;
/// Made-up texts of each sentence.
const MADE_UP: usize = 100;

struct Row {
    dataset: String,
    label: bool,
    features: Vec<(usize, f32)>,
    meant: Vec<bool>,
    norm: f32,
    fold: u64,
    weight: f32,
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [recorded, written @ ..] = arguments.as_slice() else {
        return Err("usage: injection RECORDED [WEIGHTS]".into());
    };
    let mut rows = labelled(&Path::new(recorded).join("injection/labelled.jsonl.gz"))?;
    rows.extend(asked(&Path::new(recorded).join("traffic/traffic.jsonl.gz"))?);
    let measured = rows.len();
    rows.extend(harmless(&Path::new(recorded).join("tokens/corpus.jsonl.gz"))?);
    let made_up = made_up::texts(MADE_UP).into_iter();
    rows.extend(made_up.map(|(text, label)| row_of("made up".to_owned(), label, text)));
    weigh(&mut rows);
    let scores = folded(&rows);
    let calibration = calibrated(&rows[..measured], &scores[..measured]);
    report(&rows[..measured], &scores[..measured], calibration);
    left_out(&rows, measured);
    if let [path] = written {
        let (weights, bias) = train(&rows, |_| true);
        let model = Model::trained(&weights, bias, calibration);
        fs::write(path, model.written())?;
        println!("written: {path}");
    }
    Ok(())
}

fn lines(path: &Path) -> Outcome<Vec<Value>> {
    let lines = BufReader::new(GzDecoder::new(File::open(path)?)).lines();
    lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}

fn labelled(path: &Path) -> Outcome<Vec<Row>> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let row =
        |row: Value| row_of(text(&row, "dataset"), row["label"].as_u64() == Some(1), text(&row, "text"));
    Ok(lines(path)?.into_iter().map(row).collect())
}

/// What users said in recorded requests, each once.
fn asked(path: &Path) -> Outcome<Vec<Row>> {
    let mut texts = BTreeSet::new();
    for row in lines(path)? {
        let body: Value = row["request"]["body"]
            .as_str()
            .and_then(|body| serde_json::from_str(body).ok())
            .unwrap_or_default();
        for message in
            body["messages"].as_array().into_iter().flatten().filter(|message| message["role"] == "user")
        {
            texts.extend(message["content"].as_str().map(str::to_owned));
            let parts = message["content"].as_array().into_iter().flatten();
            texts.extend(parts.filter_map(|part| part["text"].as_str().map(str::to_owned)));
        }
    }
    Ok(texts.into_iter().map(|text| row_of("traffic".to_owned(), false, text)).collect())
}

/// Texts of all sorts and languages that are no prompts at all.
fn harmless(path: &Path) -> Outcome<Vec<Row>> {
    let texts = lines(path)?.into_iter().filter_map(|row| row["text"].as_str().map(str::to_owned));
    let texts = texts.filter(|text| text.len() > 12).map(|text| text.chars().take(1500).collect::<String>());
    Ok(texts.map(|text| row_of("corpus".to_owned(), false, text)).collect())
}

fn row_of(dataset: String, label: bool, text: String) -> Row {
    let found = features(&text);
    let norm = norm(found.iter().map(|feature| feature.value));
    let meant = found.iter().map(|feature| feature.value > 1.0).collect();
    let features = found.into_iter().map(|feature| (feature.bucket as usize, feature.value)).collect();
    // The same text is in the same fold, however often it is there.
    let fold = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    Row { dataset, label, features, meant, norm, fold: (fold >> 17) % FOLDS, weight: 1.0 }
}

/// Each data set counts by the root of its size, so that no large one drowns the others.
fn weigh(rows: &mut [Row]) {
    let mut sizes: BTreeMap<(String, bool), f32> = BTreeMap::new();
    for row in rows.iter() {
        *sizes.entry((row.dataset.clone(), row.label)).or_default() += 1.0;
    }
    for row in rows.iter_mut() {
        let size = sizes[&(row.dataset.clone(), row.label)];
        let more = match row.dataset.as_str() {
            "notinject_one" => 2.0,
            "corpus" => 0.25,
            _ => 1.0,
        };
        row.weight = (more * (2000.0 / size).sqrt()).clamp(0.2, 4.0);
    }
}

/// Logistic regression by AdaGrad, one row after the other in an order that mixes the sets.
fn train(rows: &[Row], takes: impl Fn(&Row) -> bool) -> (Vec<f32>, f32) {
    let mut weights = vec![0.0_f32; BUCKETS];
    let mut squares = vec![1e-6_f32; BUCKETS];
    let (mut bias, mut bias_square) = (0.0_f32, 1e-6_f32);
    let mut order: Vec<usize> = (0..rows.len()).filter(|at| takes(&rows[*at])).collect();
    for epoch in 0..EPOCHS {
        order.sort_by_key(|at| {
            (*at as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15 ^ (epoch as u64) << 32).rotate_left(29)
        });
        for at in &order {
            let row = &rows[*at];
            // Now and then a word is not heard: so the meanings have to be able to tell without it.
            let seed = (*at as u64).wrapping_mul(0xD6E8_FEB8_6659_FD93)
                ^ (epoch as u64).wrapping_mul(0xA24B_AED4_963E_E407);
            let heard = |index: usize| {
                row.meant[index]
                    || (seed ^ index as u64).wrapping_mul(0x9FB2_1C65_1E98_DF25) >> 40 & 0xFF >= DEAF
            };
            let kept = || {
                row.features
                    .iter()
                    .enumerate()
                    .filter(|(index, _)| heard(*index))
                    .map(|(_, feature)| *feature)
            };
            let by = norm(kept().map(|(_, value)| value));
            let sum: f32 = kept().map(|(bucket, value)| value * weights[bucket]).sum();
            let likely = 1.0 / (1.0 + (-(bias + sum / by)).exp());
            let error = (likely - f32::from(u8::from(row.label))) * row.weight;
            let step = error / by;
            for (bucket, value) in kept() {
                let gradient = step * value + DECAY * weights[bucket];
                squares[bucket] += gradient * gradient;
                weights[bucket] -= RATE * gradient / squares[bucket].sqrt();
            }
            bias_square += error * error;
            bias -= RATE * 0.1 * error / bias_square.sqrt();
        }
    }
    (weights, bias)
}

fn sum(row: &Row, weights: &[f32], bias: f32) -> f32 {
    bias + row.features.iter().map(|(bucket, value)| value * weights[*bucket]).sum::<f32>() / row.norm
}

/// Of each row the sum that a model gives it which has not seen its fold.
fn folded(rows: &[Row]) -> Vec<f32> {
    let mut scores = vec![0.0; rows.len()];
    for fold in 0..FOLDS {
        let (weights, bias) = train(rows, |row| row.fold != fold);
        for (row, score) in rows.iter().zip(&mut scores).filter(|(row, _)| row.fold == fold) {
            *score = sum(row, &weights, bias);
        }
    }
    scores
}

/// Platt's scaling: the slope and shift under which the scores are likeliest.
fn calibrated(rows: &[Row], scores: &[f32]) -> (f32, f32) {
    let (mut slope, mut shift) = (1.0_f64, 0.0_f64);
    for _ in 0..2000 {
        let (mut by_slope, mut by_shift) = (0.0, 0.0);
        for (row, score) in rows.iter().zip(scores) {
            let score = f64::from(*score);
            let error = 1.0 / (1.0 + (-(slope * score + shift)).exp()) - f64::from(u8::from(row.label));
            by_slope += error * score;
            by_shift += error;
        }
        let count = rows.len() as f64;
        slope -= 0.5 * by_slope / count;
        shift -= 0.5 * by_shift / count;
    }
    (slope as f32, shift as f32)
}

/// The score that a share of the harmless reaches.
fn threshold(mut harmless: Vec<f32>, share: f64) -> f32 {
    harmless.sort_by(|a, b| b.total_cmp(a));
    let at = (harmless.len() as f64 * share) as usize;
    harmless.get(at).copied().unwrap_or(f32::MAX)
}

fn share(scores: impl Iterator<Item = f32>, over: f32) -> f64 {
    let scores: Vec<f32> = scores.collect();
    scores.iter().filter(|score| **score > over).count() as f64 / scores.len().max(1) as f64
}

fn report(rows: &[Row], scores: &[f32], (slope, shift): (f32, f32)) {
    let harmless =
        || rows.iter().zip(scores).filter(|(row, _)| !row.label).map(|(_, score)| *score).collect();
    let likely = |score: f32| 1.0 / (1.0 + (-(slope * score + shift)).exp());
    let (one, five) = (likely(threshold(harmless(), 0.01)), likely(threshold(harmless(), 0.05)));
    println!("five folds: recall at a false-positive rate of 1 % (score {one:.3}) and 5 % ({five:.3})");
    by_set(rows, scores);
}

/// Each data set judged by a model that has seen nothing of it.
fn left_out(rows: &[Row], measured: usize) {
    let rows_measured = &rows[..measured];
    let mut scores = vec![0.0; measured];
    for set in sets(rows_measured) {
        let (weights, bias) = train(rows, |row| row.dataset != set);
        for (row, score) in rows_measured.iter().zip(&mut scores).filter(|(row, _)| row.dataset == set) {
            *score = sum(row, &weights, bias);
        }
    }
    println!("leaving one data set out: recall at a false-positive rate of 1 % and 5 %");
    by_set(rows_measured, &scores);
}

fn sets(rows: &[Row]) -> Vec<&str> {
    let mut sets: Vec<&str> = rows.iter().map(|row| row.dataset.as_str()).collect();
    sets.sort_unstable();
    sets.dedup();
    sets
}

/// Recall of each data set, and how much of its harmless rows is flagged, at the scores that 1 % and 5 % of all
/// harmless rows reach.
fn by_set(rows: &[Row], scores: &[f32]) {
    let pairs = || rows.iter().zip(scores.iter().copied());
    let harmless: Vec<f32> = pairs().filter(|(row, _)| !row.label).map(|(_, score)| score).collect();
    let (one, five) = (threshold(harmless.clone(), 0.01), threshold(harmless, 0.05));
    let all = || pairs().filter(|(row, _)| row.label).map(|(_, score)| score);
    println!("  {:<18} {:.3} {:.3} recall", "all", share(all(), one), share(all(), five));
    for set in sets(rows) {
        for label in [true, false] {
            let of = || {
                pairs().filter(|(row, _)| row.dataset == set && row.label == label).map(|(_, score)| score)
            };
            if of().next().is_some() {
                let kind = if label { "recall" } else { "flagged" };
                println!(
                    "  {set:<18} {:.3} {:.3} {kind} of {}",
                    share(of(), one),
                    share(of(), five),
                    of().count()
                );
            }
        }
    }
}
