//! The way to the core: a bounded mailbox that the driver empties. Whoever posts a call gets its
//! reply once what it depends on is durable.

use coordinator_core::event::{Join, Reply, Sync};
use coordinator_core::lease::{Lease, SessionId, TrialIndex, WorkerId};
use coordinator_core::ledger::checkpoints::Checkpoint;
use tokio::sync::{mpsc, oneshot};

/// Posts that wait for the driver; more are refused, and callers back off.
pub const CAPACITY: usize = 1024;

#[derive(Debug)]
pub enum Post {
    Join(Join, oneshot::Sender<Reply>),
    Sync(Sync, oneshot::Sender<Reply>),
    CheckpointOffered(Lease, oneshot::Sender<Reply>),
    TransferOffered(SessionId, oneshot::Sender<Reply>),
    CheckpointPublished(Lease, Checkpoint, oneshot::Sender<Reply>),
    CheckpointBroken { trial: TrialIndex, digest: [u8; 32] },
    LocalEnded { local_index: u32, expected: bool, how: String },
    Stop,
}

#[derive(Clone, Debug)]
pub struct Mailbox(mpsc::Sender<Post>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The mailbox is full.
    Busy,
    /// The coordinator is ending.
    Closed,
}

impl Mailbox {
    pub fn new() -> (Self, mpsc::Receiver<Post>) {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        (Self(sender), receiver)
    }

    pub async fn join(&self, join: Join) -> Result<Reply, CallError> {
        self.call(|reply| Post::Join(join, reply)).await
    }

    pub async fn sync(&self, sync: Sync) -> Result<Reply, CallError> {
        self.call(|reply| Post::Sync(sync, reply)).await
    }

    /// The worker that may publish under the lease.
    pub async fn checkpoint_offered(&self, lease: Lease) -> Result<Option<WorkerId>, CallError> {
        match self.call(|reply| Post::CheckpointOffered(lease, reply)).await? {
            Reply::CheckpointWanted(worker) => Ok(worker),
            _ => unreachable!("not an offer's answer"),
        }
    }

    /// The worker whose session it is.
    pub async fn transfer_offered(
        &self,
        session: SessionId,
    ) -> Result<Option<WorkerId>, CallError> {
        match self.call(|reply| Post::TransferOffered(session, reply)).await? {
            Reply::TransferAllowed(worker) => Ok(worker),
            _ => unreachable!("not a transfer's answer"),
        }
    }

    pub async fn checkpoint_published(
        &self,
        lease: Lease,
        checkpoint: Checkpoint,
    ) -> Result<Reply, CallError> {
        self.call(|reply| Post::CheckpointPublished(lease, checkpoint, reply)).await
    }

    /// Posts what waits for no reply. A driver that has ended needs it no more.
    pub async fn tell(&self, post: Post) {
        let _ = self.0.send(post).await;
    }

    async fn call(
        &self,
        post: impl FnOnce(oneshot::Sender<Reply>) -> Post,
    ) -> Result<Reply, CallError> {
        let (reply, answer) = oneshot::channel();
        self.0.try_send(post(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => CallError::Busy,
            mpsc::error::TrySendError::Closed(_) => CallError::Closed,
        })?;
        answer.await.map_err(|_| CallError::Closed)
    }
}
