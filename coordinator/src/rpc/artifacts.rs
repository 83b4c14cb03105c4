//! The artifacts service: the sweep's data set and checkpoints, in chunks.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use coordinator_core::lease::{SessionId, WorkerId};
use proto::{
    Chunk, GetCheckpointRequest, GetDatasetRequest, PutCheckpointReply, PutCheckpointRequest,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::checkpoints;
use super::convert;
use super::status::RpcError;
use crate::rpc::content::Content;
use crate::rpc::context::Sweep;
use crate::rpc::gate::admission::{
    Asker, CHECKPOINTS_IN, CHECKPOINTS_OUT, DATASETS, Pace, Place, Places,
};
use crate::rpc::gate::connection::{Peer, ended};
use crate::run::mailbox::Mailbox;

#[derive(Debug)]
pub(super) struct Artifacts {
    sweep: Arc<Sweep>,
    mailbox: Mailbox,
    datasets: Places,
    checkpoints_out: Places,
    checkpoints_in: Places,
    pub(super) pace: Pace,
}

impl Artifacts {
    pub(super) fn new(sweep: Arc<Sweep>, mailbox: Mailbox) -> Self {
        Self {
            sweep,
            mailbox,
            datasets: Places::new(DATASETS),
            checkpoints_out: Places::new(CHECKPOINTS_OUT),
            checkpoints_in: Places::new(CHECKPOINTS_IN),
            pace: Pace::USUAL,
        }
    }

    /// Those of data sets, of checkpoints on their way out, and of those on their way in.
    #[cfg(test)]
    pub(super) fn places(&self) -> [Places; 3] {
        [&self.datasets, &self.checkpoints_out, &self.checkpoints_in].map(Places::clone)
    }

    /// The worker whose session it is.
    async fn asker(&self, session: u64, peer: Option<&Peer>) -> Result<Asker, RpcError> {
        let worker = self.mailbox.transfer_offered(SessionId(session)).await?;
        Ok(self.asker_of(worker.ok_or(RpcError::UnknownSession)?, peer))
    }

    fn asker_of(&self, worker: WorkerId, peer: Option<&Peer>) -> Asker {
        let is_local = self.sweep.local_workers.have(worker);
        Asker { worker, is_local, address: peer.map(Peer::address) }
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
        let peer = Peer::of(request.extensions());
        let GetDatasetRequest { digest, offset, session } = request.into_inner();
        let asker = self.asker(session, peer.as_ref()).await?;
        if digest != self.sweep.plan_index().plan.dataset_digest.0 {
            return Err(RpcError::UnknownDataset(convert::shown(&digest)).into());
        }
        let blob = self.sweep.blob.clone();
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        if offset > blob.len() {
            let text = format!("offset {offset} lies behind the data set's {} bytes", blob.len());
            return Err(RpcError::Malformed(text).into());
        }
        let place = self.datasets.take(asker, self.pace).await?;
        Ok(Response::new(Box::pin(paced(
            Content::Memory(blob.slice(offset..)),
            self.pace,
            place,
            peer,
        ))))
    }

    async fn put_checkpoint(
        &self,
        request: Request<Streaming<PutCheckpointRequest>>,
    ) -> Result<Response<PutCheckpointReply>, Status> {
        let (sweep, mailbox, pace) = (&self.sweep, &self.mailbox, self.pace);
        let peer = Peer::of(request.extensions());
        let mut parts = request.into_inner();
        let offer = checkpoints::offered(sweep, mailbox, &mut parts, pace).await?;
        let asker = self.asker_of(offer.worker, peer.as_ref());
        let _place = self.checkpoints_in.take(asker, pace).await?;
        let put = checkpoints::put(sweep, mailbox, offer, parts, pace);
        let put = timeout(pace.whole, put).await;
        Ok(Response::new(put.map_err(|_| RpcError::Slow)??))
    }

    async fn get_checkpoint(
        &self,
        request: Request<GetCheckpointRequest>,
    ) -> Result<Response<Self::GetCheckpointStream>, Status> {
        let peer = Peer::of(request.extensions());
        let request = request.into_inner();
        let asker = self.asker(request.session, peer.as_ref()).await?;
        let place = self.checkpoints_out.take(asker, self.pace).await?;
        let content = checkpoints::get(&self.sweep, &self.mailbox, request).await?;
        Ok(Response::new(Box::pin(paced(content, self.pace, place, peer))))
    }
}

/// The chunks, as long as their reader keeps the pace. Nothing asks a stream whose reader does not read,
/// so a task watches the time. The place is taken until the stream is gone; a reader that does not take
/// the rest loses its connection, because nothing else empties what waits for it.
fn paced(mut content: Content, pace: Pace, place: Place, peer: Option<Peer>) -> PacedStream {
    let (sender, receiver) = mpsc::channel(2);
    let (is_open, is_gone) = oneshot::channel();
    tokio::spawn(async move {
        let _place = place;
        let last_word = sender.clone().try_reserve_owned();
        let send_all = async {
            while let Some(chunk) = content.next().await? {
                let sent = timeout(pace.chunk, sender.send(Ok(chunk))).await;
                if sent.map_err(|_| RpcError::Slow)?.is_err() {
                    return Err(RpcError::Disk(io::ErrorKind::BrokenPipe.into()));
                }
            }
            Ok(())
        };
        let sent = timeout(pace.whole, send_all).await;
        // Who did not read for that long has had its time.
        let time_left =
            if let Ok(Err(RpcError::Slow)) = sent { Duration::ZERO } else { pace.chunk };
        let sent = sent.unwrap_or(Err(RpcError::Slow));
        if let (Err(error), Ok(last_word)) = (sent, last_word) {
            drop(last_word.send(Err(error.into())));
        }
        drop(sender);
        ended(is_gone, time_left, peer).await;
    });
    PacedStream { chunks: ReceiverStream::new(receiver), _is_open: is_open }
}

/// What the connection takes from, whenever its peer has room.
struct PacedStream {
    chunks: ReceiverStream<Result<Chunk, Status>>,
    _is_open: oneshot::Sender<()>,
}

impl Stream for PacedStream {
    type Item = Result<Chunk, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.chunks).poll_next(context)
    }
}
