//! The numerics that every path shares: sums, exponentials, random numbers, digests of bits.

pub mod digest;
pub mod exp;
pub mod real;
pub mod rng;
pub mod sum;
