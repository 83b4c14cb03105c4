//! Checkpoints on their way in and out. Disk work is done off the threads that keep calls going.

use std::sync::Arc;
use std::time::Duration;

use coordinator_core::lease::{Lease, WorkerId};
use coordinator_core::ledger::checkpoints::Checkpoint;
use proto::put_checkpoint_request::Part;
use proto::{GetCheckpointRequest, PutCheckpointReply, PutCheckpointRequest};
use tokio::time::timeout;
use tonic::{Status, Streaming};

use super::convert;
use super::status::RpcError;
use crate::rpc::content::Content;
use crate::rpc::context::Sweep;
use crate::rpc::gate::admission::Pace;
use crate::rpc::status::on_disk;
use crate::run::mailbox::{Mailbox, Post};
use crate::store::Receiving;

/// A checkpoint that its worker may publish.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) worker: WorkerId,
    lease: Lease,
    checkpoint: Checkpoint,
    /// Where the bytes that follow belong.
    offset: u64,
}

/// The offer that a call begins with, within the time for it. A caller that may not publish is told so,
/// and has taken nothing until then.
pub(super) async fn offered(
    sweep: &Sweep,
    mailbox: &Mailbox,
    parts: &mut Streaming<PutCheckpointRequest>,
    pace: Pace,
) -> Result<Offer, Status> {
    let first = within(pace.first, parts.message()).await?;
    let Some(PutCheckpointRequest { part: Some(Part::Announcement(announcement)) }) = first else {
        return Err(RpcError::Malformed("a checkpoint begins with its announcement".into()).into());
    };
    let (lease, checkpoint) = convert::announcement(&announcement, &sweep.plan_index())?;
    let worker = mailbox.checkpoint_offered(lease).await.map_err(RpcError::from)?;
    let worker = worker.ok_or(RpcError::StaleLease)?;
    Ok(Offer { worker, lease, checkpoint, offset: announcement.offset })
}

/// Takes a checkpoint in as far as it comes; what is there when a call breaks stays there.
pub(super) async fn put(
    sweep: &Sweep,
    mailbox: &Mailbox,
    offer: Offer,
    mut parts: Streaming<PutCheckpointRequest>,
    pace: Pace,
) -> Result<PutCheckpointReply, Status> {
    let Offer { lease, checkpoint, offset, .. } = offer;
    let mut receiving = begin(sweep, lease, checkpoint).await?;
    let goes_on = offset == receiving.n_bytes() && !receiving.is_whole();
    while goes_on
        && let Some(PutCheckpointRequest { part }) = within(pace.chunk, parts.message()).await?
    {
        let Some(Part::Bytes(bytes)) = part else {
            return Err(RpcError::Malformed("bytes follow an announcement".into()).into());
        };
        let write = move || receiving.write(&bytes).map(|()| receiving);
        receiving = on_disk(&sweep.disk, write).await?;
    }
    let n_bytes = receiving.n_bytes();
    if receiving.is_whole() {
        publish(sweep, mailbox, lease, checkpoint).await?;
    }
    Ok(PutCheckpointReply { n_bytes })
}

async fn begin(sweep: &Sweep, lease: Lease, checkpoint: Checkpoint) -> Result<Receiving, RpcError> {
    let (files, id) = (sweep.checkpoints.clone(), sweep.trial_id(lease.trial));
    let receive = move || files.receive(lease.trial, id, checkpoint);
    let receiving = on_disk(&sweep.disk, receive).await?;
    receiving.ok_or(RpcError::Busy)
}

/// The core says which checkpoints are kept; if the lease has become stale, this one is not.
async fn publish(
    sweep: &Sweep,
    mailbox: &Mailbox,
    lease: Lease,
    checkpoint: Checkpoint,
) -> Result<(), RpcError> {
    let kept = mailbox.checkpoint_published(lease, checkpoint).await?;
    let (files, id) = (sweep.checkpoints.clone(), sweep.trial_id(lease.trial));
    faults::point("coordinator.checkpoint.kept");
    on_disk(&sweep.disk, move || files.keep(id, &kept)).await?;
    faults::point("coordinator.checkpoint.shed");
    Ok(())
}

/// A checkpoint from an offset on. The core hears of one that is damaged or gone.
pub(super) async fn get(
    sweep: &Sweep,
    mailbox: &Mailbox,
    request: GetCheckpointRequest,
) -> Result<Content, RpcError> {
    let (trial, digest) = convert::wanted_checkpoint(&request, &sweep.plan_index())?;
    let (files, id) = (sweep.checkpoints.clone(), sweep.trial_id(trial));
    let open = move || files.open_whole(id, digest);
    let Some(checkpoint) = on_disk(&sweep.disk, open).await? else {
        mailbox.tell(Post::CheckpointBroken { trial, digest }).await;
        return Err(RpcError::UnknownCheckpoint);
    };
    let offset = request.offset;
    if offset > checkpoint.n_bytes() {
        let text = "the offset lies behind the checkpoint's end";
        return Err(RpcError::Malformed(text.into()));
    }
    Ok(Content::File { disk: sweep.disk.clone(), checkpoint: Arc::new(checkpoint), offset })
}

async fn within<T>(
    time: Duration,
    message: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    timeout(time, message).await.map_err(|_| RpcError::Slow)?
}

#[cfg(test)]
mod tests;
