//! The waves of a flood, all at the same time until it is over, and what came of them.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use proto::artifacts_client::ArtifactsClient;
use proto::session_client::SessionClient;
use proto::{GetCheckpointRequest, GetDatasetRequest, SyncRequest};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tonic::Code;
use tonic::transport::Channel;
use trial::hex::from_hex;

use crate::attacker::{Member, artifacts, channel, introduction, unread};
use crate::raw;

/// Connections of a client, all but one of them with the session of a worker of its own.
const N_CLIENTS: usize = 6;
const N_CONNECTIONS: usize = 10;

/// Calls of a connection at the same time, as many as the coordinator takes.
const N_STREAMS: usize = 8;

const N_SILENT: usize = 12;
const N_READERS: usize = 12;
const N_BOMBERS: usize = 4;
const N_HALF_SENT: usize = 24;

/// Workers by name alone; each is kept in mind until its lease time is over.
const MAX_JOINED: usize = 2_000;

/// Unread streams are held to the end of the flood. New ones follow after this, which is somewhat less
/// than the coordinator waits for a chunk to go.
const HOLD: Duration = Duration::from_secs(19);

#[derive(Clone)]
pub struct Flood {
    pub url: String,
    /// The coordinator's state, which tells what an attacker learns from grants.
    pub state: PathBuf,
    pub lasts: Duration,
}

/// What came of a flood.
#[derive(Default)]
pub struct Tally {
    /// Calls for the data set without a session, and how many of them were told so.
    pub n_forged: AtomicUsize,
    pub n_unauthenticated: AtomicUsize,
    /// Calls with a session for which there was no place.
    pub n_busy: AtomicUsize,
    pub datasets: Gauge,
    pub checkpoints: Gauge,
    pub n_joined: AtomicUsize,
    pub n_bombs: AtomicUsize,
    pub n_silent_ended: AtomicUsize,
    pub sync_times: Mutex<Vec<Duration>>,
}

/// How many there are now, and the most there were.
#[derive(Default)]
pub struct Gauge {
    n_now: AtomicUsize,
    n_most: AtomicUsize,
}

impl Gauge {
    fn add(&self, n: usize) {
        let n_now = self.n_now.fetch_add(n, Ordering::Relaxed) + n;
        self.n_most.fetch_max(n_now, Ordering::Relaxed);
    }

    fn remove(&self, n: usize) {
        self.n_now.fetch_sub(n, Ordering::Relaxed);
    }

    pub fn most(&self) -> usize {
        self.n_most.load(Ordering::Relaxed)
    }
}

impl Flood {
    pub async fn run(self) -> Arc<Tally> {
        let tally = Arc::new(Tally::default());
        let mut waves = JoinSet::new();
        for n in 0..N_CLIENTS * N_CONNECTIONS {
            let is_forged = n % N_CONNECTIONS == 0;
            waves.spawn(unread_datasets(self.clone(), tally.clone(), is_forged));
        }
        for _ in 0..N_SILENT {
            waves.spawn(silent_uploads(self.clone(), tally.clone()));
        }
        for _ in 0..N_READERS {
            waves.spawn(unread_checkpoints(self.clone(), tally.clone()));
        }
        for _ in 0..N_BOMBERS {
            waves.spawn(bombs(self.clone(), tally.clone()));
        }
        for _ in 0..N_HALF_SENT {
            waves.spawn(half_sent(self.clone()));
        }
        waves.spawn(joins(self.clone(), tally.clone()));
        waves.spawn(honest_syncs(self.clone(), tally.clone()));
        let first = timeout(self.lasts, waves.join_next()).await;
        // A wave goes on until the end; one that ended has panicked.
        if let Ok(Some(Err(error))) = first {
            std::panic::resume_unwind(error.into_panic());
        }
        assert!(first.is_err(), "a wave ended before the flood");
        waves.shutdown().await;
        tally
    }
}

fn count(of: &AtomicUsize) {
    of.fetch_add(1, Ordering::Relaxed);
}

/// The streams of one connection, none of which is read.
async fn unread_datasets(flood: Flood, tally: Arc<Tally>, is_forged: bool) {
    let mut held = Vec::new();
    loop {
        let member = Member::join(&flood.url).await;
        let session = if is_forged { member.session().wrapping_add(1) } else { member.session() };
        let request = GetDatasetRequest { session, ..member.data_request() };
        let client = unread(&flood.url);
        let calls = (0..N_STREAMS).map(|_| {
            let (mut client, request) = (client.clone(), request.clone());
            async move { client.get_dataset(request).await }
        });
        let mut calls: JoinSet<_> = calls.collect();
        let mut streams = Vec::new();
        while let Some(answer) = calls.join_next().await {
            if is_forged {
                count(&tally.n_forged);
            }
            match answer.expect("a call does not panic") {
                Ok(stream) => {
                    assert!(!is_forged, "a data set without a session");
                    tally.datasets.add(1);
                    streams.push(stream);
                }
                Err(status) if status.code() == Code::Unauthenticated => {
                    count(&tally.n_unauthenticated);
                }
                Err(status) if status.code() == Code::ResourceExhausted => count(&tally.n_busy),
                Err(status) => panic!("{status:?}"),
            }
        }
        assert!(streams.len() <= 1, "{} transfers of one session", streams.len());
        sleep(if streams.is_empty() { Duration::from_secs(1) } else { HOLD }).await;
        tally.datasets.remove(streams.len());
        held.extend(streams);
    }
}

/// Uploads that say nothing, not even what they are.
async fn silent_uploads(flood: Flood, tally: Arc<Tally>) {
    let mut client = artifacts(&flood.url);
    loop {
        let status = client.put_checkpoint(tokio_stream::pending()).await.expect_err("no upload");
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
        count(&tally.n_silent_ended);
    }
}

/// Published checkpoints that are asked for and not read.
async fn unread_checkpoints(flood: Flood, tally: Arc<Tally>) {
    let mut held = Vec::new();
    loop {
        let session = Member::join(&flood.url).await.session();
        let client = unread(&flood.url);
        let mut streams = Vec::new();
        // The newest, or none.
        if let Some((trial_id, digest)) = published(&flood).pop() {
            let request = GetCheckpointRequest { trial_id, digest, offset: 0, session };
            let mut client: ArtifactsClient<Channel> = client.clone();
            match client.get_checkpoint(request).await {
                Ok(stream) => {
                    tally.checkpoints.add(1);
                    streams.push(stream);
                }
                Err(status) if status.code() == Code::ResourceExhausted => count(&tally.n_busy),
                // A newer one has taken its place.
                Err(status) => assert_eq!(status.code(), Code::NotFound, "{status:?}"),
            }
        }
        sleep(if streams.is_empty() { Duration::from_secs(1) } else { HOLD }).await;
        tally.checkpoints.remove(streams.len());
        held.extend(streams);
    }
}

/// Trial and digest of each published checkpoint, by the names of its folder and its file.
fn published(flood: &Flood) -> Vec<(Vec<u8>, Vec<u8>)> {
    let read = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
    let trials = read(flood.state.join("checkpoints"));
    let found = trials.flat_map(|trial| {
        let id = bytes(&trial.file_name().to_string_lossy());
        read(trial.path()).filter_map(move |file| {
            let name = file.file_name().to_string_lossy().into_owned();
            Some((id.clone()?, bytes(name.split_once('-')?.1)?))
        })
    });
    found.collect()
}

/// A SHA-256 from its hex digits.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    from_hex::<32>(hex).map(Vec::from)
}

/// Messages of 4 MiB that would take a hundred times as much once decoded.
async fn bombs(flood: Flood, tally: Arc<Tally>) {
    let channel = channel(&flood.url);
    // Field 6, `running`, without content.
    let message = [0x32, 0].repeat(proto::MAX_MESSAGE_BYTES / 2 - 1);
    loop {
        let answer = raw::call(channel.clone(), "/sweep.v1.Session/Sync", message.clone()).await;
        let status = answer.expect_err("it is refused");
        // Which of both depends on what else is on its way.
        let codes = [Code::InvalidArgument, Code::ResourceExhausted];
        assert!(codes.contains(&status.code()), "{status:?}");
        count(&tally.n_bombs);
    }
}

async fn half_sent(flood: Flood) {
    let address = flood.url.trim_start_matches("http://");
    loop {
        let _connection = raw::half_sent_sync(address).await.expect("it listens");
        // Longer than a message may take to arrive.
        sleep(Duration::from_secs(12)).await;
    }
}

async fn joins(flood: Flood, tally: Arc<Tally>) {
    let mut client = SessionClient::new(channel(&flood.url));
    loop {
        if tally.n_joined.load(Ordering::Relaxed) < MAX_JOINED {
            client.join(introduction()).await.expect("there is room");
            count(&tally.n_joined);
        }
        sleep(Duration::from_millis(1)).await;
    }
}

/// A worker that keeps the rules and wants no work, timed.
async fn honest_syncs(flood: Flood, tally: Arc<Tally>) {
    let mut member = Member::join(&flood.url).await;
    loop {
        let began = Instant::now();
        member.sync(SyncRequest::default()).await.expect("an answer");
        tally.sync_times.lock().expect("nobody panics").push(began.elapsed());
        sleep(Duration::from_millis(50)).await;
    }
}
