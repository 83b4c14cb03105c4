//! The wire types and services of `sweep/v1/*.proto`, with the protocol's version, its size limits
//! the cleaning of foreign text, and the conversion of what a trial is made of and gives.

pub mod codec;
pub mod convert;
pub mod shape;
pub mod text;

#[expect(clippy::all, reason = "generated code")]
mod generated {
    tonic::include_proto!("sweep.v1");
}

pub use generated::*;

/// The one protocol version that this build speaks.
pub const PROTOCOL_VERSION: u32 = 1;

/// Largest message that either side accepts or sends. A Sync carries at most
/// `MAX_FINISHED_BYTES` of outcomes beside its running leases.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// Outcomes of one Sync; more of them wait for the next.
pub const MAX_FINISHED_BYTES: usize = 2 * 1024 * 1024;

/// Largest outcome of one trial: that of the most epochs with all their times, and room beside it in
/// the message for everything else that a Sync says.
pub const MAX_OUTCOME_BYTES: usize = MAX_MESSAGE_BYTES - 256 * 1024;

/// Bytes in one chunk of an artifact.
pub const CHUNK_BYTES: usize = 256 * 1024;

/// Largest checkpoint that is published; larger ones stay on their worker's machine.
pub const MAX_CHECKPOINT_BYTES: u64 = 256 * 1024 * 1024;

/// Checkpoints that one worker fetches at a time; the coordinator refuses more.
pub const MAX_FETCHES_OF_A_WORKER: usize = 3;

/// Longest text of a worker that says why something failed, and longest name of a worker, an
/// instruction set or a processor. Both sides cut the rest.
pub const MAX_TEXT_BYTES: usize = 4_000;
pub const MAX_NAME_BYTES: usize = 200;

/// Troubles of one Sync that are told to people, and the longest text of one.
pub const MAX_TROUBLES: usize = 8;
pub const MAX_TROUBLE_BYTES: usize = 500;

/// Grants that a worker holds beyond its slots, at most.
pub const MAX_QUEUE_PLACES: u32 = 256;
