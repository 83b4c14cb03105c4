//! The way to the core: a bounded mailbox that the driver empties. Whoever posts a call gets its
//! reply once what it depends on is durable.

use std::collections::BTreeMap;

use coordinator_core::event::{Call, Join, JoinReply, Sync, SyncReply};
use coordinator_core::lease::{Lease, SessionId, TrialIndex, WorkerId};
use coordinator_core::ledger::checkpoints::Checkpoint;
use tokio::sync::{mpsc, oneshot};
use trial::Digest;

/// Posts that wait for the driver; more are refused, and callers back off.
pub const CAPACITY: usize = 1024;

#[derive(Debug)]
pub enum Post {
    Join(Join, oneshot::Sender<JoinReply>),
    Sync(Sync, oneshot::Sender<SyncReply>),
    CheckpointOffered(Lease, oneshot::Sender<Option<WorkerId>>),
    TransferOffered(SessionId, oneshot::Sender<Option<WorkerId>>),
    CheckpointPublished(Lease, Checkpoint, oneshot::Sender<Vec<Checkpoint>>),
    CheckpointBroken { trial: TrialIndex, digest: Digest },
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

    pub async fn join(&self, join: Join) -> Result<JoinReply, CallError> {
        self.call(|reply| Post::Join(join, reply)).await
    }

    pub async fn sync(&self, sync: Sync) -> Result<SyncReply, CallError> {
        self.call(|reply| Post::Sync(sync, reply)).await
    }

    /// The worker that may publish under the lease.
    pub async fn checkpoint_offered(&self, lease: Lease) -> Result<Option<WorkerId>, CallError> {
        self.call(|reply| Post::CheckpointOffered(lease, reply)).await
    }

    /// The worker whose session it is.
    pub async fn transfer_offered(
        &self,
        session: SessionId,
    ) -> Result<Option<WorkerId>, CallError> {
        self.call(|reply| Post::TransferOffered(session, reply)).await
    }

    /// What is kept of the trial's checkpoints.
    pub async fn checkpoint_published(
        &self,
        lease: Lease,
        checkpoint: Checkpoint,
    ) -> Result<Vec<Checkpoint>, CallError> {
        self.call(|reply| Post::CheckpointPublished(lease, checkpoint, reply)).await
    }

    /// Posts what waits for no reply. A driver that has ended needs it no more.
    pub async fn tell(&self, post: Post) {
        let _ = self.0.send(post).await;
    }

    async fn call<R>(&self, post: impl FnOnce(oneshot::Sender<R>) -> Post) -> Result<R, CallError> {
        let (reply, answer) = oneshot::channel();
        self.0.try_send(post(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => CallError::Busy,
            mpsc::error::TrySendError::Closed(_) => CallError::Closed,
        })?;
        answer.await.map_err(|_| CallError::Closed)
    }
}

/// The callers that wait for replies of one type.
#[derive(Debug)]
pub struct Waiting<R> {
    n_calls: u64,
    callers: BTreeMap<u64, oneshot::Sender<R>>,
}

impl<R> Waiting<R> {
    pub fn new() -> Self {
        Self { n_calls: 0, callers: BTreeMap::new() }
    }

    pub fn admit(&mut self, caller: oneshot::Sender<R>) -> Call<R> {
        self.n_calls += 1;
        self.callers.insert(self.n_calls, caller);
        Call::new(self.n_calls)
    }

    /// A caller that has gone asks again and gets the same.
    pub fn answer(&mut self, call: &Call<R>, reply: R) {
        let _ = self.callers.remove(&call.number).map(|caller| caller.send(reply));
    }
}
