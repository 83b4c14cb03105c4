//! A worker: joins a coordinator, trains the trials it is granted on its slots, and hands in what
//! they gave. `agent` decides, `session` acts, the other modules are what it acts on.

mod agent;
mod cli;
mod config;
mod cpu;
mod disk;
mod link;
pub mod logging;
mod memory;
pub mod parts;
mod programs;
mod run;
mod session;
pub mod signals;
mod slots;

pub use crate::config::{Config, Ended};
pub use cli::duration;
pub use cpu::usable_cores;
pub use disk::locks;
pub use disk::upkeep::DiskLimits;
pub use run::{CHECKPOINT_EVERY, LOCAL_TOKEN_BYTES, main, run, run_to_exit_code};
