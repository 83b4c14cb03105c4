//! Liveness: attempts that do not get on, and workers that let go of them untrained.

pub mod stalled;
pub mod stalls;
pub mod takers;
pub mod untrained;
