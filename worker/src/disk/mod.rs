//! What a worker keeps on its disk: its folder, its spool, checkpoints and data sets.

pub mod checkpoints;
pub mod datasets;
pub mod device;
pub mod files;
pub mod folder;
pub mod locks;
pub mod size;
pub mod spool;
pub mod upkeep;
