//! Kernels on dense arrays.

pub mod elementwise;
pub mod product;
pub mod reduce;
pub mod rounding;
pub mod transpose;
pub mod update;
