//! The harness of the end-to-end tests: a folder with a data set and sweep files, and the real
//! programs, started, watched, killed and read like a user would.

mod env;
mod files;
mod outside;
mod paste;
mod programs;
mod random;
mod wait;

pub use env::Env;
pub use files::events::{events, finished_event, trial_ids};
pub use files::outputs::{Row, Status, canonical_files, files_in, results, rows, sha256_of};
pub use files::sweep::Sweep;
pub use outside::disk::SmallDisk;
pub use outside::network::{Network, Place, Way, own_host};
pub use outside::relay::Relay;
pub use paste::{example_commands, printed_commands};
pub use programs::Programs;
pub use programs::coordinator::Coordinator;
pub use programs::process::{Ended, Process, ctrl_c, is_alive, send, send_if_there};
pub use programs::terminal::Terminal;
pub use programs::worker::RemoteWorker;
pub use random::SplitMix;
pub use rustix::process::Signal;
pub use wait::{LIMIT, eventually};
