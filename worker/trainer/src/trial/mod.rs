//! A trial: training one network from its first epoch, or from a checkpoint, to its result.

pub mod checkpoint;
#[cfg(test)]
pub mod golden;
pub mod measure;
pub mod result;
pub mod selftest;
pub mod trainer;
