//! The engine: the core with its driver, its store and what every call needs to know, put together from
//! an opened state. Who connects, and what else runs beside it, is the caller's.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use coordinator_core::event::{Action, Event};
use coordinator_core::machine::{Config, Core};
use coordinator_core::sweep::Plan;
use coordinator_core::time::Millis;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::confirm::Confirm;
use crate::driver::Driver;
use crate::facts::Facts;
use crate::local::LocalToken;
use crate::mailbox::Mailbox;
use crate::monitor::Monitor;
use crate::progress::Progress;
use crate::roster::Roster;
use crate::rpc::{LocalWorkers, Sweep};
use crate::store::{CheckpointFiles, Recorded, StateFolder, Store, Writer};
use crate::{cli, prepare};

/// What a worker may take to finish or checkpoint its trials and to say so.
const DRAIN_TIME: Duration = Duration::from_secs(12);

/// What a run begins with.
pub struct Opening<'a> {
    pub plan: Arc<Plan>,
    /// The data set's canonical bytes.
    pub blob: Arc<[u8]>,
    pub folder: &'a StateFolder,
    pub store: Store,
    pub facts: &'a Facts,
    pub confirm: Confirm,
    pub recorded: Recorded,
}

#[derive(Debug)]
pub struct Engine {
    pub driver: Driver,
    /// What the driver has to carry out first.
    pub restored: Vec<Action>,
    pub sweep: Sweep,
    pub mailbox: Mailbox,
}

impl Engine {
    /// `worker_command` is what people are told to start a worker with.
    pub fn assemble(
        run: &cli::Run,
        opening: Opening,
        progress: Progress,
        worker_command: String,
        selftest_digest: [u8; 32],
    ) -> anyhow::Result<Self> {
        let Opening { plan, blob, folder, store, facts, confirm, mut recorded } = opening;
        let clock = Clock::start();
        let mut restored = prepare::reopen(&mut recorded.ledger, 0, run.retry_failed);
        let agenda = plan.agenda(run.audit);
        let config = core_config(run, facts)?;
        let mut core = Core::restore(config, &agenda, &recorded.ledger, clock.now(), &mut restored);
        core.recall_workers(&recorded.workers);
        if 0 < plan.n_confirm_seeds {
            core.expect_trials();
        }
        let roster = Arc::new(Roster::new(plan.clone()));
        let checkpoints = open_checkpoints(folder, &roster, &mut core, clock.now(), &mut restored)?;
        let state_path = folder.path().to_path_buf();
        let monitor = Monitor::new(plan, &recorded, progress, state_path, worker_command);
        let repeats = monitor.repeats();
        let (mailbox, posts) = Mailbox::new();
        let (roster, roster_seen) = watch::channel(roster);
        let driver = Driver {
            core,
            writer: Writer::new(store),
            mailbox: posts,
            clock,
            monitor,
            confirm: Arc::new(confirm),
            roster,
            checkpoints: checkpoints.clone(),
            lease_ttl: run.lease_ttl,
            linger: run.sync_every * 3 / 2,
            stop_timeout: run.sync_every * 6 / 5 + DRAIN_TIME,
            stopping: CancellationToken::new(),
            finished: CancellationToken::new(),
        };
        let sweep = Sweep {
            roster: roster_seen,
            blob: Bytes::from_owner(blob),
            checkpoints,
            term: facts.term,
            state_id: facts.state_id,
            sync_every: run.sync_every,
            lease_ttl: run.lease_ttl,
            selftest_digest,
            local_token: LocalToken::draw()
                .map_err(|error| anyhow!("no random numbers: {error}"))?,
            largest_valid_share: facts.data.largest_class_share,
            repeats,
            local_joined: Arc::new(AtomicBool::new(false)),
            local_workers: LocalWorkers::default(),
        };
        Ok(Self { driver, restored, sweep, mailbox })
    }
}

fn core_config(run: &cli::Run, facts: &Facts) -> anyhow::Result<Config> {
    let seed = getrandom::u64().map_err(|error| anyhow!("no random numbers: {error}"))?;
    Ok(Config {
        term: facts.term,
        lease_ttl_ms: u64::try_from(run.lease_ttl.as_millis()).unwrap_or(u64::MAX),
        crash_limit: run.crash_limit.get(),
        max_failed: run.max_failed.map(Into::into),
        seed,
    })
}

/// Tells the core what former runs have published; what is of no more use is removed.
fn open_checkpoints(
    state: &StateFolder,
    roster: &Roster,
    core: &mut Core,
    now: Millis,
    out: &mut Vec<Action>,
) -> anyhow::Result<Arc<CheckpointFiles>> {
    let context = || format!("cannot use the checkpoints in {}", state.path().display());
    let files = CheckpointFiles::open(state.path()).with_context(context)?;
    let found = files.found(|id| roster.place(id)).with_context(context)?;
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
