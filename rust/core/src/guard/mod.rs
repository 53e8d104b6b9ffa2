//! Judges texts: is this prompt trying to take the model over?
//!
//! A linear model over hashed features: words, pairs of words, runs of letters inside words, and what the words mean to
//! such an attempt, in a dozen languages ([`lexicon`]). Weights of a byte each are part of the library. A prompt costs
//! tens of microseconds, and what spoke for the verdict can be named, which a neural network of a thousand times the
//! cost does not offer. `benches/src/bin/injection.rs` trains it, and says how good it is.

mod chat;
mod features;
mod lexicon;
mod model;
mod sieve;

pub use features::{BUCKETS, Feature, Signal, features};
pub use model::{Judgement, Model, norm};
pub use sieve::{Characters, Passed, Sieve, Sought};
