//! Checkpoints on their way in and out. Disk work is done off the threads that keep calls going.

use std::io;

use bytes::Bytes;
use coordinator_core::{checkpoints::Checkpoint, event::Reply, lease::Lease};
use proto::{
    GetCheckpointRequest, PutCheckpointReply, PutCheckpointRequest, put_checkpoint_request::Part,
};
use tonic::{Status, Streaming};
use worker::{faults, parts};

use super::{Sweep, convert, status::RpcError};
use crate::{
    mailbox::{Mailbox, Post},
    store::Receiving,
};

/// Takes a checkpoint in as far as it comes; what is there when a call breaks stays there.
pub(super) async fn put(
    sweep: &Sweep,
    mailbox: &Mailbox,
    mut parts: Streaming<PutCheckpointRequest>,
) -> Result<PutCheckpointReply, Status> {
    let Some(PutCheckpointRequest { part: Some(Part::Announcement(announcement)) }) =
        parts.message().await?
    else {
        return Err(RpcError::Malformed("a checkpoint begins with its announcement".into()).into());
    };
    let (lease, checkpoint) = convert::announcement(&announcement, &sweep.roster())?;
    judge(mailbox, lease).await?;
    let mut receiving = begin(sweep, lease, checkpoint).await?;
    let goes_on = announcement.offset == receiving.n_bytes() && !receiving.is_whole();
    while goes_on && let Some(PutCheckpointRequest { part }) = parts.message().await? {
        let Some(Part::Bytes(bytes)) = part else {
            return Err(RpcError::Malformed("bytes follow an announcement".into()).into());
        };
        receiving = off_thread(move || receiving.write(&bytes).map(|()| receiving)).await?;
    }
    let n_bytes = receiving.n_bytes();
    if receiving.is_whole() {
        publish(sweep, mailbox, lease, checkpoint).await?;
    }
    Ok(PutCheckpointReply { n_bytes })
}

/// Nothing is written for whoever may not publish.
async fn judge(mailbox: &Mailbox, lease: Lease) -> Result<(), RpcError> {
    match mailbox.checkpoint_offered(lease).await? {
        Reply::CheckpointWanted(true) => Ok(()),
        Reply::CheckpointWanted(false) => Err(RpcError::StaleLease),
        _ => unreachable!("not an offer's answer"),
    }
}

async fn begin(sweep: &Sweep, lease: Lease, checkpoint: Checkpoint) -> Result<Receiving, RpcError> {
    let (files, id) = (sweep.checkpoints.clone(), sweep.trial_id(lease.trial));
    let receiving = off_thread(move || files.receive(lease.trial, id, checkpoint)).await?;
    receiving.ok_or(RpcError::Busy)
}

/// The core says which checkpoints are kept; if the lease has become stale, this one is not.
async fn publish(
    sweep: &Sweep,
    mailbox: &Mailbox,
    lease: Lease,
    checkpoint: Checkpoint,
) -> Result<(), RpcError> {
    let Reply::CheckpointsKept(kept) = mailbox.checkpoint_published(lease, checkpoint).await?
    else {
        unreachable!("not a checkpoint's answer");
    };
    let (files, id) = (sweep.checkpoints.clone(), sweep.trial_id(lease.trial));
    faults::point("coordinator.checkpoint.kept");
    off_thread(move || files.keep(id, &kept)).await?;
    faults::point("coordinator.checkpoint.shed");
    Ok(())
}

/// The bytes from an offset on. The core hears of a checkpoint that is damaged or gone.
pub(super) async fn get(
    sweep: &Sweep,
    mailbox: &Mailbox,
    request: GetCheckpointRequest,
) -> Result<Bytes, RpcError> {
    let (trial, digest) = convert::wanted_checkpoint(&request, &sweep.roster())?;
    let (files, id) = (sweep.checkpoints.clone(), sweep.trial_id(trial));
    let Some(bytes) = off_thread(move || files.read(id, digest)).await? else {
        mailbox.tell(Post::CheckpointBroken { trial, digest }).await;
        return Err(RpcError::UnknownCheckpoint);
    };
    let bytes = Bytes::from(bytes);
    let offset = usize::try_from(request.offset).ok().filter(|&offset| offset <= bytes.len());
    let behind = || RpcError::Malformed("the offset lies behind the checkpoint's end".into());
    Ok(bytes.slice(offset.ok_or_else(behind)?..))
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, RpcError> {
    let done = parts::off_thread(work).await;
    Ok(done.map_err(io::Error::other)??)
}

#[cfg(test)]
mod tests;
