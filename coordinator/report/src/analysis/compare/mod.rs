//! Comparisons: optimizers against each other, in accuracy and in effort.

pub mod clock;
pub mod effort;
pub mod hypotheses;
pub mod paired;
pub mod pairs;
