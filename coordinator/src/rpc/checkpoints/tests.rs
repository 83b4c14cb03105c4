//! Checkpoints over real connections: judged before a byte is kept, and cut off once they stand
//! still, so that others get their turn.

use std::{
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use coordinator_core::{
    event::Reply,
    lease::{SessionId, WorkerId},
};
use proto::{
    Announcement, GetCheckpointRequest, GetDatasetRequest, PutCheckpointRequest,
    artifacts_client::ArtifactsClient, artifacts_server::ArtifactsServer,
    put_checkpoint_request::Part,
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};
use tokio_stream::StreamExt;
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint, Server},
};

use crate::mailbox::{Mailbox, Post};
use crate::rpc::{
    Bounds,
    admission::{MAX_CHECKPOINTS_IN, MAX_CHECKPOINTS_OUT, MAX_DATASETS, Pace, Places},
    artifacts::Artifacts,
    incoming,
    tests::{BOUNDS, PATIENCE, sweep_in},
};

/// The one attempt that holds a lease.
const CURRENT: u32 = 2;

/// More than is on its way to a reader that does not read.
const N_BYTES: usize = 4 * 1024 * 1024;

/// A coordinator's artifacts, with a driver that knows one attempt of each trial.
struct Served {
    address: SocketAddr,
    state: TempDir,
    trial_ids: Vec<Vec<u8>>,
    bytes: Vec<u8>,
    places: [Places; 3],
    /// Free places of each kind whenever a right was judged.
    free_at_judging: Arc<Mutex<Vec<[usize; 3]>>>,
}

const ALL_FREE: [usize; 3] = [MAX_DATASETS, MAX_CHECKPOINTS_OUT, MAX_CHECKPOINTS_IN];

impl Served {
    async fn start(whole: Duration) -> Self {
        Self::paced(Pace { whole, ..Pace::USUAL }).await
    }

    async fn paced(pace: Pace) -> Self {
        let state = tempfile::tempdir().unwrap();
        let sweep = sweep_in(state.path());
        let trials = sweep.roster().plan.trials.clone();
        let trial_ids = trials.iter().map(|trial| trial.id.0.to_vec()).collect();
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
                let _ = match post {
                    // Each trial is another worker's.
                    Post::CheckpointOffered(lease, reply) => {
                        let worker = WorkerId([lease.trial.0 as u8; 16]);
                        let is_current = lease.attempt == CURRENT;
                        reply.send(Reply::CheckpointWanted(is_current.then_some(worker)))
                    }
                    // Each session but the first is a worker's.
                    Post::TransferOffered(SessionId(session), reply) => {
                        let worker = (session > 0).then_some(WorkerId([session as u8; 16]));
                        reply.send(Reply::TransferAllowed(worker))
                    }
                    Post::CheckpointPublished(_, checkpoint, reply) => {
                        reply.send(Reply::CheckpointsKept(vec![checkpoint]))
                    }
                    other => panic!("{other:?}"),
                };
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let bounds = Bounds { n_connections: 4 * MAX_DATASETS, ..BOUNDS };
        let server = Server::builder().add_service(ArtifactsServer::new(artifacts));
        tokio::spawn(server.serve_with_incoming(incoming(listener, bounds)));
        let bytes = (0..N_BYTES).map(|at| at as u8).collect();
        Self { address, state, trial_ids, bytes, places, free_at_judging }
    }

    /// On a connection of its own.
    fn client(&self) -> ArtifactsClient<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
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
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        let endpoint = endpoint.initial_stream_window_size(1);
        self.get_by(ArtifactsClient::new(endpoint.connect_lazy()), session).await
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

/// Whoever is judged has taken nothing yet, and whoever is refused takes nothing.
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
    let all_free = async {
        while served.n_free()[1] < n_out {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, all_free).await.expect("it is cut off");
    assert_eq!(read(served.get(2).await.unwrap()).await.unwrap(), served.bytes);
}

#[tokio::test]
async fn readers_that_do_not_read_are_cut_off() {
    let pace = Pace { chunk: Duration::from_secs(1), ..Pace::USUAL };
    let served = Served::paced(pace).await;
    served.put(0, CURRENT).await.unwrap();
    let mut stalled = Vec::new();
    for session in 1..=MAX_CHECKPOINTS_OUT as u64 {
        stalled.push(served.get(session).await.unwrap());
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
    assert!(stalled.len() < MAX_CHECKPOINTS_OUT, "{} of one worker", stalled.len());
    assert_eq!(read(served.get(2).await.unwrap()).await.unwrap(), served.bytes);
}

#[tokio::test]
async fn silent_callers_keep_nobody_out() {
    let served = Served::start(PATIENCE).await;
    let silent = (0..2 * MAX_CHECKPOINTS_IN).map(|_| {
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
    let stalled = (0..MAX_CHECKPOINTS_IN).map(|trial| {
        let first = tokio_stream::once(served.announcement(trial, CURRENT));
        let parts = first.chain(tokio_stream::pending());
        let mut client = served.client();
        tokio::spawn(async move { client.put_checkpoint(parts).await })
    });
    let stalled: Vec<_> = stalled.collect();
    let all_began = async {
        while served.n_trials_with_files() < MAX_CHECKPOINTS_IN {
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
