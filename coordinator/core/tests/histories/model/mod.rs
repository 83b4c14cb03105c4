//! The model of the world that histories happen in.

pub mod agent;
pub mod steps;
pub mod world;
