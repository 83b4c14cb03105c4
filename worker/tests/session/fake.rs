//! A coordinator reduced to what a worker sees of it: it grants what it is given, keeps what is
//! handed in, and misbehaves on request.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use proto::{
    Ack, Announcement, Checkpoint, Chunk, Data, Finished, GetCheckpointRequest, GetDatasetRequest,
    Grant, Hyperparameter, JoinReply, JoinRequest, Lease, Order, PutCheckpointReply,
    PutCheckpointRequest, SyncReply, SyncRequest, Verdict,
    artifacts_server::{Artifacts, ArtifactsServer},
    hyperparameter::Value,
    put_checkpoint_request::Part,
    session_server::{Session, SessionServer},
};
use tokio::{net::TcpListener, runtime::Runtime};
use tokio_stream::{Iter, wrappers::TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};

pub use super::dataset::{N_TRAIN, dataset, split};

pub fn hyperparameters(epochs: u64, batch_size: u64, hidden: &[u32]) -> Vec<Hyperparameter> {
    let values = [
        ("optimizer", Value::Text("sgd".into())),
        ("learning_rate", Value::Number(0.1)),
        ("batch_size", Value::Count(batch_size)),
        ("hidden", Value::Widths(proto::Widths { widths: hidden.into() })),
        ("epochs", Value::Count(epochs)),
    ];
    values.map(|(key, value)| Hyperparameter { key: key.into(), value: Some(value) }).into()
}

/// A trial as the fake keeps it.
pub struct Trial {
    pub grant: Grant,
    /// The Sync whose reply granted it; `None`: it waits.
    pub granted_in: Option<u64>,
    pub outcomes: Vec<Finished>,
}

impl Trial {
    fn id(&self) -> u8 {
        self.grant.lease.as_ref().unwrap().trial_id[0]
    }
}

pub struct State {
    pub state_id: [u8; 16],
    pub trials: BTreeMap<u8, Trial>,
    pub joins: Vec<JoinRequest>,
    pub syncs: Vec<SyncRequest>,
    pub dataset_offsets: Vec<u64>,
    /// The next Syncs, as many as this, are handled, but their replies are lost.
    pub n_replies_to_lose: usize,
    /// Once it has granted something, Syncs do not reach it any more.
    pub deaf_after_a_grant: bool,
    /// Once it has granted something, Syncs are not answered, for as long as this holds.
    pub is_silent: bool,
    pub lease_ttl_ms: u32,
    pub sync_within_ms: u32,
    /// What was published of each trial, in the order of its coming.
    pub published: BTreeMap<u8, Vec<(Checkpoint, Vec<u8>)>>,
    /// What has come of checkpoints that are not whole yet, by digest.
    pub parts: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Where the bytes of each upload began.
    pub upload_offsets: Vec<u64>,
    /// Where each download of a checkpoint began, and the epoch it was of.
    pub downloads: Vec<(u64, u32)>,
    /// The last published checkpoint is sent damaged.
    pub damages_newest: bool,
    /// Transfers of checkpoints, as many as this, break after their first chunk.
    pub n_checkpoints_to_break: usize,
    /// Data set requests, as many as this, break after their first chunk.
    pub n_transfers_to_break: usize,
    /// The first Sync that hands something in reaches another sweep's coordinator.
    pub foreign_once_finished: bool,
    /// The first Sync that hands something back finds its session unknown.
    pub forgets_once_released: bool,
    /// Grants for every place in the worker's queue, not for free slots alone.
    pub grants_ahead: bool,
    /// Sent once with the next reply.
    pub order: Option<Order>,
    stop: Vec<Lease>,
    withdraw: Vec<Lease>,
    pub refusal: Option<Status>,
    /// Said of the data instead of the truth.
    pub announced: Option<Data>,
    /// Data sets, as many as this, arrive with a byte changed.
    pub n_datasets_to_damage: usize,
    /// Data sets, as many as this, go on after their end.
    pub n_datasets_to_prolong: usize,
    /// Joins are answered that no trial is left.
    pub is_finished: bool,
    blob: Vec<u8>,
    digest: [u8; 32],
    sessions: u64,
}

impl State {
    /// Makes a trial wait for a worker.
    pub fn add(&mut self, trial: u8, attempt: u32, hyperparameters: Vec<Hyperparameter>) {
        let lease =
            Lease { term: 1, trial_id: vec![trial; 32], attempt, nonce: u64::from(trial) << 8 };
        let grant = Grant { lease: Some(lease), hyperparameters, seed: 7, checkpoints: vec![] };
        self.trials.insert(trial, Trial { grant, granted_in: None, outcomes: vec![] });
    }

    /// Asks the worker for a grant that it has not begun.
    pub fn withdraw(&mut self, trial: u8) {
        self.withdraw.extend(self.trials[&trial].grant.lease.clone());
    }

    /// Orders the worker to stop a trial.
    pub fn stop(&mut self, trial: u8) {
        self.stop.extend(self.trials.remove(&trial).unwrap().grant.lease);
    }

    /// Takes a trial for lost with its worker; it waits to be granted again.
    pub fn lose(&mut self, trial: u8) {
        let trial = self.trials.get_mut(&trial).unwrap();
        trial.grant.lease.as_mut().unwrap().attempt += 1;
        trial.granted_in = None;
    }

    /// Of the leases that a worker names, those that it has.
    fn kept(&self, held: &[Lease]) -> Vec<Lease> {
        let trials = self.trials.values().filter(|trial| trial.granted_in.is_some());
        let open: Vec<&Lease> = trials.filter_map(|trial| trial.grant.lease.as_ref()).collect();
        held.iter().filter(|lease| open.contains(lease)).cloned().collect()
    }

    /// What all trials are trained on.
    pub fn data(&self) -> Data {
        let split = split();
        Data {
            digest: self.digest.to_vec(),
            n_bytes: self.blob.len() as u64,
            n_train: split.n_train,
            n_valid: split.n_valid,
            scale: proto::Scale::Unit.into(),
        }
    }

    fn is_deaf(&self) -> bool {
        self.deaf_after_a_grant && self.has_granted()
    }

    fn is_silenced(&self) -> bool {
        self.is_silent && self.has_granted()
    }

    fn has_granted(&self) -> bool {
        self.trials.values().any(|trial| trial.granted_in.is_some())
    }

    pub fn outcomes(&self, trial: u8) -> &[Finished] {
        &self.trials[&trial].outcomes
    }

    /// What a coordinator that knows nothing of the session might say at worst.
    fn foreign_reply(&self, request: &SyncRequest) -> SyncReply {
        let finished = request.finished.iter().map(|finished| finished.lease.clone());
        let reject = |lease| Ack { lease, verdict: Verdict::Rejected.into() };
        let mut grant = self.trials.values().next().unwrap().grant.clone();
        grant.lease.as_mut().unwrap().trial_id = vec![9; 32];
        SyncReply {
            seq: request.seq,
            acks: finished.map(reject).collect(),
            grants: vec![grant],
            stop: request.running.iter().filter_map(|running| running.lease.clone()).collect(),
            order: Order::Rejoin.into(),
            sync_within_ms: 50,
            withdraw: vec![],
        }
    }

    fn reply(&mut self, request: &SyncRequest) -> SyncReply {
        let mut acks = Vec::new();
        for finished in &request.finished {
            let lease = finished.lease.clone().unwrap();
            let trial = self.trials.get_mut(&lease.trial_id[0]).unwrap();
            if !trial.outcomes.contains(finished) {
                trial.outcomes.push(finished.clone());
            }
            acks.push(Ack { lease: Some(lease), verdict: Verdict::Recorded.into() });
        }
        for lease in &request.released {
            self.trials.get_mut(&lease.trial_id[0]).unwrap().granted_in = None;
        }
        // What it trains though its lease was lost goes on under a new one.
        for lease in request.running.iter().filter_map(|running| running.lease.as_ref()) {
            if let Some(trial) = self.trials.get_mut(&lease.trial_id[0]) {
                trial.granted_in = trial.granted_in.or(Some(request.seq));
            }
        }
        let n_ahead = if self.grants_ahead { request.n_queue_places } else { 0 };
        let mut n_free = request.n_free_slots + n_ahead;
        let mut grants = Vec::new();
        for trial in self.trials.values_mut().filter(|trial| trial.outcomes.is_empty()) {
            let is_unseen = trial.granted_in.is_some_and(|seq| seq > request.seen_seq);
            if is_unseen || (trial.granted_in.is_none() && n_free > 0) {
                n_free = n_free.saturating_sub(1);
                trial.granted_in = Some(request.seq);
                let published = self.published.get(&trial.id());
                let newest_first = published.into_iter().flatten().rev().map(|it| it.0.clone());
                trial.grant.checkpoints = newest_first.take(2).collect();
                grants.push(trial.grant.clone());
            }
        }
        let mut trials = self.trials.values();
        let is_open = self.trials.is_empty() || trials.any(|trial| trial.outcomes.is_empty());
        let usual = if is_open { Order::GoOn } else { Order::Finished };
        let order = self.order.take().unwrap_or(usual).into();
        SyncReply {
            seq: request.seq,
            acks,
            grants,
            stop: std::mem::take(&mut self.stop),
            order,
            sync_within_ms: self.sync_within_ms,
            withdraw: std::mem::take(&mut self.withdraw),
        }
    }
}

/// The services; clones share their state.
#[derive(Clone)]
pub struct Fake(Arc<Mutex<State>>);

impl Fake {
    pub fn new() -> Self {
        let dataset = dataset();
        Self(Arc::new(Mutex::new(State {
            state_id: [1; 16],
            trials: BTreeMap::new(),
            joins: vec![],
            syncs: vec![],
            dataset_offsets: vec![],
            published: BTreeMap::new(),
            parts: BTreeMap::new(),
            upload_offsets: vec![],
            downloads: vec![],
            damages_newest: false,
            n_checkpoints_to_break: 0,
            n_replies_to_lose: 0,
            deaf_after_a_grant: false,
            is_silent: false,
            lease_ttl_ms: 2000,
            sync_within_ms: 50,
            n_transfers_to_break: 0,
            foreign_once_finished: false,
            forgets_once_released: false,
            grants_ahead: false,
            order: None,
            stop: vec![],
            withdraw: vec![],
            refusal: None,
            announced: None,
            n_datasets_to_damage: 0,
            n_datasets_to_prolong: 0,
            is_finished: false,
            blob: dataset.encode(),
            digest: dataset.digest(),
            sessions: 0,
        })))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub fn wait_until(&self, what: &str, is_so: impl Fn(&State) -> bool) {
        let began = Instant::now();
        while !is_so(&self.state()) {
            assert!(began.elapsed() < Duration::from_secs(30), "waited too long for: {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Serves until the server is dropped.
    pub fn serve(&self) -> Server {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let server = tonic::transport::Server::builder()
            .add_service(SessionServer::new(self.clone()))
            .add_service(ArtifactsServer::new(self.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        runtime.spawn(server);
        Server { address, runtime: Some(runtime) }
    }
}

pub struct Server {
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Server {
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How a worker of one slot joins this server.
    pub fn worker(&self, cache_dir: &Path) -> worker::Config {
        worker::Config {
            coordinator: self.url(),
            n_slots: std::num::NonZeroUsize::new(1),
            name: Some("test".into()),
            cache_dir: cache_dir.into(),
            disk_limits: worker::DiskLimits::default(),
            stay: false,
            lost_after: Duration::from_secs(30),
            checkpoint_every: worker::CHECKPOINT_EVERY,
            pin: false,
            local_index: None,
            exit_on_stdin_eof: false,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_timeout(Duration::from_secs(1));
    }
}

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
