//! A coordinator that answers what it was told to, right or not, and counts how often it is asked.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};

use proto::artifacts_server::{self, ArtifactsServer};
use proto::session_server::{self, SessionServer};
use proto::{
    Chunk, Data, GetCheckpointRequest, GetDatasetRequest, JoinReply, JoinRequest, Order,
    PutCheckpointReply, PutCheckpointRequest, SyncReply, SyncRequest,
};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_stream::Stream;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

pub type Chunks = Pin<Box<dyn Stream<Item = Result<Chunk, Status>> + Send>>;

/// What is answered to each call. The number counts the calls of this manner.
#[derive(Clone, Copy)]
pub struct Manner {
    pub join: fn(JoinReply, usize) -> Result<JoinReply, Status>,
    pub sync: fn(SyncRequest, usize) -> Result<SyncReply, Status>,
    pub dataset: fn(GetDatasetRequest) -> Chunks,
    pub checkpoint: fn(GetCheckpointRequest) -> Chunks,
}

/// What is right: nothing to do, and no data set.
pub const QUIET: Manner = Manner {
    join: |right, _| Ok(right),
    sync: |request, _| Ok(reply(&request)),
    dataset: |_| Box::pin(tokio_stream::empty()),
    checkpoint: |_| Box::pin(tokio_stream::empty()),
};

/// The answer to a Sync that asks for nothing, and for the next one at once.
pub fn reply(request: &SyncRequest) -> SyncReply {
    SyncReply { seq: request.seq, order: Order::GoOn.into(), ..SyncReply::default() }
}

/// Gone when dropped.
pub struct Fake {
    answers: Arc<Answers>,
    url: String,
    _runtime: Runtime,
}

struct Answers {
    manner: RwLock<Manner>,
    data: Data,
    n_calls: AtomicUsize,
}

impl Fake {
    /// `data` is what a right Join announces.
    pub fn start(address: &str, data: Data, manner: Manner) -> Self {
        let n_calls = AtomicUsize::new(0);
        let answers = Arc::new(Answers { manner: RwLock::new(manner), data, n_calls });
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind(address)).expect("a free address");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let session = SessionServer::from_arc(answers.clone());
        let artifacts = ArtifactsServer::from_arc(answers.clone());
        let server = Server::builder().add_service(session).add_service(artifacts);
        runtime.spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { answers, url, _runtime: runtime }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on it answers in this manner.
    pub fn change(&self, manner: Manner) {
        *self.answers.manner.write().expect("nobody panics") = manner;
        self.answers.n_calls.store(0, Ordering::Relaxed);
    }

    /// Calls since the last change.
    pub fn n_calls(&self) -> usize {
        self.answers.n_calls.load(Ordering::Relaxed)
    }
}

impl Answers {
    fn next(&self) -> (Manner, usize) {
        let n = self.n_calls.fetch_add(1, Ordering::Relaxed);
        (*self.manner.read().expect("nobody panics"), n)
    }
}

#[tonic::async_trait]
impl session_server::Session for Answers {
    async fn join(&self, _: Request<JoinRequest>) -> Result<Response<JoinReply>, Status> {
        let (manner, n) = self.next();
        let right = JoinReply {
            session: 1,
            protocol: proto::PROTOCOL_VERSION,
            term: 1,
            state_id: vec![5; 16],
            data: Some(self.data.clone()),
            ..JoinReply::default()
        };
        (manner.join)(right, n).map(Response::new)
    }

    async fn sync(&self, request: Request<SyncRequest>) -> Result<Response<SyncReply>, Status> {
        let (manner, n) = self.next();
        (manner.sync)(request.into_inner(), n).map(Response::new)
    }
}

#[tonic::async_trait]
impl artifacts_server::Artifacts for Answers {
    type GetDatasetStream = Chunks;
    type GetCheckpointStream = Chunks;

    async fn get_dataset(
        &self,
        request: Request<GetDatasetRequest>,
    ) -> Result<Response<Chunks>, Status> {
        Ok(Response::new((self.next().0.dataset)(request.into_inner())))
    }

    /// Takes all, and says that it has more.
    async fn put_checkpoint(
        &self,
        request: Request<Streaming<PutCheckpointRequest>>,
    ) -> Result<Response<PutCheckpointReply>, Status> {
        self.next();
        let mut parts = request.into_inner();
        while parts.message().await?.is_some() {}
        Ok(Response::new(PutCheckpointReply { n_bytes: u64::MAX }))
    }

    async fn get_checkpoint(
        &self,
        request: Request<GetCheckpointRequest>,
    ) -> Result<Response<Chunks>, Status> {
        Ok(Response::new((self.next().0.checkpoint)(request.into_inner())))
    }
}
