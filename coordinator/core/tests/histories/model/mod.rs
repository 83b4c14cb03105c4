//! The model of the world that histories happen in.

pub mod agent;
pub mod rules;
pub mod steps;
pub mod world;
