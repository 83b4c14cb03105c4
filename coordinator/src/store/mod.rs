//! The store: one SQLite file that holds everything a sweep must not lose. It knows no policy; it
//! makes batches of the core's records durable and gives back what they amount to.

mod checkpoints;
pub mod connection;
pub mod error;
mod folder;
mod mark;
pub mod meta;
mod numbers;
mod read;
mod schema;
#[cfg(test)]
pub mod tests;
mod wal;
mod write;

pub use checkpoints::{CheckpointFiles, Receiving, WholeCheckpoint};
pub use folder::{StateFolder, database_in, recorded_in};
pub use read::by_trial::TrialReader;
pub use read::load::Recorded;
pub use read::{OpenAttempt, Reader, TrialRow, TrialState};
pub use write::times::AttemptTimes;
pub use write::writer::Writer;
