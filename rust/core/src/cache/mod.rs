//! Answers that are kept, to be given again.

mod exact;
mod key;

pub use exact::{Entry, ExactCache};
pub use key::{KEY_BYTES, Key, key_of};

#[cfg(test)]
mod tests;
