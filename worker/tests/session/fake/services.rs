//! The fake's services: calls answered from its state, or not, as a test has asked.

use std::time::Duration;

use proto::artifacts_server::Artifacts;
use proto::put_checkpoint_request::Part;
use proto::session_server::Session;
use proto::{
    Announcement, Chunk, GetCheckpointRequest, GetDatasetRequest, JoinReply, JoinRequest, Order,
    PutCheckpointReply, PutCheckpointRequest, SyncReply, SyncRequest,
};
use tokio_stream::Iter;
use tonic::{Request, Response, Status, Streaming};

use super::{Fake, State};

#[tonic::async_trait]
impl Session for Fake {
    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinReply>, Status> {
        let mut state = self.state();
        if let Some(refusal) = &state.refusal {
            return Err(refusal.clone());
        }
        let request = request.into_inner();
        state.sessions += 1;
        let kept = state.kept(&request.held);
        for trial in state.trials.values_mut() {
            if trial.grant.lease.as_ref().is_none_or(|lease| !kept.contains(lease)) {
                trial.granted_in = None;
            }
        }
        state.joins.push(request);
        let data = state.announced.clone().unwrap_or_else(|| state.data());
        Ok(Response::new(JoinReply {
            session: state.sessions,
            protocol: proto::PROTOCOL_VERSION,
            term: 1,
            state_id: state.state_id.to_vec(),
            sync_every_ms: 50,
            lease_ttl_ms: state.lease_ttl_ms,
            data: Some(data),
            kept,
            finished: state.is_finished,
        }))
    }

    async fn sync(&self, request: Request<SyncRequest>) -> Result<Response<SyncReply>, Status> {
        let request = request.into_inner();
        if self.state().is_silenced() {
            self.state().n_silenced += 1;
        }
        while self.state().is_silenced() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut state = self.state();
        if state.is_deaf() {
            return Err(Status::unavailable("deaf"));
        }
        assert_eq!(request.session, state.sessions);
        let is_foreign = state.foreign_once_finished && !request.finished.is_empty();
        if is_foreign {
            state.foreign_once_finished = false;
            return Ok(Response::new(state.foreign_reply(&request)));
        }
        if state.forgets_once_released && !request.released.is_empty() {
            state.forgets_once_released = false;
            let order = Order::Rejoin.into();
            return Ok(Response::new(SyncReply {
                seq: request.seq,
                order,
                ..SyncReply::default()
            }));
        }
        let reply = state.reply(&request);
        state.syncs.push(request);
        if state.n_replies_to_lose > 0 {
            state.n_replies_to_lose -= 1;
            return Err(Status::unavailable("the reply was lost"));
        }
        Ok(Response::new(reply))
    }
}

type Chunks = Iter<std::vec::IntoIter<Result<Chunk, Status>>>;

/// The bytes in small chunks; the first alone while there are transfers to break.
fn chunks(bytes: &[u8], n_to_break: &mut usize) -> Chunks {
    let chunks = bytes.chunks(1000).map(|bytes| Ok(Chunk { bytes: bytes.to_vec() }));
    let mut chunks: Vec<_> = chunks.collect();
    if *n_to_break > 0 {
        *n_to_break -= 1;
        chunks.truncate(1);
        chunks.push(Err(Status::unavailable("the transfer broke")));
    }
    tokio_stream::iter(chunks)
}

impl State {
    /// Keeps what came of a checkpoint; gives how much of it is there.
    fn upload(&mut self, announcement: &Announcement, bytes: &[u8]) -> Result<u64, Status> {
        let checkpoint = announcement.checkpoint.clone().unwrap();
        let trial = announcement.lease.as_ref().unwrap().trial_id[0];
        let published = self.published.entry(trial).or_default();
        if published.iter().any(|(known, _)| *known == checkpoint) {
            return Ok(checkpoint.n_bytes);
        }
        let part = self.parts.entry(checkpoint.digest.clone()).or_default();
        if bytes.is_empty() {
            return Ok(part.len() as u64);
        }
        assert_eq!(announcement.offset, part.len() as u64);
        self.upload_offsets.push(announcement.offset);
        if self.n_checkpoints_to_break > 0 {
            self.n_checkpoints_to_break -= 1;
            part.extend(&bytes[..1000]);
            return Err(Status::unavailable("the transfer broke"));
        }
        part.extend(bytes);
        assert_eq!(part.len() as u64, checkpoint.n_bytes);
        published.push((checkpoint, std::mem::take(part)));
        Ok(announcement.checkpoint.as_ref().unwrap().n_bytes)
    }
}

#[tonic::async_trait]
impl Artifacts for Fake {
    type GetDatasetStream = Chunks;
    type GetCheckpointStream = Chunks;

    async fn get_dataset(
        &self,
        request: Request<GetDatasetRequest>,
    ) -> Result<Response<Self::GetDatasetStream>, Status> {
        let mut state = self.state();
        let GetDatasetRequest { digest, offset, .. } = request.into_inner();
        if digest != state.digest {
            return Err(Status::not_found("no such data set"));
        }
        state.dataset_offsets.push(offset);
        let mut rest = state.blob[offset as usize..].to_vec();
        if state.n_datasets_to_damage > 0 {
            state.n_datasets_to_damage -= 1;
            rest[100] ^= 1;
        }
        if state.n_datasets_to_prolong > 0 {
            state.n_datasets_to_prolong -= 1;
            rest.extend([7; 100_000]);
        }
        Ok(Response::new(chunks(&rest, &mut state.n_transfers_to_break)))
    }

    async fn put_checkpoint(
        &self,
        request: Request<Streaming<PutCheckpointRequest>>,
    ) -> Result<Response<PutCheckpointReply>, Status> {
        let mut messages = request.into_inner();
        let mut announcement = None;
        let mut bytes = Vec::new();
        while let Some(PutCheckpointRequest { part }) = messages.message().await? {
            match part.unwrap() {
                Part::Announcement(part) => announcement = Some(part),
                Part::Bytes(part) => bytes.extend(part),
            }
        }
        let n_bytes = self.state().upload(&announcement.unwrap(), &bytes)?;
        Ok(Response::new(PutCheckpointReply { n_bytes }))
    }

    async fn get_checkpoint(
        &self,
        request: Request<GetCheckpointRequest>,
    ) -> Result<Response<Self::GetCheckpointStream>, Status> {
        let GetCheckpointRequest { trial_id, digest, offset, .. } = request.into_inner();
        let mut state = self.state();
        let published = &state.published[&trial_id[0]];
        let at = published.iter().position(|(known, _)| known.digest == digest).unwrap();
        let mut bytes = published[at].1.clone();
        if state.damages_newest && at + 1 == published.len() {
            bytes[100] ^= 1;
        }
        let epoch = published[at].0.epoch;
        state.downloads.push((offset, epoch));
        let rest = bytes.split_off(offset as usize);
        Ok(Response::new(chunks(&rest, &mut state.n_checkpoints_to_break)))
    }
}
