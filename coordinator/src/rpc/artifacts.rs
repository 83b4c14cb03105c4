//! The artifacts service: the sweep's data set and checkpoints, in chunks.

use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use proto::{
    Chunk, GetCheckpointRequest, GetDatasetRequest, PutCheckpointReply, PutCheckpointRequest,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::{Sweep, checkpoints, status::RpcError};
use crate::mailbox::Mailbox;

/// Checkpoints on their way at the same time; each may be held in memory as a whole.
const MAX_TRANSFERS: usize = 8;

#[derive(Debug)]
pub(super) struct Artifacts {
    sweep: Arc<Sweep>,
    mailbox: Mailbox,
    transfers: Arc<Semaphore>,
}

impl Artifacts {
    pub(super) fn new(sweep: Arc<Sweep>, mailbox: Mailbox) -> Self {
        Self { sweep, mailbox, transfers: Arc::new(Semaphore::new(MAX_TRANSFERS)) }
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
        Ok(Response::new(put.await?))
    }

    async fn get_checkpoint(
        &self,
        request: Request<GetCheckpointRequest>,
    ) -> Result<Response<Self::GetCheckpointStream>, Status> {
        let transfer = self.transfer()?;
        let bytes = checkpoints::get(&self.sweep, &self.mailbox, request.into_inner()).await?;
        // The permit is given back with the last chunk.
        let chunks = chunks(bytes).inspect(move |_| {
            let _ = &transfer;
        });
        Ok(Response::new(Box::pin(tokio_stream::iter(chunks))))
    }
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
