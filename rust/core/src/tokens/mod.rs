//! Counts tokens.

pub mod encoding;
mod merge;
mod slot;
mod split;
mod vocabulary;

pub use encoding::Encoding;
