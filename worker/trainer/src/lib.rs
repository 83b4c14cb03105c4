//! Trains a ReLU network on one thread. The same trial gives the same bits on every instruction
//! set, in debug and release, interrupted or not: `reference` is that definition as plain loops.

mod config;
mod data;
mod fast;
mod isa;
mod kernels;
mod model;
mod numerics;
mod optimizers;
mod reference;
#[cfg(test)]
mod testing;
mod trial;
pub mod wording;

pub use crate::data::samples::{DataError, MAX_CLASSES, MAX_INPUTS};
pub use config::*;
pub use data::{Dataset, IdxHeader, MAX_IDX_HEADER_BYTES, PreparedData, Scale, Split, idx_header};
pub use isa::{Isa, IsaError};
pub use model::size::{Elements, MAX_ELEMENTS, TooLarge, check_size, slot_bytes};
pub use numerics::digest::diverged_digest;
pub use numerics::hex::{from_hex, hex};
pub use trial::measure::{Workload, peak_gflops, workloads};
pub use trial::result::*;
pub use trial::selftest::selftest_digest;
pub use trial::trainer::{EpochEnd, LayerWeights, TrainError, Trainer};
