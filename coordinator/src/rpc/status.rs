//! Errors of this edge to gRPC codes; nowhere else are codes chosen.

use proto::convert::Malformed;
use std::io;

use thiserror::Error;
use tonic::Status;
use worker::parts::Disk;

use crate::run::mailbox::CallError;

#[derive(Debug, Error)]
pub enum RpcError {
    /// Trying again cannot help.
    #[error("{0}")]
    Refused(String),
    /// The message breaks a rule of the protocol.
    #[error("{0}")]
    Malformed(String),
    #[error("the coordinator has no data set {0}")]
    UnknownDataset(String),
    #[error("the lease is not current: its trial has its outcome, or another attempt at it runs")]
    StaleLease,
    #[error("the checkpoint is damaged or gone")]
    UnknownCheckpoint,
    #[error("cannot keep or read the checkpoint: {0}")]
    Disk(#[from] io::Error),
    /// Only those that joined may fetch.
    #[error("no worker has this session; join first")]
    UnknownSession,
    #[error("it was on its way for too long; go on from what has arrived")]
    Slow,
    #[error("the message is longer than {0} bytes")]
    TooLong(usize),
    #[error("the coordinator is busy; try again soon")]
    Busy,
    #[error("the coordinator has {0} workers and takes no more until one has ended")]
    Full(usize),
    #[error(
        "worker {0} has the same id and is at work: if the cache folder was copied from its machine, give this worker one of its own (--cache-dir); if it takes the place of one that ended, it joins in a moment"
    )]
    WorkerLives(String),
    #[error("the coordinator is ending")]
    Ending,
}

impl From<CallError> for RpcError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Busy => Self::Busy,
            CallError::Closed => Self::Ending,
        }
    }
}

impl From<Malformed> for RpcError {
    fn from(Malformed(text): Malformed) -> Self {
        Self::Malformed(text)
    }
}

impl From<RpcError> for Status {
    fn from(error: RpcError) -> Self {
        let text = error.to_string();
        match error {
            RpcError::Refused(_) => Self::failed_precondition(text),
            RpcError::StaleLease => Self::failed_precondition(text),
            RpcError::Malformed(_) => Self::invalid_argument(text),
            RpcError::UnknownDataset(_) => Self::not_found(text),
            RpcError::UnknownCheckpoint => Self::not_found(text),
            RpcError::Disk(_) => Self::aborted(text),
            RpcError::UnknownSession => Self::unauthenticated(text),
            RpcError::TooLong(_) => Self::out_of_range(text),
            RpcError::Slow => Self::deadline_exceeded(text),
            RpcError::Busy | RpcError::Full(_) | RpcError::WorkerLives(_) => {
                Self::resource_exhausted(text)
            }
            RpcError::Ending => Self::unavailable(text),
        }
    }
}

/// Does work that blocks, and gives its error as one of this edge.
pub async fn on_disk<T: Send + 'static>(
    disk: &Disk,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, RpcError> {
    let done = disk.work(work).await;
    Ok(done.map_err(io::Error::other)??)
}
