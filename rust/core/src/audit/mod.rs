//! A log that shows when it has been changed.
//!
//! Each record's hash covers the one before it, so a record that is changed, taken out, put in or moved breaks the chain
//! from there on. Whoever can write the files could make the whole chain anew: so the hashes of a *segment* are gathered
//! into a Merkle tree, and its root, with where the segment ends and the head before it, is signed. The tree also lets
//! one record be proved by a few hashes, without the others, and lets records be taken out when their time is over: the
//! hash stays, the signed root still holds, and nothing else can take its place.
//!
//! What is not shown by the log itself: that a whole tail was cut off together with the heads that covered it, or that
//! an older copy was put in its place. A copy of the heads somewhere else shows that.
//!
//! Everything is lines of text, and one page of any language verifies it:
//! - a segment's line: `<seq> <hash> <record>`; of a record that was taken out: `<seq> <hash> -`
//! - `hash = SHA-256("dragoman audit 1\n" || writer || "\n" || seq || "\n" || hash before it || record)`, numbers in
//!   decimal, hashes as bytes within and in hexadecimal without, the first before it all zeros
//! - a head: [`Head::text`]

mod chain;
mod head;
mod line;
mod merkle;
mod salt;
mod verify;

#[cfg(test)]
mod tests;

pub use chain::{Hash, ZERO, hex, link, unhex};
pub use head::Head;
pub use line::{Line, TAKEN_OUT, read_line, write_line};
pub use merkle::{Tree, proof, root, root_from};
pub use salt::Salt;
pub use verify::{Chain, Fault, Verified};
