//! The artifacts service: the sweep's data set and checkpoints, in chunks.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use proto::{
    Chunk, GetCheckpointRequest, GetDatasetRequest, PutCheckpointReply, PutCheckpointRequest,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::timeout,
};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};

use super::{Sweep, checkpoints, status::RpcError};
use crate::mailbox::Mailbox;

/// Checkpoints on their way at the same time; each may be held in memory as a whole.
pub(super) const MAX_TRANSFERS: usize = 8;

/// A checkpoint that is longer on its way is cut off, so that a slow or stalled peer keeps no other
/// one out; the next call goes on from what has arrived. Workers wait a little longer, to hear why.
const TRANSFER_TIME: Duration = Duration::from_secs(50);

#[derive(Debug)]
pub(super) struct Artifacts {
    sweep: Arc<Sweep>,
    mailbox: Mailbox,
    transfers: Arc<Semaphore>,
    pub(super) transfer_time: Duration,
}

impl Artifacts {
    pub(super) fn new(sweep: Arc<Sweep>, mailbox: Mailbox) -> Self {
        let transfers = Arc::new(Semaphore::new(MAX_TRANSFERS));
        Self { sweep, mailbox, transfers, transfer_time: TRANSFER_TIME }
    }

    /// A caller that finds none free tries again later.
    fn transfer(&self) -> Result<OwnedSemaphorePermit, RpcError> {
        self.transfers.clone().try_acquire_owned().map_err(|_| RpcError::Busy)
    }
}

type Chunks = Pin<Box<dyn Stream<Item = Result<Chunk, Status>> + Send>>;

#[tonic::async_trait]
impl proto::artifacts_server::Artifacts for Artifacts {
    type GetDatasetStream = Chunks;
    type GetCheckpointStream = Chunks;

    async fn get_dataset(
        &self,
        request: Request<GetDatasetRequest>,
    ) -> Result<Response<Self::GetDatasetStream>, Status> {
        let GetDatasetRequest { digest, offset } = request.into_inner();
        if digest != self.sweep.roster().plan.dataset_digest {
            let hex = digest.iter().take(32).map(|byte| format!("{byte:02x}")).collect();
            return Err(RpcError::UnknownDataset(hex).into());
        }
        let blob = self.sweep.blob.clone();
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        if blob.len() < offset {
            let text = format!("offset {offset} lies behind the data set's {} bytes", blob.len());
            return Err(RpcError::Malformed(text).into());
        }
        Ok(Response::new(Box::pin(tokio_stream::iter(chunks(blob.slice(offset..))))))
    }

    async fn put_checkpoint(
        &self,
        request: Request<Streaming<PutCheckpointRequest>>,
    ) -> Result<Response<PutCheckpointReply>, Status> {
        let _transfer = self.transfer()?;
        let put = checkpoints::put(&self.sweep, &self.mailbox, request.into_inner());
        let put = timeout(self.transfer_time, put).await;
        Ok(Response::new(put.map_err(|_| RpcError::Slow)??))
    }

    async fn get_checkpoint(
        &self,
        request: Request<GetCheckpointRequest>,
    ) -> Result<Response<Self::GetCheckpointStream>, Status> {
        let transfer = self.transfer()?;
        let bytes = checkpoints::get(&self.sweep, &self.mailbox, request.into_inner()).await?;
        Ok(Response::new(Box::pin(timed(bytes, self.transfer_time, transfer))))
    }
}

/// The bytes in chunks, for as long as their time lasts. Nothing asks a stream whose reader does not
/// read, so a task holds the permit and watches the time.
fn timed(
    bytes: Bytes,
    transfer_time: Duration,
    transfer: OwnedSemaphorePermit,
) -> ReceiverStream<Result<Chunk, Status>> {
    let (sender, receiver) = mpsc::channel(2);
    tokio::spawn(async move {
        let last_word = sender.clone().try_reserve_owned();
        let send_all = async {
            for chunk in chunks(bytes) {
                if sender.send(chunk).await.is_err() {
                    return;
                }
            }
        };
        if timeout(transfer_time, send_all).await.is_err()
            && let Ok(last_word) = last_word
        {
            last_word.send(Err(RpcError::Slow.into()));
        }
        drop(transfer);
    });
    ReceiverStream::new(receiver)
}

fn chunks(mut rest: Bytes) -> impl Iterator<Item = Result<Chunk, Status>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let bytes = rest.split_to(proto::CHUNK_BYTES.min(rest.len()));
        Some(Ok(Chunk { bytes: bytes.to_vec() }))
    })
}
