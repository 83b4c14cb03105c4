//! The harness of the end-to-end tests: a folder with a data set and sweep files, and the real
//! programs, started, watched, killed and read like a user would.

mod coordinator;
mod data;
mod disk;
mod env;
mod events;
mod network;
mod outputs;
mod paste;
mod process;
mod random;
mod relay;
mod sweep;
mod terminal;
mod wait;
mod worker;

pub use crate::coordinator::Coordinator;
pub use crate::worker::RemoteWorker;
pub use disk::SmallDisk;
pub use env::{Env, Programs};
pub use events::{events, finished_event, trial_ids};
pub use network::{Network, Place, Way, own_host};
pub use outputs::{Row, Status, canonical_files, files_in, results, rows, sha256_of};
pub use paste::{example_commands, printed_commands};
pub use process::{Ended, Process, ctrl_c, is_alive, send, send_if_there};
pub use random::SplitMix;
pub use relay::Relay;
pub use rustix::process::Signal;
pub use sweep::Sweep;
pub use terminal::Terminal;
pub use wait::{LIMIT, eventually};
