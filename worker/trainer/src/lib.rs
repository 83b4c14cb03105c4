//! Trains a ReLU network on one thread. The same trial gives the same bits on every instruction
//! set, in debug and release, interrupted or not: `reference` is that definition as plain loops.

mod checkpoint;
mod config;
mod data;
mod digest;
mod dropout;
mod exp;
mod fast;
#[cfg(test)]
mod golden;
mod hex;
mod isa;
mod kernels;
mod loss;
mod measure;
mod network;
mod optimizers;
mod reference;
mod result;
mod rng;
mod selftest;
mod size;
mod sum;
#[cfg(test)]
mod testing;
mod trainer;
pub mod wording;
mod work;

pub use config::*;
pub use data::{
    DataError, Dataset, IdxHeader, MAX_CLASSES, MAX_IDX_HEADER_BYTES, MAX_INPUTS, PreparedData,
    Scale, Split, idx_header,
};
pub use digest::diverged_digest;
pub use hex::{from_hex, hex};
pub use isa::{Isa, IsaError};
pub use measure::{Workload, peak_gflops, workloads};
pub use result::*;
pub use selftest::selftest_digest;
pub use size::{Elements, MAX_ELEMENTS, TooLarge, check_size, slot_bytes};
pub use trainer::{EpochEnd, LayerWeights, TrainError, Trainer};
