//! Parts shared by the bench programs.
//!
//! The mock upstream and the load generator share one core with each other, so both are hand-written HTTP/1.1 over
//! tokio: a general client or server would cost more than the gateways that they measure. They agree on
//! [`behaviour`]: the model's name in a request says what the mock does, and so what the load generator must find.

pub mod behaviour;
pub mod check;
pub mod client;
pub mod clock;
pub mod http1;
pub mod request;
pub mod tally;
