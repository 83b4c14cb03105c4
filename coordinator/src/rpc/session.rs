//! The session service: who may join, and the way of a Sync to the core and back.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use coordinator_core::event;
use coordinator_core::lease::SessionId;
use coordinator_core::limits::MAX_WORKERS;
use proto::{JoinReply, JoinRequest, SyncReply, SyncRequest};
use tonic::{Request, Response, Status};

use super::convert;
use super::status::RpcError;
use crate::rpc::context::Sweep;
use crate::run::mailbox::Mailbox;

#[derive(Debug)]
pub(super) struct Session {
    sweep: Arc<Sweep>,
    mailbox: Mailbox,
}

impl Session {
    pub(super) fn new(sweep: Arc<Sweep>, mailbox: Mailbox) -> Self {
        Self { sweep, mailbox }
    }

    async fn join(&self, request: JoinRequest) -> Result<JoinReply, RpcError> {
        check_compatible(&request, &self.sweep)?;
        let join = convert::join(request, &self.sweep)?;
        let (worker, local_index) = (join.worker, join.facts.local_index);
        match self.mailbox.join(join).await? {
            event::JoinReply::Joined { session, kept, finished } => {
                if let Some(index) = local_index {
                    self.sweep.local_workers.joined(index, worker, session);
                    self.sweep.local_joined.store(true, Ordering::Relaxed);
                }
                Ok(convert::join_reply(session, &kept, finished, &self.sweep))
            }
            event::JoinReply::WorkerLives(name) => Err(RpcError::WorkerLives(name)),
            event::JoinReply::TooManyWorkers => Err(RpcError::Full(MAX_WORKERS)),
        }
    }

    /// A worker that is sent away learns why, and so does a reader of this side's log.
    fn tell<T>(&self, answer: Result<T, RpcError>) -> Result<T, RpcError> {
        if let Err(error @ (RpcError::Refused(_) | RpcError::Malformed(_))) = &answer {
            self.sweep.repeats.warn("refused calls", format!("refused a worker's call: {error}"));
        }
        answer
    }

    async fn sync(&self, request: SyncRequest) -> Result<SyncReply, RpcError> {
        // Before it waits for the core, which may wait for its disk.
        self.sweep.local_workers.called(SessionId(request.session));
        let plan_index = self.sweep.plan_index();
        let unknown = convert::unknown_leases(&request, &plan_index);
        let sync = convert::sync(request, &plan_index, &self.sweep)?;
        let reply = self.mailbox.sync(sync).await?;
        Ok(convert::sync_reply(reply, unknown, &self.sweep))
    }
}

#[tonic::async_trait]
impl proto::session_server::Session for Session {
    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinReply>, Status> {
        Ok(Response::new(self.tell(self.join(request.into_inner()).await)?))
    }

    async fn sync(&self, request: Request<SyncRequest>) -> Result<Response<SyncReply>, Status> {
        Ok(Response::new(self.tell(self.sync(request.into_inner()).await)?))
    }
}

/// A worker of another protocol, or one that would train other bits, is sent away with a reason.
fn check_compatible(request: &JoinRequest, sweep: &Sweep) -> Result<(), RpcError> {
    let ours = proto::PROTOCOL_VERSION;
    let (low, high) = (request.protocol_min, request.protocol_max);
    if !(low..=high).contains(&ours) {
        return Err(RpcError::Refused(format!(
            "the worker speaks protocol {low} to {high}, the coordinator speaks {ours}: use the same release on both sides"
        )));
    }
    if request.local_index.is_some() && !sweep.local_token.is(&request.local_token) {
        return Err(RpcError::Refused(
            "the worker says that this coordinator started it, which it did not: start it without a local index".into(),
        ));
    }
    if request.numerics_version != trainer::NUMERICS_VERSION {
        return Err(RpcError::Refused(format!(
            "the worker trains by numerics version {}, the coordinator records version {}: use the same release on both sides",
            request.numerics_version,
            trainer::NUMERICS_VERSION
        )));
    }
    if request.selftest_digest != sweep.selftest_digest.0 {
        return Err(RpcError::Refused(format!(
            "the worker's self-test on path {} gives other bits than the coordinator's: its machine or its build is broken",
            request.isa.escape_default()
        )));
    }
    Ok(())
}
