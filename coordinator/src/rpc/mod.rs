//! The gRPC edge: services that turn wire messages into posts for the driver and replies back.

mod admission;
mod artifacts;
mod checkpoints;
mod connection;
mod convert;
mod intake;
mod listener;
mod local_workers;
mod session;
mod status;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use coordinator_core::lease::TrialIndex;
use coordinator_core::sweep::TrialId;
use proto::artifacts_server::ArtifactsServer;
use proto::session_server::SessionServer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use worker::parts::Repeats;

pub use listener::{Bounds, incoming, raise_file_limit};
pub use local_workers::LocalWorkers;

use crate::local::LocalToken;
use crate::mailbox::Mailbox;
use crate::roster::Roster;
use crate::store::CheckpointFiles;

/// What every call needs to know of the sweep; but for the roster, fixed for its whole run.
#[derive(Debug)]
pub struct Sweep {
    /// The latest one.
    pub roster: watch::Receiver<Arc<Roster>>,
    /// The data set's canonical bytes.
    pub blob: Bytes,
    pub checkpoints: Arc<CheckpointFiles>,
    pub term: u64,
    pub state_id: [u8; 16],
    pub sync_every: Duration,
    pub lease_ttl: Duration,
    /// What this build's self-test gives; a worker whose differs would train other bits.
    pub selftest_digest: [u8; 32],
    /// What a child process of this coordinator was handed, to prove that it is one.
    pub local_token: LocalToken,
    /// Share of the most frequent class among the rows that validate, from 0 to 1.
    pub largest_valid_share: f64,
    /// Where what workers do wrong is told.
    pub repeats: Arc<Repeats>,
    /// Turns true once one of this coordinator's own workers has joined.
    pub local_joined: Arc<AtomicBool>,
    pub local_workers: LocalWorkers,
}

impl Sweep {
    fn roster(&self) -> Arc<Roster> {
        self.roster.borrow().clone()
    }

    fn trial_id(&self, trial: TrialIndex) -> TrialId {
        self.roster.borrow().plan.trials[trial.at()].id
    }
}

/// A worker has a handful of calls in flight; this bounds what one connection can hold.
const MAX_CONCURRENT_STREAMS: u32 = 8;

/// Bytes that a connection, and each of its calls, may send ahead of being read.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
const STREAM_WINDOW_BYTES: u32 = 512 * 1024;

/// The headers of our own calls take a few hundred bytes.
const MAX_HEADER_BYTES: u32 = 8 * 1024;

/// A call that has not been received and answered by then is dropped; callers give up much sooner.
const CALL_DEADLINE: Duration = Duration::from_secs(60);

const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves until `shutdown`; connections that are still open then are left to the process's end.
pub async fn serve<C>(
    incoming: impl Stream<Item = io::Result<C>>,
    sweep: Arc<Sweep>,
    mailbox: Mailbox,
    shutdown: CancellationToken,
) -> Result<(), tonic::transport::Error>
where
    C: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
{
    let session = SessionServer::new(session::Session::new(sweep.clone(), mailbox.clone()))
        .max_decoding_message_size(proto::MAX_MESSAGE_BYTES)
        .max_encoding_message_size(proto::MAX_MESSAGE_BYTES);
    let artifacts = ArtifactsServer::new(artifacts::Artifacts::new(sweep, mailbox))
        .max_decoding_message_size(2 * proto::CHUNK_BYTES)
        .max_encoding_message_size(2 * proto::CHUNK_BYTES);
    let serve = Server::builder()
        .timeout(CALL_DEADLINE)
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .http2_max_header_list_size(MAX_HEADER_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .layer(intake::Intake::default())
        .add_service(session)
        .add_service(artifacts)
        .serve_with_incoming(incoming);
    tokio::select! {
        result = serve => result,
        () = shutdown.cancelled() => Ok(()),
    }
}
