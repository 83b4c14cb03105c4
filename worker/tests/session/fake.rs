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
    Ack, Chunk, Data, Finished, GetDatasetRequest, Grant, Hyperparameter, JoinReply, JoinRequest,
    Lease, Order, SyncReply, SyncRequest, Verdict,
    artifacts_server::{Artifacts, ArtifactsServer},
    hyperparameter::Value,
    session_server::{Session, SessionServer},
};
use tokio::{net::TcpListener, runtime::Runtime};
use tokio_stream::{Iter, wrappers::TcpListenerStream};
use tonic::{Request, Response, Status};
use trainer::{Dataset, Scale, Split};

pub const N_TRAIN: u32 = 400;
pub const N_VALID: u32 = 100;

/// Images of 4 x 4 pixels whose bright half tells their class.
pub fn dataset() -> Dataset {
    let file = |n: u32| {
        let mut images = [0x0803, n, 4, 4].map(u32::to_be_bytes).concat();
        let mut labels = [0x0801, n].map(u32::to_be_bytes).concat();
        for index in 0..n {
            let label = (index % 2) as u8;
            labels.push(label);
            images.extend((0..16).map(|pixel: u32| {
                let noise = (index * 31 + pixel * 17) % 97;
                (noise + if pixel / 8 == u32::from(label) { 150 } else { 0 }) as u8
            }));
        }
        (images, labels)
    };
    let (train, test) = (file(N_TRAIN + N_VALID), file(50));
    Dataset::from_idx(&train.0, &train.1, &test.0, &test.1).unwrap()
}

pub fn split() -> Split {
    Split { n_train: N_TRAIN, n_valid: N_VALID, scale: Scale::Unit }
}

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
    /// Data set requests, as many as this, break after their first chunk.
    pub n_transfers_to_break: usize,
    /// The first Sync that hands something in reaches another sweep's coordinator.
    pub foreign_once_finished: bool,
    /// Sent once with the next reply.
    pub order: Option<Order>,
    stop: Vec<Lease>,
    pub refusal: Option<Status>,
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

    /// Orders the worker to stop a trial.
    pub fn withdraw(&mut self, trial: u8) {
        self.stop.extend(self.trials.remove(&trial).unwrap().grant.lease);
    }

    fn is_deaf(&self) -> bool {
        self.deaf_after_a_grant && self.trials.values().any(|trial| trial.granted_in.is_some())
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
        let mut n_free = request.n_free_slots;
        let mut grants = Vec::new();
        for trial in self.trials.values_mut().filter(|trial| trial.outcomes.is_empty()) {
            let is_unseen = trial.granted_in.is_some_and(|seq| seq > request.seen_seq);
            if is_unseen || (trial.granted_in.is_none() && n_free > 0) {
                n_free = n_free.saturating_sub(1);
                trial.granted_in = Some(request.seq);
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
            sync_within_ms: 50,
            withdraw: vec![],
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
            n_replies_to_lose: 0,
            deaf_after_a_grant: false,
            n_transfers_to_break: 0,
            foreign_once_finished: false,
            order: None,
            stop: vec![],
            refusal: None,
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
            stay: false,
            lost_after: Duration::from_secs(30),
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
        let kept = request.held.clone();
        state.joins.push(request);
        let split = split();
        let data = Data {
            digest: state.digest.to_vec(),
            n_bytes: state.blob.len() as u64,
            n_train: split.n_train,
            n_valid: split.n_valid,
            scale: proto::Scale::Unit.into(),
        };
        Ok(Response::new(JoinReply {
            session: state.sessions,
            protocol: proto::PROTOCOL_VERSION,
            term: 1,
            state_id: state.state_id.to_vec(),
            sync_every_ms: 50,
            lease_ttl_ms: 2000,
            data: Some(data),
            kept,
            finished: false,
        }))
    }

    async fn sync(&self, request: Request<SyncRequest>) -> Result<Response<SyncReply>, Status> {
        let mut state = self.state();
        if state.is_deaf() {
            return Err(Status::unavailable("deaf"));
        }
        let request = request.into_inner();
        assert_eq!(request.session, state.sessions);
        let is_foreign = state.foreign_once_finished && !request.finished.is_empty();
        if is_foreign {
            state.foreign_once_finished = false;
            return Ok(Response::new(state.foreign_reply(&request)));
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

#[tonic::async_trait]
impl Artifacts for Fake {
    type GetDatasetStream = Iter<std::vec::IntoIter<Result<Chunk, Status>>>;

    async fn get_dataset(
        &self,
        request: Request<GetDatasetRequest>,
    ) -> Result<Response<Self::GetDatasetStream>, Status> {
        let mut state = self.state();
        let GetDatasetRequest { digest, offset } = request.into_inner();
        if digest != state.digest {
            return Err(Status::not_found("no such data set"));
        }
        state.dataset_offsets.push(offset);
        let rest = &state.blob[offset as usize..];
        let chunks = rest.chunks(1000).map(|bytes| Ok(Chunk { bytes: bytes.to_vec() }));
        let mut chunks: Vec<_> = chunks.collect();
        if state.n_transfers_to_break > 0 {
            state.n_transfers_to_break -= 1;
            chunks.truncate(1);
            chunks.push(Err(Status::unavailable("the transfer broke")));
        }
        Ok(Response::new(tokio_stream::iter(chunks)))
    }
}
