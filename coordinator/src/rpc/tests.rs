//! The server against clients that break every rule of the connection: it sends them away and goes
//! on answering the others.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proto::JoinRequest;
use proto::session_client::SessionClient;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use trial::Digest;
use worker::parts::Disk;

use super::{Bounds, LocalWorkers, incoming, serve};
use crate::cli::run_config::LeaseTiming;
use crate::placement::token::LocalToken;
use crate::rpc::context::Sweep;
use crate::run::mailbox::Mailbox;
use crate::run::plan_index::PlanIndex;
use crate::store::CheckpointFiles;
use crate::store::tests::plan;

pub(super) const BOUNDS: Bounds = Bounds { n_connections: 4, greeting: Duration::from_millis(300) };

/// Far above what anything here takes on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const EMPTY_SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// Eight trials, with their checkpoints in this folder.
pub(super) fn sweep_in(state: &Path) -> Sweep {
    let plan_index = Arc::new(PlanIndex::new(Arc::new(plan(4))));
    Sweep {
        plan_index: watch::channel(plan_index).1,
        blob: Vec::new().into(),
        checkpoints: Arc::new(CheckpointFiles::open(state).unwrap()),
        disk: Disk::Real,
        term: 1,
        state_id: [1; 16],
        lease: LeaseTiming::at_least(Duration::from_secs(30), Duration::from_secs(5)),
        selftest_digest: Digest([2; 32]),
        local_token: LocalToken::draw().unwrap(),
        largest_valid_share: 0.4,
        measures: trainer::measures().clone(),
        repeats: Arc::default(),
        local_joined: Arc::default(),
        local_workers: Arc::new(LocalWorkers::default()),
    }
}

struct TestServer {
    address: SocketAddr,
    shutdown: CancellationToken,
    serving: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl TestServer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sweep = sweep_in(tempfile::tempdir().unwrap().path());
        let (mailbox, _) = Mailbox::new();
        let shutdown = CancellationToken::new();
        let connections = incoming(listener, BOUNDS);
        let serve = serve(connections, Arc::new(sweep), mailbox, shutdown.clone());
        Self { address, shutdown, serving: tokio::spawn(serve) }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut client = self.connect().await;
        client.write_all(bytes).await.unwrap();
        client
    }

    fn client(&self) -> SessionClient<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        SessionClient::new(endpoint.connect_lazy())
    }

    /// A worker of no known protocol is told so, which takes a whole call.
    fn assert_answers(&self) -> impl Future<Output = ()> + use<> {
        let client = self.client();
        async { assert_refused(call(client, request()).await) }
    }
}

fn request() -> Request<JoinRequest> {
    Request::new(JoinRequest::default())
}

async fn call(mut client: SessionClient<Channel>, request: Request<JoinRequest>) -> Status {
    let answer = timeout(PATIENCE, client.join(request)).await.expect("an answer in time");
    answer.expect_err("no worker of this protocol may join")
}

#[track_caller]
fn assert_refused(status: Status) {
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
}

/// Returns once the server has closed the connection.
async fn closed(mut client: TcpStream) {
    let mut sent = Vec::new();
    let _ = timeout(PATIENCE, client.read_to_end(&mut sent)).await.expect("closed in time");
}

#[tokio::test]
async fn silent_clients_are_closed() {
    let server = TestServer::start().await;
    closed(server.connect().await).await;
    closed(server.send(&PREFACE[..10]).await).await;
    closed(server.send(PREFACE).await).await;
    server.assert_answers().await;
}

#[tokio::test]
async fn slow_clients_are_closed() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    let dribble = async {
        for byte in [PREFACE, EMPTY_SETTINGS].concat() {
            sleep(BOUNDS.greeting / 10).await;
            if client.write_all(&[byte]).await.is_err() {
                return true;
            }
        }
        false
    };
    assert!(dribble.await, "it took all bytes of a client that needed three times the deadline");
    server.assert_answers().await;
}

#[tokio::test]
async fn garbage_is_closed() {
    let server = TestServer::start().await;
    closed(server.send(b"GET / HTTP/1.1\r\nHost: coordinator\r\n\r\n").await).await;
    closed(server.send(&[0xFF; 10_000]).await).await;
    let frame_of_16_mib = [PREFACE, EMPTY_SETTINGS, &[0xFF; 100]].concat();
    closed(server.send(&frame_of_16_mib).await).await;
    server.assert_answers().await;
}

#[tokio::test]
async fn a_client_that_has_greeted_may_be_silent() {
    let server = TestServer::start().await;
    let mut client = server.send(&[PREFACE, EMPTY_SETTINGS].concat()).await;
    let mut received = vec![0; 1000];
    let is_open = async {
        while client.read(&mut received).await.unwrap() != 0 {}
        panic!("the server closed the connection");
    };
    assert!(timeout(BOUNDS.greeting * 3, is_open).await.is_err());
}

#[tokio::test]
async fn more_clients_than_places_wait_for_one() {
    let server = TestServer::start().await;
    let mut silent = Vec::new();
    for _ in 0..3 * BOUNDS.n_connections {
        silent.push(server.connect().await);
    }
    server.assert_answers().await;
    for client in silent {
        closed(client).await;
    }
}

#[tokio::test]
async fn no_more_connections_are_open_than_places() {
    let server = TestServer::start().await;
    let greeting = [PREFACE, EMPTY_SETTINGS].concat();
    let mut greeted = Vec::new();
    for _ in 0..BOUNDS.n_connections {
        let mut client = server.send(&greeting).await;
        // The server's own settings: it has a place.
        assert_ne!(client.read(&mut [0; 100]).await.unwrap(), 0);
        greeted.push(client);
    }
    let mut client = server.send(&greeting).await;
    let answer = timeout(BOUNDS.greeting, client.read(&mut [0; 100])).await;
    assert!(answer.is_err(), "a connection too many was served: {answer:?}");
    greeted.pop();
    let answer = timeout(PATIENCE, client.read(&mut [0; 100])).await;
    assert_ne!(answer.expect("a place in time").unwrap(), 0);
}

#[tokio::test]
async fn messages_and_headers_beyond_their_limits_are_refused() {
    let server = TestServer::start().await;
    let client = server.client();
    let name = "x".repeat(proto::MAX_MESSAGE_BYTES + 1);
    let huge = Request::new(JoinRequest { name, ..JoinRequest::default() });
    assert_eq!(call(client.clone(), huge).await.code(), Code::OutOfRange);
    let mut long = request();
    let header = "x".repeat(100_000);
    long.metadata_mut().insert("x-long", MetadataValue::try_from(&header).unwrap());
    assert_ne!(call(client.clone(), long).await.code(), Code::FailedPrecondition);
    assert_refused(call(client, request()).await);
}

#[tokio::test]
async fn open_connections_do_not_hold_the_end() {
    let server = TestServer::start().await;
    let _silent = server.connect().await;
    let _greeted = server.send(&[PREFACE, EMPTY_SETTINGS].concat()).await;
    server.assert_answers().await;
    server.shutdown.cancel();
    timeout(PATIENCE, server.serving).await.expect("an end in time").unwrap().unwrap();
}
