//! The bytes' way to the provider and back.
//!
//! [`client`] keeps connections, [`attempt`] sends one request and follows its answer, [`relay`] passes a stream on,
//! [`batches`] hands one over to be translated, [`outcome`] says how it ended. [`shared`] is what several processes know
//! together, in Redis. [`front`] takes the connections of clients. Python is not known here: the client of the gateway
//! is a [`relay::Reply`].

pub mod attempt;
pub mod batches;
pub mod client;
pub mod connect;
pub mod decode;
pub mod front;
pub mod outcome;
pub mod relay;
pub mod shared;
pub mod slow_reader;
