//! Questions that ask the same in other words.
//!
//! Two stages: vectors find what may be the same (see [`VectorIndex`]), and what was found is then read word by word
//! (see [`judge`]), since nearness of vectors does not tell "with" from "without".

pub mod embed;
mod index;
mod judge;
mod words;

pub use embed::Embedder;
pub use index::{Candidate, Id, Namespace, VectorIndex};
pub use judge::{Judged, judge};
pub use words::Question;

#[cfg(test)]
mod tests;
