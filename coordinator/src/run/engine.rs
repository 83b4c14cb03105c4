//! The engine: the core with its driver, its store and the server that workers call, put together from
//! an opened state and set to work. Who connects, and what else runs beside it, is the caller's.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use coordinator_core::event::{Action, Event};
use coordinator_core::machine::{Config, Core};
use coordinator_core::time::Millis;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::server::Connected;
use trial::Digest;
use worker::parts::Disk;

use crate::cli::RunConfig;
use crate::placement::token::LocalToken;
use crate::rpc;
use crate::rpc::context::Sweep;
use crate::run::clock::Clock;
use crate::run::driver::{Driver, Ended};
use crate::run::mailbox::{Mailbox, Post};
use crate::run::open::Opened;
use crate::run::plan_index::{PlanIndex, grant_order};
use crate::store::error::StoreError;
use crate::store::meta::SweepMeta;
use crate::store::{CheckpointFiles, StateFolder, Writer};
use crate::view::Progress;
use crate::view::observer::Observer;

/// What a worker may take to finish or checkpoint its trials and to say so.
const DRAIN_TIME: Duration = Duration::from_secs(12);

/// What a coordinator meets outside of itself.
#[derive(Debug)]
pub struct Outside {
    /// What people are told to start a worker with.
    pub worker_command: String,
    /// What this build's self-test gives on this machine's instruction set.
    pub selftest_digest: Digest,
    /// Where the state lies.
    pub disk: Disk,
}

/// A coordinator that is put together and not yet at work.
#[derive(Debug)]
pub struct Engine {
    driver: Driver,
    /// What the driver has to carry out first.
    restored: Vec<Action>,
    sweep: Sweep,
    mailbox: Mailbox,
    folder: StateFolder,
}

/// A coordinator at work. Dropping it ends both of its tasks.
pub struct Running {
    /// Keeps other coordinators out of the state.
    pub folder: StateFolder,
    pub driver: AbortOnDropHandle<Result<Ended, StoreError>>,
    pub server: AbortOnDropHandle<Result<(), tonic::transport::Error>>,
    pub mailbox: Mailbox,
    /// Cancelled once a stop was asked for; a commit that waits for space gives up then.
    pub stopping: CancellationToken,
    /// Ends the server.
    pub serving: CancellationToken,
    /// Cancelled by the driver once every trial has its outcome.
    pub finished: CancellationToken,
    /// Turns true once one of this coordinator's own workers has joined.
    pub local_joined: Arc<AtomicBool>,
    /// Its own workers, as they are heard.
    pub local_workers: Arc<rpc::LocalWorkers>,
    /// What this coordinator's own workers prove themselves with.
    pub local_token: LocalToken,
}

impl Running {
    /// Asks for an orderly end: workers hand back what they train.
    pub async fn stop(&self) {
        self.stopping.cancel();
        self.mailbox.tell(Post::Stop).await;
    }
}

impl Engine {
    pub fn assemble(
        run: &RunConfig,
        opened: Opened,
        progress: Progress,
        outside: Outside,
    ) -> anyhow::Result<Self> {
        let Outside { worker_command, selftest_digest, disk } = outside;
        let Opened { plan, blob, folder, store, facts, confirm, mut recorded, .. } = opened;
        let clock = Clock::start();
        let mut restored = recorded.ledger.reopen(0, run.retry_failed);
        let order = grant_order(&plan, run.audit_share);
        let config = core_config(run, &facts)?;
        let mut core = Core::restore(config, &order, &recorded.ledger, clock.now(), &mut restored);
        core.recall_workers(&recorded.workers);
        if 0 < plan.n_confirm_seeds {
            core.expect_trials();
        }
        let plan_index = Arc::new(PlanIndex::new(plan.clone()));
        let measures = store.measures().clone();
        let checkpoints =
            open_checkpoints(&folder, &plan_index, &mut core, clock.now(), &mut restored)?;
        let state_path = folder.path().to_path_buf();
        let observer =
            Observer::new(plan, measures.clone(), &recorded, progress, state_path, worker_command);
        let repeats = observer.repeats();
        let (mailbox, posts) = Mailbox::new();
        let (plan_index, plan_index_seen) = watch::channel(plan_index);
        let driver = Driver {
            core,
            writer: Writer::new(store, disk.clone()),
            mailbox: posts,
            clock,
            observer,
            confirm: Arc::new(confirm),
            plan_index,
            checkpoints: checkpoints.clone(),
            disk: disk.clone(),
            lease_ttl: run.lease.ttl(),
            linger: run.lease.sync_every() * 3 / 2,
            stop_timeout: run.lease.sync_every() * 6 / 5 + DRAIN_TIME,
            stopping: CancellationToken::new(),
            finished: CancellationToken::new(),
        };
        let sweep = Sweep {
            plan_index: plan_index_seen,
            blob: Bytes::from_owner(blob),
            checkpoints,
            disk,
            term: facts.term,
            state_id: facts.state_id,
            lease: run.lease,
            selftest_digest,
            local_token: LocalToken::draw()
                .map_err(|error| anyhow!("no random numbers: {error}"))?,
            largest_valid_share: facts.data.largest_class_share,
            measures,
            repeats,
            local_joined: Arc::new(AtomicBool::new(false)),
            local_workers: Arc::default(),
        };
        Ok(Self { driver, restored, sweep, mailbox, folder })
    }

    /// Sets it to work with the workers that come over `incoming`.
    pub fn start<C>(self, incoming: impl Stream<Item = io::Result<C>> + Send + 'static) -> Running
    where
        C: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    {
        let Self { driver, restored, sweep, mailbox, folder } = self;
        let (stopping, finished) = (driver.stopping.clone(), driver.finished.clone());
        let (local_joined, local_token) = (sweep.local_joined.clone(), sweep.local_token.clone());
        let local_workers = sweep.local_workers.clone();
        let serving = CancellationToken::new();
        let serve = rpc::serve(incoming, Arc::new(sweep), mailbox.clone(), serving.clone());
        Running {
            driver: AbortOnDropHandle::new(tokio::spawn(driver.run(restored))),
            server: AbortOnDropHandle::new(tokio::spawn(serve)),
            mailbox,
            stopping,
            serving,
            finished,
            local_joined,
            local_workers,
            local_token,
            folder,
        }
    }
}

fn core_config(run: &RunConfig, facts: &SweepMeta) -> anyhow::Result<Config> {
    let seed = getrandom::u64().map_err(|error| anyhow!("no random numbers: {error}"))?;
    Ok(Config {
        term: facts.term,
        lease_ttl_ms: u64::try_from(run.lease.ttl().as_millis()).unwrap_or(u64::MAX),
        crash_limit: run.crash_limit.get(),
        max_failed: run.max_failed.map(Into::into),
        seed,
    })
}

/// Tells the core what former runs have published; what is of no more use is removed.
fn open_checkpoints(
    state: &StateFolder,
    plan_index: &PlanIndex,
    core: &mut Core,
    now: Millis,
    out: &mut Vec<Action>,
) -> anyhow::Result<Arc<CheckpointFiles>> {
    let context = || format!("cannot use the checkpoints in {}", state.path().display());
    let files = CheckpointFiles::open(state.path()).with_context(context)?;
    let found = files.found(|id| plan_index.place(id)).with_context(context)?;
    for (trial, checkpoint) in found {
        core.apply(now, Event::CheckpointFound { trial, checkpoint }, out);
        if core.trial(trial).status.is_terminal()
            && let Some(id) = files.ended(trial)
        {
            files.keep(id, &[]).with_context(context)?;
        }
    }
    Ok(Arc::new(files))
}
