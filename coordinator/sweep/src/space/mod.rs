//! The search space: the hyperparameters that the grids span, point by point.

pub mod coverage;
pub mod domain;
pub mod expand;
pub mod filter;
pub mod grid;
pub mod points;
pub mod range;
pub mod text;
pub mod unused;
