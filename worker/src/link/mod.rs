//! The connection to the coordinator: calls with deadlines, and what their errors mean.

pub mod backoff;
pub mod convert;
pub mod fit;
pub mod transfer;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use proto::artifacts_client::ArtifactsClient;
use proto::session_client::SessionClient;
use proto::text::clean_line;
use proto::{JoinReply, JoinRequest, SyncReply, SyncRequest};
use thiserror::Error;
use tokio::time;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::cli::duration;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// A Join may find the coordinator loading its state.
const JOIN_DEADLINE: Duration = Duration::from_secs(10);

/// After this many failures in a row the connection itself is suspected and made anew.
const RECONNECT_AFTER: u32 = 3;

/// Why a call gave no answer.
#[derive(Debug, Error)]
pub(crate) enum CallError {
    /// Calling again would not help.
    #[error("{0}")]
    Refused(String),
    /// The coordinator is not there, or does not answer in time.
    #[error("{0}")]
    Unanswered(String),
    /// A coordinator is there and can not do it now, for the reason that it gives.
    #[error("{0}")]
    Busy(String),
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        let text = explain(&status);
        // What a server said has no cause on this side.
        let was_said = std::error::Error::source(&status).is_none();
        match status.code() {
            Code::Unauthenticated
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::InvalidArgument => Self::Refused(text),
            Code::ResourceExhausted | Code::Unavailable if was_said => Self::Busy(text),
            _ => Self::Unanswered(text),
        }
    }
}

/// Most bytes of a peer's text.
const MAX_TEXT_BYTES: usize = 1000;

/// The status's own text, or the innermost cause of a transport error, which says more. It is
/// clean, because a peer has written it.
pub(crate) fn explain(status: &Status) -> String {
    let mut cause = std::error::Error::source(status);
    let mut text = status.message().to_string();
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    if text.is_empty() { status.code().to_string() } else { clean_line(&text, MAX_TEXT_BYTES) }
}

/// How a connection comes about when it is first needed.
pub type Dial = fn(&Endpoint) -> Channel;

pub(crate) struct Link {
    url: String,
    endpoint: Endpoint,
    dial: Dial,
    channel: Channel,
    /// The latest session, which calls for large content show.
    session: Arc<AtomicU64>,
    n_failures: u32,
}

/// A connection of its own for what is large, so that it delays no Sync.
#[derive(Clone)]
pub(crate) struct Artifacts {
    channel: Channel,
    session: Arc<AtomicU64>,
}

impl Artifacts {
    pub(crate) fn client(&self) -> ArtifactsClient<Channel> {
        ArtifactsClient::new(self.channel.clone())
            .max_decoding_message_size(proto::MAX_MESSAGE_BYTES)
    }

    /// The session at this moment: a transfer may outlive the one that it began in.
    pub(crate) fn session(&self) -> u64 {
        self.session.load(Ordering::Relaxed)
    }
}

impl Link {
    /// Connects with the first call.
    pub(crate) fn new(url: &str, dial: Dial) -> anyhow::Result<Self> {
        let endpoint = Endpoint::from_shared(url.to_string())
            .with_context(|| {
                format!("{url} is not a coordinator's address; expected http://HOST:PORT")
            })?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true);
        let endpoint = keep_alive(endpoint);
        let channel = dial(&endpoint);
        let session = Arc::default();
        Ok(Self { url: url.into(), endpoint, dial, channel, session, n_failures: 0 })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn artifacts(&self) -> Artifacts {
        Artifacts { channel: (self.dial)(&self.endpoint), session: self.session.clone() }
    }

    pub(crate) fn joined(&self, session: u64) {
        self.session.store(session, Ordering::Relaxed);
    }

    pub(crate) fn join(
        &self,
        request: JoinRequest,
    ) -> impl Future<Output = Result<JoinReply, CallError>> + Send + use<> {
        let mut client = self.client();
        async move { in_time(JOIN_DEADLINE, client.join(request)).await }
    }

    pub(crate) fn sync(
        &self,
        request: SyncRequest,
        deadline: Duration,
    ) -> impl Future<Output = Result<SyncReply, CallError>> + Send + use<> {
        let mut client = self.client();
        async move { in_time(deadline, client.sync(request)).await }
    }

    fn client(&self) -> SessionClient<Channel> {
        SessionClient::new(self.channel.clone())
            .max_decoding_message_size(proto::MAX_MESSAGE_BYTES)
            .max_encoding_message_size(proto::MAX_MESSAGE_BYTES)
    }

    pub(crate) fn succeeded(&mut self) {
        self.n_failures = 0;
    }

    pub(crate) fn failed(&mut self) {
        self.n_failures += 1;
        if self.n_failures >= RECONNECT_AFTER {
            self.n_failures = 0;
            self.channel = (self.dial)(&self.endpoint);
        }
    }
}

fn keep_alive(endpoint: Endpoint) -> Endpoint {
    endpoint
        .http2_keep_alive_interval(KEEPALIVE_EVERY)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
}

async fn in_time<T>(
    deadline: Duration,
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, CallError> {
    match time::timeout(deadline, call).await {
        Ok(answer) => Ok(answer?.into_inner()),
        Err(_) => {
            Err(CallError::Unanswered(format!("no answer within {}", duration::exact(deadline))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_repetition_cannot_mend_is_a_refusal() {
        for (code, refused) in [
            (Code::Unauthenticated, true),
            (Code::PermissionDenied, true),
            (Code::FailedPrecondition, true),
            (Code::InvalidArgument, true),
            (Code::Unavailable, false),
            (Code::ResourceExhausted, false),
            (Code::Internal, false),
        ] {
            let error = CallError::from(Status::new(code, "text"));
            assert_eq!(matches!(error, CallError::Refused(_)), refused, "{code}");
            assert_eq!(error.to_string(), "text");
        }
    }

    #[test]
    fn a_peer_s_text_writes_over_no_terminal_and_forges_no_line() {
        let hostile =
            "full\u{1b}[2J\nERROR forged\r\u{202e}\u{2028}".to_string() + &"x".repeat(100_000);
        for code in [Code::PermissionDenied, Code::Unavailable] {
            let text = CallError::from(Status::new(code, hostile.as_str())).to_string();
            assert!(text.starts_with("full [2J ERROR forged   x"), "{text}");
            assert_eq!(text.len(), MAX_TEXT_BYTES);
        }
    }

    #[test]
    fn a_coordinator_that_is_there_and_busy_is_not_missing() {
        let full = CallError::from(Status::resource_exhausted("10000 workers are here"));
        assert!(matches!(full, CallError::Busy(_)));
        let mut gone = Status::unavailable("");
        gone.set_source(std::sync::Arc::new(std::io::Error::other("connection refused")));
        let gone = CallError::from(gone);
        assert!(matches!(&gone, CallError::Unanswered(text) if text == "connection refused"));
    }
}
