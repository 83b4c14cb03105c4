//! What the programs run on: a simulated network and a simulated disk.

pub mod disk;
pub mod net;
