//! The gRPC edge: services that turn wire messages into posts for the driver and replies back.

mod artifacts;
mod checkpoints;
pub mod content;
pub mod context;
mod convert;
pub mod gate;
mod session;
mod status;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use proto::artifacts_server::ArtifactsServer;
use proto::session_server::SessionServer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::Connected;

pub use gate::listener::{Bounds, incoming, raise_file_limit};
pub use gate::local_workers::LocalWorkers;

use crate::rpc::context::Sweep;
use crate::run::mailbox::Mailbox;

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
        .layer(gate::intake::Intake::default())
        .add_service(session)
        .add_service(artifacts)
        .serve_with_incoming(incoming);
    tokio::select! {
        result = serve => result,
        () = shutdown.cancelled() => Ok(()),
    }
}
