//! Serves the sweep's data set by its digest, in chunks.

use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use proto::{Chunk, GetDatasetRequest};
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use super::{Sweep, status::RpcError};

#[derive(Debug)]
pub(super) struct Artifacts {
    sweep: Arc<Sweep>,
}

impl Artifacts {
    pub(super) fn new(sweep: Arc<Sweep>) -> Self {
        Self { sweep }
    }
}

#[tonic::async_trait]
impl proto::artifacts_server::Artifacts for Artifacts {
    type GetDatasetStream = Pin<Box<dyn Stream<Item = Result<Chunk, Status>> + Send>>;

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
