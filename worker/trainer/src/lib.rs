//! Trains a ReLU network on one thread. The same trial gives the same bits on every instruction
//! set, in debug and release, interrupted or not: `reference` is that definition as plain loops.

mod config;
mod result;

pub use config::*;
pub use result::*;
