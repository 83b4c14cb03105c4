//! A coordinator reduced to what a worker sees of it: it grants what it is given, keeps what is
//! handed in, and misbehaves on request.

mod services;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use proto::artifacts_server::ArtifactsServer;
use proto::hyperparameter::Value;
use proto::session_server::SessionServer;
use proto::{
    Ack, Checkpoint, Data, Finished, Grant, Hyperparameter, JoinRequest, Lease, Order, SyncReply,
    SyncRequest, Verdict,
};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Status;

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

/// Far above what anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

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
    /// Syncs that came while that was so.
    pub n_silenced: usize,
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
    /// Outcomes are taken, and said to be rejected.
    pub rejects: bool,
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

    /// The leases that a worker has, among those that it names.
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
            let verdict = if self.rejects { Verdict::Rejected } else { Verdict::Recorded };
            acks.push(Ack { lease: Some(lease), verdict: verdict.into() });
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
            n_silenced: 0,
            lease_ttl_ms: 30_000,
            sync_within_ms: 50,
            n_transfers_to_break: 0,
            foreign_once_finished: false,
            forgets_once_released: false,
            grants_ahead: false,
            rejects: false,
            order: None,
            stop: vec![],
            withdraw: vec![],
            refusal: None,
            announced: None,
            n_datasets_to_damage: 0,
            n_datasets_to_prolong: 0,
            is_finished: false,
            blob: dataset.encode(),
            digest: dataset.digest().0,
            sessions: 0,
        })))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub fn wait_until(&self, what: &str, is_so: impl Fn(&State) -> bool) {
        let began = Instant::now();
        while !is_so(&self.state()) {
            assert!(began.elapsed() < PATIENCE, "waited too long for: {what}");
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
            lost_after: PATIENCE,
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
