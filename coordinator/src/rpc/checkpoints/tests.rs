//! Checkpoints over real connections: judged before a byte is kept, and cut off once they stand
//! still, so that others get their turn.

use std::fs;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use coordinator_core::lease::{SessionId, WorkerId};
use proto::artifacts_client::ArtifactsClient;
use proto::artifacts_server::ArtifactsServer;
use proto::put_checkpoint_request::Part;
use proto::{Announcement, GetCheckpointRequest, GetDatasetRequest, PutCheckpointRequest};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_stream::StreamExt;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Status};

use crate::rpc::artifacts::Artifacts;
use crate::rpc::gate::admission::{CHECKPOINTS_IN, CHECKPOINTS_OUT, DATASETS, Pace, Places};
use crate::rpc::tests::{BOUNDS, PATIENCE, sweep_in};
use crate::rpc::{Bounds, incoming};
use crate::run::mailbox::{Mailbox, Post};

/// The one attempt that holds a lease.
const CURRENT: u32 = 2;

/// More than is on its way to a reader that does not read.
const N_BYTES: usize = 4 * 1024 * 1024;

/// A coordinator's artifacts, with a driver that knows one attempt of each trial.
struct Served {
    address: SocketAddr,
    state: TempDir,
    trial_ids: Vec<Vec<u8>>,
    dataset_digest: Vec<u8>,
    bytes: Vec<u8>,
    places: [Places; 3],
    /// Free places of each kind whenever a right was judged.
    free_at_judging: Arc<Mutex<Vec<[usize; 3]>>>,
}

const ALL_FREE: [usize; 3] = [DATASETS.total, CHECKPOINTS_OUT.total, CHECKPOINTS_IN.total];

/// The session of a worker that the coordinator started.
const LOCAL_SESSION: u64 = 200;

impl Served {
    async fn start(whole: Duration) -> Self {
        Self::paced(Pace { whole, ..Pace::USUAL }).await
    }

    async fn paced(pace: Pace) -> Self {
        let state = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..N_BYTES).map(|at| at as u8).collect();
        let mut sweep = sweep_in(state.path());
        sweep.blob = bytes.clone().into();
        sweep.local_workers.joined(
            0,
            WorkerId([LOCAL_SESSION as u8; 16]),
            SessionId(LOCAL_SESSION),
        );
        let plan = sweep.plan_index().plan.clone();
        let trial_ids = plan.trials.iter().map(|trial| trial.id.bytes().to_vec()).collect();
        let dataset_digest = plan.dataset_digest.0.to_vec();
        let (mailbox, mut posts) = Mailbox::new();
        let mut artifacts = Artifacts::new(Arc::new(sweep), mailbox);
        artifacts.pace = pace;
        let (places, free_at_judging) = (artifacts.places(), Arc::<Mutex<Vec<_>>>::default());
        let (their_places, judged) = (places.clone(), free_at_judging.clone());
        tokio::spawn(async move {
            while let Some(post) = posts.recv().await {
                if matches!(post, Post::CheckpointOffered(..) | Post::TransferOffered(..)) {
                    judged.lock().unwrap().push(their_places.each_ref().map(Places::n_free));
                }
                match post {
                    // Each trial is another worker's.
                    Post::CheckpointOffered(lease, reply) => {
                        let worker = WorkerId([lease.trial.0 as u8; 16]);
                        let is_current = lease.attempt == CURRENT;
                        let _ = reply.send(is_current.then_some(worker));
                    }
                    // Each session but the first is a worker's.
                    Post::TransferOffered(SessionId(session), reply) => {
                        let worker = (session > 0).then_some(WorkerId([session as u8; 16]));
                        let _ = reply.send(worker);
                    }
                    Post::CheckpointPublished(_, checkpoint, reply) => {
                        let _ = reply.send(vec![checkpoint]);
                    }
                    other => panic!("{other:?}"),
                }
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let bounds = Bounds { n_connections: 4 * DATASETS.total, ..BOUNDS };
        let server = Server::builder().add_service(ArtifactsServer::new(artifacts));
        tokio::spawn(server.serve_with_incoming(incoming(listener, bounds)));
        Self { address, state, trial_ids, dataset_digest, bytes, places, free_at_judging }
    }

    /// On a connection of its own.
    fn client(&self) -> ArtifactsClient<Channel> {
        self.client_at(1)
    }

    /// As one of many machines: all of 127.0.0.0/8 leads here.
    fn client_at(&self, machine: u8) -> ArtifactsClient<Channel> {
        self.client_by(self.endpoint_at(machine))
    }

    fn endpoint_at(&self, machine: u8) -> Endpoint {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        endpoint.local_address(Some([127, 0, 0, machine].into()))
    }

    fn client_by(&self, endpoint: Endpoint) -> ArtifactsClient<Channel> {
        ArtifactsClient::new(endpoint.connect_lazy())
            .max_decoding_message_size(proto::MAX_MESSAGE_BYTES)
    }

    fn announcement(&self, trial: usize, attempt: u32) -> PutCheckpointRequest {
        let trial_id = self.trial_ids[trial].clone();
        let lease = proto::Lease { term: 1, trial_id, attempt, nonce: 1 };
        let digest = Sha256::digest(&self.bytes).to_vec();
        let checkpoint = proto::Checkpoint { digest, n_bytes: self.bytes.len() as u64, epoch: 1 };
        let (lease, checkpoint) = (Some(lease), Some(checkpoint));
        part(Part::Announcement(Announcement { lease, checkpoint, offset: 0 }))
    }

    /// Gives the bytes that are there.
    async fn put(&self, trial: usize, attempt: u32) -> Result<u64, Status> {
        let chunks = self.bytes.chunks(proto::CHUNK_BYTES).map(|it| part(Part::Bytes(it.to_vec())));
        let parts = std::iter::once(self.announcement(trial, attempt)).chain(chunks);
        let parts: Vec<PutCheckpointRequest> = parts.collect();
        let reply = self.client().put_checkpoint(tokio_stream::iter(parts)).await?;
        Ok(reply.into_inner().n_bytes)
    }

    async fn get(&self, session: u64) -> Result<tonic::Streaming<proto::Chunk>, Status> {
        self.get_by(self.client(), session).await
    }

    /// Over a connection that lets a byte of it come until it is read.
    async fn get_unread(&self, session: u64) -> Result<tonic::Streaming<proto::Chunk>, Status> {
        let endpoint = self.endpoint_at(1).initial_stream_window_size(1);
        self.get_by(self.client_by(endpoint), session).await
    }

    async fn get_dataset_at(
        &self,
        machine: u8,
        session: u64,
    ) -> Result<tonic::Streaming<proto::Chunk>, Status> {
        let digest = self.dataset_digest.clone();
        let request = GetDatasetRequest { digest, offset: 0, session };
        Ok(self.client_at(machine).get_dataset(request).await?.into_inner())
    }

    async fn get_by(
        &self,
        mut client: ArtifactsClient<Channel>,
        session: u64,
    ) -> Result<tonic::Streaming<proto::Chunk>, Status> {
        let digest = Sha256::digest(&self.bytes).to_vec();
        let trial_id = self.trial_ids[0].clone();
        let request = GetCheckpointRequest { trial_id, digest, offset: 0, session };
        Ok(client.get_checkpoint(request).await?.into_inner())
    }

    fn n_free(&self) -> [usize; 3] {
        self.places.each_ref().map(Places::n_free)
    }

    /// Until everything on its way has arrived or was cut off.
    async fn until_all_free(&self) {
        let all_free = async {
            while self.n_free() != ALL_FREE {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, all_free).await.expect("it is cut off");
    }

    fn n_trials_with_files(&self) -> usize {
        fs::read_dir(self.state.path().join("checkpoints")).unwrap().count()
    }
}

fn part(part: Part) -> PutCheckpointRequest {
    PutCheckpointRequest { part: Some(part) }
}

async fn read(mut chunks: tonic::Streaming<proto::Chunk>) -> Result<Vec<u8>, Status> {
    let mut bytes = Vec::new();
    while let Some(chunk) = timeout(PATIENCE, chunks.message()).await.expect("an end in time")? {
        bytes.extend(chunk.bytes);
    }
    Ok(bytes)
}

#[tokio::test]
async fn what_is_published_under_a_current_lease_comes_back() {
    let served = Served::start(PATIENCE).await;
    assert_eq!(served.put(0, CURRENT).await.unwrap(), N_BYTES as u64);
    assert_eq!(read(served.get(1).await.unwrap()).await.unwrap(), served.bytes);
}

#[tokio::test]
async fn without_a_current_lease_nothing_is_kept() {
    let served = Served::start(PATIENCE).await;
    for attempt in [CURRENT - 1, CURRENT + 1] {
        let status = served.put(0, attempt).await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    }
    assert_eq!(served.n_trials_with_files(), 0);
}

#[tokio::test]
async fn whoever_has_no_session_gets_nothing() {
    let served = Served::start(PATIENCE).await;
    served.put(0, CURRENT).await.unwrap();
    let status = served.get(0).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
    let request = GetDatasetRequest { digest: vec![0; 32], offset: 0, session: 0 };
    let status = served.client().get_dataset(request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
}

/// A caller takes nothing before it is judged, and nothing if it is refused.
#[tokio::test]
async fn the_right_is_shown_before_a_place_is_taken() {
    let served = Served::start(PATIENCE).await;
    served.put(0, CURRENT - 1).await.unwrap_err();
    served.put(0, CURRENT).await.unwrap();
    served.get(0).await.unwrap_err();
    read(served.get(1).await.unwrap()).await.unwrap();
    let request = GetDatasetRequest { digest: vec![0; 32], offset: 0, session: 0 };
    served.client().get_dataset(request.clone()).await.unwrap_err();
    let request = GetDatasetRequest { session: 1, ..request };
    served.client().get_dataset(request).await.unwrap_err();
    let judged = served.free_at_judging.lock().unwrap().clone();
    assert_eq!(judged, [ALL_FREE; 6]);
}

/// What fits where nobody has read yet is on its way all the same. (Of a single chunk the connection takes
/// the end at once.)
#[tokio::test]
async fn short_content_keeps_its_place_until_it_is_read_or_too_slow() {
    let pace = Pace { chunk: Duration::from_secs(1), ..Pace::USUAL };
    let mut served = Served::paced(pace).await;
    served.bytes.truncate(100_000);
    served.put(0, CURRENT).await.unwrap();
    let _unread = served.get_unread(1).await.unwrap();
    let [_, n_out, _] = ALL_FREE;
    assert_eq!(served.n_free()[1], n_out - 1);
    served.until_all_free().await;
    assert_eq!(read(served.get(2).await.unwrap()).await.unwrap(), served.bytes);
}

#[tokio::test]
async fn readers_that_do_not_read_are_cut_off() {
    let pace = Pace { chunk: Duration::from_secs(1), ..Pace::USUAL };
    let served = Served::paced(pace).await;
    served.put(0, CURRENT).await.unwrap();
    let mut stalled = Vec::new();
    // Each on a machine of its own.
    for id in 1..=(CHECKPOINTS_OUT.total - CHECKPOINTS_OUT.local) as u8 {
        stalled.push(served.get_by(served.client_at(id), id.into()).await.unwrap());
    }
    let whole = async {
        loop {
            if let Ok(chunks) = served.get(100).await
                && let Ok(bytes) = read(chunks).await
            {
                return bytes;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let bytes = timeout(PATIENCE, whole).await.expect("a place in time");
    assert_eq!(bytes, served.bytes);
    served.until_all_free().await;
    // What waited for it went with its connection.
    for stalled in stalled {
        assert!(read(stalled).await.is_err());
    }
}

#[tokio::test]
async fn one_worker_does_not_take_all_places() {
    let served = Served::start(PATIENCE).await;
    served.put(0, CURRENT).await.unwrap();
    let mut stalled = Vec::new();
    let status = loop {
        match served.get(1).await {
            Ok(chunks) => stalled.push(chunks),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(stalled.len() < CHECKPOINTS_OUT.total, "{} of one worker", stalled.len());
    assert_eq!(read(served.get(2).await.unwrap()).await.unwrap(), served.bytes);
}

/// A worker that joins often enough has as many sessions as it likes.
#[tokio::test]
async fn strangers_with_many_sessions_leave_places_to_other_machines_and_own_workers() {
    let served = Served::start(PATIENCE).await;
    let mut unread = Vec::new();
    let status = loop {
        match served.get_dataset_at(2, 1 + unread.len() as u64).await {
            Ok(chunks) => unread.push(chunks),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert_eq!(unread.len(), DATASETS.of_a_network);
    let honest = served.get_dataset_at(1, 100).await.expect("another machine");
    assert_eq!(read(honest).await.unwrap(), served.bytes);
    let own = served.get_dataset_at(2, LOCAL_SESSION).await.expect("a worker of the coordinator");
    assert_eq!(read(own).await.unwrap(), served.bytes);
}

#[tokio::test]
async fn silent_callers_keep_nobody_out() {
    let served = Served::start(PATIENCE).await;
    let silent = (0..2 * CHECKPOINTS_IN.total).map(|_| {
        let mut client = served.client();
        tokio::spawn(async move { client.put_checkpoint(tokio_stream::pending()).await })
    });
    let silent: Vec<_> = silent.collect();
    assert_eq!(served.n_free(), ALL_FREE);
    assert_eq!(served.put(0, CURRENT).await.unwrap(), N_BYTES as u64);
    for silent in silent {
        let ended = timeout(PATIENCE, silent).await.expect("an end in time").unwrap();
        let status = ended.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    }
}

#[tokio::test]
async fn writers_that_do_not_write_are_cut_off() {
    let pace = Pace { chunk: Duration::from_secs(1), ..Pace::USUAL };
    let served = Served::paced(pace).await;
    let n_stalled = CHECKPOINTS_IN.total - CHECKPOINTS_IN.local;
    let stalled = (0..n_stalled).map(|trial| {
        let first = tokio_stream::once(served.announcement(trial, CURRENT));
        let parts = first.chain(tokio_stream::pending());
        let mut client = served.client_at(trial as u8 + 1);
        tokio::spawn(async move { client.put_checkpoint(parts).await })
    });
    let stalled: Vec<_> = stalled.collect();
    let all_began = async {
        while served.n_trials_with_files() < n_stalled {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, all_began).await.expect("all have begun");
    for stalled in stalled {
        let ended = timeout(PATIENCE, stalled).await.expect("an end in time").unwrap();
        let status = ended.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    }
    assert_eq!(served.put(0, CURRENT).await.unwrap(), N_BYTES as u64);
}
