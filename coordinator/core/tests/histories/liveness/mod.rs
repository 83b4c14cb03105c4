//! Liveness: slots that stall, workers that pass trials on, and workers that train nothing.

pub mod stalled;
mod stallers;
mod untrained;
