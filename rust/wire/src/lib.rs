//! The bytes' way to the provider and back.

pub mod connect;
