//! The weights, and what comes of them.

use std::ops::Range;

use super::features::{BUCKETS, Feature, Read, Signal, each_feature, features};

#[cfg(test)]
mod tests;

/// Parts of a long text that are judged by themselves, in words.
const PART: u32 = 120;
const STEP: u32 = 80;
/// A text of so many words has parts.
const PARTED: usize = 160;
/// The signals that are told.
const MOST_SIGNALS: usize = 5;
const HEADER: usize = 16;

static WEIGHTS: &[u8] = include_bytes!("weights.bin");

/// Weights of one byte a bucket: `scale`, `bias` and two numbers of the calibration, then the weights.
#[derive(Clone, Debug)]
pub struct Model {
    scale: f32,
    bias: f32,
    slope: f32,
    shift: f32,
    weights: Vec<i8>,
}

/// What a text is judged to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// How likely it is an attempt, 0 to 1.
    pub score: f32,
    /// What spoke for it, the strongest first.
    pub signals: Vec<String>,
}

impl Model {
    /// The one that is part of the library.
    pub fn built_in() -> Self {
        Self::read(WEIGHTS).unwrap_or(Self {
            scale: 0.0,
            bias: 0.0,
            slope: 1.0,
            shift: 0.0,
            weights: Vec::new(),
        })
    }

    /// Reads what [`Model::written`] wrote; `None` where it is something else.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (header, weights) = bytes.split_at_checked(HEADER)?;
        let mut numbers = header.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk));
        let (scale, bias, slope, shift) =
            (numbers.next()?, numbers.next()?, numbers.next()?, numbers.next()?);
        let weights: Vec<i8> = weights.iter().map(|byte| byte.cast_signed()).collect();
        (weights.len() == BUCKETS).then_some(Self { scale, bias, slope, shift, weights })
    }

    /// A trained model.
    ///
    /// # Arguments
    ///
    /// * `weights`: one for each bucket.
    /// * `calibration`: slope and shift of the logistic function that makes a score of a sum.
    pub fn trained(weights: &[f32], bias: f32, calibration: (f32, f32)) -> Self {
        let largest = weights.iter().fold(1e-9_f32, |most, weight| most.max(weight.abs()));
        let scale = largest / 127.0;
        let weights = weights.iter().map(|weight| (weight / scale).round() as i8).collect();
        Self { scale, bias, slope: calibration.0, shift: calibration.1, weights }
    }

    pub fn written(&self) -> Vec<u8> {
        let numbers = [self.scale, self.bias, self.slope, self.shift];
        let header = numbers.iter().flat_map(|number| number.to_le_bytes());
        header.chain(self.weights.iter().map(|weight| weight.cast_unsigned())).collect()
    }

    /// Judges a text: as a whole, and where it is long in parts as well, of which the worst counts.
    pub fn judge(&self, text: &str) -> Judgement {
        let features = features(text);
        let weighed: Vec<f32> = features.iter().map(|feature| feature.value * self.weight(feature)).collect();
        let mut sum =
            self.bias + weighed.iter().sum::<f32>() / norm(features.iter().map(|feature| feature.value));
        let mut worst = 0..features.len();
        for part in parts(&features) {
            let of_part = weighed.get(part.clone()).unwrap_or_default().iter().sum::<f32>();
            let values = features.get(part.clone()).unwrap_or_default().iter().map(|feature| feature.value);
            let of_part = self.bias + of_part / norm(values);
            if of_part > sum {
                sum = of_part;
                worst = part;
            }
        }
        Judgement { score: self.calibrated(sum), signals: signals(&features, &weighed, worst) }
    }

    /// The score alone, for half of it: nothing is kept of the features.
    pub fn score(&self, text: &str) -> f32 {
        let read = Read::of(text);
        let words = read.words();
        let mut sums = Sums::of(words.len() as u32);
        each_feature(&read, &words, |feature| sums.add(&feature, feature.value * self.weight(&feature)));
        if sums.is_disordered {
            return self.judge(text).score;
        }
        let worst = sums.each().map(|sum| self.bias + sum.whole / length(sum.squares)).reduce(f32::max);
        self.calibrated(worst.unwrap_or(self.bias))
    }

    fn calibrated(&self, sum: f32) -> f32 {
        1.0 / (1.0 + (-(self.slope * sum + self.shift)).exp())
    }

    fn weight(&self, feature: &Feature) -> f32 {
        self.weights.get(feature.bucket as usize).map_or(0.0, |weight| f32::from(*weight) * self.scale)
    }
}

/// The sums of a text's features and of its parts', as the features come.
#[derive(Default)]
struct Sums {
    words: u32,
    text: Sum,
    parts: Vec<Sum>,
    /// The part that began last, and the one before.
    part: Sum,
    before: Sum,
    word: u32,
    /// Whether the word belongs to these.
    in_part: bool,
    in_before: bool,
    /// Features of an earlier word came later.
    is_disordered: bool,
}

#[derive(Clone, Copy, Default)]
struct Sum {
    whole: f32,
    squares: f32,
}

impl Sum {
    #[inline]
    fn add(&mut self, weighed: f32, value: f32) {
        self.whole += weighed;
        self.squares += value * value;
    }
}

impl Sums {
    fn of(words: u32) -> Self {
        Self { words, in_part: words as usize >= PARTED, ..Self::default() }
    }

    #[inline]
    fn add(&mut self, feature: &Feature, weighed: f32) {
        if feature.word != self.word {
            self.turn_to(feature.word);
        }
        self.text.add(weighed, feature.value);
        if self.in_part {
            self.part.add(weighed, feature.value);
        }
        if self.in_before {
            self.before.add(weighed, feature.value);
        }
    }

    fn turn_to(&mut self, word: u32) {
        self.is_disordered |= word < self.word;
        self.word = word;
        self.in_part &= word < self.words;
        if self.in_part && word.is_multiple_of(STEP) {
            self.parts.extend((word > STEP).then_some(self.before));
            self.before = std::mem::take(&mut self.part);
        }
        self.in_before = self.in_part && word >= STEP && word % STEP < PART - STEP;
    }

    fn each(&self) -> impl Iterator<Item = Sum> {
        let last = (self.words as usize >= PARTED).then_some([self.before, self.part]);
        [self.text].into_iter().chain(self.parts.iter().copied()).chain(last.into_iter().flatten())
    }
}

/// What spoke for it most, each once.
fn signals(features: &[Feature], weighed: &[f32], part: Range<usize>) -> Vec<String> {
    let mut told: Vec<(f32, Signal)> = Vec::new();
    for (feature, weight) in features.iter().zip(weighed).take(part.end).skip(part.start) {
        if *weight > 0.0
            && feature.signal != Signal::Silent
            && told.iter().all(|(_, known)| *known != feature.signal)
        {
            told.push((*weight, feature.signal));
        }
    }
    told.sort_by(|a, b| b.0.total_cmp(&a.0));
    let name = |signal: Signal| match signal {
        Signal::Silent => String::new(),
        Signal::Meaning(name) | Signal::Shape(name) => name.to_owned(),
        Signal::Meanings(first, second) => format!("{first} {second}"),
    };
    told.into_iter().take(MOST_SIGNALS).map(|(_, signal)| name(signal)).collect()
}

/// What a sum over features of these values is divided by: their length as a vector.
pub fn norm(values: impl Iterator<Item = f32>) -> f32 {
    length(values.map(|value| value * value).sum())
}

fn length(squares: f32) -> f32 {
    squares.sqrt().max(1.0)
}

/// Stretches of a long text, each overlapping the next.
fn parts(features: &[Feature]) -> Vec<Range<usize>> {
    let words = features.last().map_or(0, |last| last.word);
    if (words as usize) < PARTED {
        return Vec::new();
    }
    let from = |word: u32| features.partition_point(|feature| feature.word < word);
    (0..words).step_by(STEP as usize).map(|word| from(word)..from((word + PART).min(words))).collect()
}
