//! Kernels that leave out zeros.

pub mod active;
pub mod compressed;
pub mod sparse_forward;
pub mod sparse_gradient;
