//! What lies around the programs: a disk, a network and a relay that can fail.

pub mod disk;
pub mod network;
pub mod relay;
