//! Answers that are kept, to be given again.

mod asked;
mod exact;
mod key;

pub use asked::asks_for_one;
pub use exact::{Entry, ExactCache};
pub use key::{Apart, KEY_BYTES, Key, key_of};

#[cfg(test)]
mod tests;
