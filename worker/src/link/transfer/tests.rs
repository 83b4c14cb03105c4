//! Transfers from a coordinator that serves as many fetches of a worker as it may, and no more.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use proto::artifacts_server::{self, ArtifactsServer};
use proto::{Chunk, GetDatasetRequest, MAX_FETCHES_OF_A_WORKER, PutCheckpointReply, Timing};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_stream::Once;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Streaming};

use crate::disk::checkpoints::Checkpoint as Saved;
use crate::disk::device::Disk;
use crate::disk::upkeep::{DiskLimits, Upkeep};
use crate::link::Link;
use crate::link::transfer::*;

/// More slots than there are places.
const N_SLOTS: usize = 2 * MAX_FETCHES_OF_A_WORKER;

/// Pauses of five calls in vain take less.
const TRANSFER: Duration = Duration::from_secs(4);

#[derive(Default)]
struct Coordinator {
    bytes: Vec<u8>,
    n_under_way: AtomicUsize,
}

#[tonic::async_trait]
impl artifacts_server::Artifacts for Coordinator {
    type GetDatasetStream = Once<Result<Chunk, Status>>;
    type GetCheckpointStream = Once<Result<Chunk, Status>>;

    async fn get_dataset(
        &self,
        _: Request<GetDatasetRequest>,
    ) -> Result<Response<Self::GetDatasetStream>, Status> {
        Err(Status::unimplemented("no data set"))
    }

    async fn put_checkpoint(
        &self,
        _: Request<Streaming<PutCheckpointRequest>>,
    ) -> Result<Response<PutCheckpointReply>, Status> {
        Err(Status::unimplemented("takes nothing"))
    }

    /// As the real one: who asks for more than its share is refused at once.
    async fn get_checkpoint(
        &self,
        _: Request<GetCheckpointRequest>,
    ) -> Result<Response<Self::GetCheckpointStream>, Status> {
        if self.n_under_way.fetch_add(1, Ordering::SeqCst) >= MAX_FETCHES_OF_A_WORKER {
            self.n_under_way.fetch_sub(1, Ordering::SeqCst);
            return Err(Status::resource_exhausted("the coordinator is busy; try again soon"));
        }
        time::sleep(TRANSFER).await;
        self.n_under_way.fetch_sub(1, Ordering::SeqCst);
        Ok(Response::new(tokio_stream::once(Ok(Chunk { bytes: self.bytes.clone() }))))
    }
}

async fn serve(coordinator: Arc<Coordinator>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder().add_service(ArtifactsServer::from_arc(coordinator));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

fn open(cache: &Path) -> Checkpoints {
    Checkpoints::open(&Upkeep::new(cache, DiskLimits::default()), &Disk::Real, Arc::default())
}

#[tokio::test]
async fn a_worker_of_many_slots_fetches_all_its_checkpoints() {
    let caches = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [there, here] = caches.each_ref().map(|it| open(it.path()));
    let timing = Timing { epoch: 3, ..Timing::default() };
    there.save(
        &TrialId::from_bytes([0; 32]),
        &Saved { state: vec![1, 2, 3], timings: vec![timing.into()] },
    );
    let sealed = there.sealed(&TrialId::from_bytes([0; 32])).unwrap();
    let bytes = sealed.bytes.to_vec();
    let coordinator = Arc::new(Coordinator { bytes, ..Coordinator::default() });
    let url = format!("http://{}", serve(coordinator.clone()).await);
    let artifacts = Link::new(&url, Endpoint::connect_lazy).unwrap().artifacts();
    let n_bytes = sealed.bytes.len() as u64;
    let published = Checkpoint { digest: sealed.digest.to_vec(), n_bytes, epoch: sealed.epoch };
    let (line, mut fetches) = (FetchLine::default(), JoinSet::new());
    let trials: Vec<TrialId> =
        (0..N_SLOTS).map(|slot| TrialId::from_bytes([slot as u8; 32])).collect();
    for trial_id in &trials {
        let (line, artifacts, own) = (line.clone(), artifacts.clone(), here.clone());
        fetches.spawn(fetch(line, artifacts, own, *trial_id, vec![published.clone()]));
    }
    let began = Instant::now();
    fetches.join_all().await;
    for trial_id in &trials {
        assert_eq!(here.epoch(trial_id), 3, "trial {}", short_id(trial_id.bytes()));
    }
    assert!(line.moved_at() > began, "whoever waits in the line gets on");
}

#[test]
fn whoever_finds_the_coordinator_busy_does_not_call_in_vain() {
    let mut patience = Patience::new();
    let start = patience.moved_at;
    let busy = Code::ResourceExhausted;
    let soon = start + BUSY_WITHIN - Duration::from_secs(1);
    for _ in 0..1_000 {
        assert!(patience.pause(busy, 0, soon).is_some());
    }
    // What moves is waited for anew.
    assert!(patience.pause(busy, 1, start + BUSY_WITHIN).is_some());
    assert!(patience.pause(busy, 1, soon + BUSY_WITHIN).is_some());
    assert_eq!(patience.pause(busy, 1, start + 2 * BUSY_WITHIN), None);

    let mut patience = Patience::new();
    let mut n_calls = 1;
    while patience.pause(Code::Unavailable, 0, start).is_some() {
        assert!(patience.pause(busy, 0, start).is_some(), "busy in between");
        n_calls += 1;
    }
    assert_eq!(n_calls, MAX_VAIN_CALLS);
    assert_eq!(Patience::new().pause(Code::NotFound, 0, start), None);
}
