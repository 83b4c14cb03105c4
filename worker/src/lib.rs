//! A worker: joins a coordinator, trains the trials it is granted on its slots, and hands in what
//! they gave. `agent` decides, `session` acts, the other modules are what it acts on.

mod agent;
mod backoff;
mod checkpoints;
mod cli;
mod convert;
mod cores;
mod cpu;
mod datasets;
pub mod faults;
mod files;
mod folder;
mod hex;
mod link;
mod lock;
mod off_thread;
pub mod parts;
mod pending;
mod run;
mod session;
pub mod signals;
mod slot;
mod spool;
mod supply;
mod transfer;

pub use cpu::usable_cores;
pub use run::{CHECKPOINT_EVERY, Config, Ended, main, run, run_to_exit_code};
