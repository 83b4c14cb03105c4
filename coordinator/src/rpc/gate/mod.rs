//! The gate: which connections and calls come in, and how much of them at once.

pub mod admission;
pub mod connection;
pub mod intake;
pub mod listener;
pub mod local_workers;
