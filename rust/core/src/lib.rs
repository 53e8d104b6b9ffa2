//! The engines of the gateway that are functions of bytes or numbers.
//!
//! Nothing here does I/O, reads a clock, draws a random number or knows Python: time and chance are arguments, so
//! every test is exact.

pub mod audit;
pub mod balance;
pub mod body;
pub mod cache;
pub mod frames;
pub mod guard;
pub mod ledger;
pub mod luck;
pub mod mask;
pub mod nearest;
pub mod price;
pub mod quantiles;
pub mod recording;
mod sync;
pub mod tally;
pub mod tokens;
pub mod trace;
pub mod typical;
