//! A worker: joins a coordinator, trains the trials it is granted on its slots, and hands in what
//! they gave. `agent` decides, `session` acts, the other modules are what it acts on.

mod agent;
mod backoff;
mod cache_clock;
mod checkpoints;
mod cli;
mod convert;
mod cores;
mod cpu;
mod datasets;
pub mod duration;
pub mod faults;
mod files;
mod fit;
mod folder;
mod link;
pub mod locks;
pub mod logging;
mod off_thread;
pub mod parts;
mod pending;
mod repeats;
mod run;
mod session;
mod short_id;
pub mod signals;
mod slot;
mod spool;
mod supply;
mod transfer;
mod troubles;
mod upkeep;

pub use cpu::usable_cores;
pub use run::{CHECKPOINT_EVERY, Config, Ended, LOCAL_TOKEN_BYTES, main, run, run_to_exit_code};
pub use upkeep::DiskLimits;
