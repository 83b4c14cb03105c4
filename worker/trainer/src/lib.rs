//! Trains a ReLU network on one thread. The same trial gives the same bits on every instruction
//! set, in debug and release, interrupted or not: `reference` is that definition as plain loops.

mod config;
mod data;
mod fast;
mod interface;
mod isa;
mod kernels;
mod measures;
mod model;
mod numerics;
mod optimizers;
mod reference;
#[cfg(test)]
mod testing;
mod trial;

pub use crate::config::*;
pub use crate::data::samples::{DataError, MAX_CLASSES, MAX_INPUTS};
pub use crate::data::{Dataset, IdxHeader, MAX_IDX_HEADER_BYTES, PreparedData, idx_header};
pub use crate::interface::interface;
pub use crate::isa::{Isa, IsaError};
pub use crate::measures::{measures, untold_measures};
pub use crate::model::size::{TooLarge, check_size, slot_bytes};
pub use crate::numerics::digest::diverged_digest;
pub use crate::trial::measure::{Workload, peak_gflops, workloads};
pub use crate::trial::result::check_result;
pub use crate::trial::selftest::selftest_digest;
pub use crate::trial::trainer::{EpochEnd, LayerWeights, TrainError, Trainer};
