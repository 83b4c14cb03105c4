//! The session's state: what it owns, what it is made of, and the times that it keeps to.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use proto::{JoinReply, JoinRequest, SyncReply};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::Instant;

use crate::agent::{Agent, Job, StateId, TrialId};
use crate::disk::checkpoints::Checkpoints;
use crate::disk::datasets::Datasets;
use crate::disk::device::Disk;
use crate::disk::spool::{Done, Spool};
use crate::link::backoff::Backoff;
use crate::link::transfer::FetchLine;
use crate::link::{CallError, Link};
use crate::logging::repeats::Repeats;
use crate::programs::task::Task;
use crate::session::pending::Pending;
use crate::session::supply::Supply;
use crate::session::troubles::Troubles;
use crate::slots::Slots;

/// While no slot wants for work, outcomes are collected for so long before they are written and
/// handed in: a Sync for each short trial would cost more than the trial.
pub(crate) const COLLECT_FOR: Duration = Duration::from_millis(50);

/// Bounds of a Sync's deadline, which is a third of a lease.
pub(crate) const SYNC_DEADLINE: (Duration, Duration) =
    (Duration::from_secs(1), Duration::from_secs(10));

/// Shortest and longest time between two Syncs while nothing happens, whatever the coordinator says.
pub(crate) const SHORTEST_SYNC: Duration = Duration::from_millis(50);

pub(crate) const LONGEST_SYNC: Duration = Duration::from_secs(60);

pub(crate) struct Session {
    /// What each Join says; what is held is added to it.
    pub(crate) introduction: JoinRequest,
    pub(crate) stay: bool,
    pub(crate) lost_after: Duration,
    pub(crate) agent: Agent,
    pub(crate) slots: Slots,
    pub(crate) spool: Spool,
    pub(crate) checkpoints: Checkpoints,
    /// Where the spool and the checkpoints lie.
    pub(crate) disk: Disk,
    pub(crate) supply: Supply,
    pub(crate) transfers: Transfers,
    pub(crate) link: Link,
    pub(crate) backoff: Backoff,
    pub(crate) storing: Storing,
    /// Sessions in a row that the coordinator gave and then did not know.
    pub(crate) rejoins: Backoff,
    pub(crate) call: Option<Pending<Reply>>,
    pub(crate) next_call_at: Instant,
    /// A trial was trained to its end since the last Sync.
    pub(crate) has_result: bool,
    pub(crate) sync_deadline: Duration,
    /// When the last answer came.
    pub(crate) heard_at: Instant,
    /// The finished sweep after which a worker that stays has said that it waits.
    pub(crate) said_finished: Option<StateId>,
    pub(crate) troubles: Troubles,
    /// Where what a coordinator can cause again and again is told.
    pub(crate) repeats: Arc<Repeats>,
    /// No slot that is busy has done a step for long.
    pub(crate) all_hang: bool,
    pub(crate) drain: Option<Drain>,
}

/// What a session is made of.
pub(crate) struct Parts {
    pub(crate) introduction: JoinRequest,
    pub(crate) stay: bool,
    pub(crate) lost_after: Duration,
    pub(crate) slots: Slots,
    pub(crate) spool: Spool,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) datasets: Datasets,
    pub(crate) repeats: Arc<Repeats>,
    pub(crate) disk: Disk,
    pub(crate) link: Link,
}

pub(crate) enum Reply {
    Join(Result<JoinReply, CallError>),
    Sync(Result<SyncReply, CallError>),
}

/// The orderly end of all work.
pub(crate) struct Drain {
    pub(crate) began: Instant,
    /// A worker that stays looks for the next sweep after an order, but not after a signal.
    pub(crate) by_signal: bool,
    /// The coordinator has answered a Sync that left nothing to say.
    pub(crate) is_told: bool,
}

/// Outcomes on their way from memory to the disk.
#[derive(Default)]
pub(crate) struct Storing {
    /// When the first outcome came that no write has begun for.
    pub(crate) fresh_since: Option<Instant>,
    /// Work at the file, and when it began.
    pub(crate) work: Option<Pending<Result<Done, JoinError>>>,
    pub(crate) began: Option<Instant>,
    /// The call that is due has waited for a write already, so that it goes before the next one.
    pub(crate) is_done_for_call: bool,
    /// The last call named outcomes that were not on the disk yet.
    pub(crate) is_awaited: bool,
    /// Trials whose checkpoints are of no use any more.
    pub(crate) useless: Vec<TrialId>,
}

#[derive(Default)]
pub(crate) struct Transfers {
    /// Jobs with a new checkpoint; the first one's is on its way if `publishing` is there.
    pub(crate) to_publish: VecDeque<Job>,
    pub(crate) publishing: Option<Pending<()>>,
    /// Jobs whose slots rest, to be handed back once their checkpoint was published.
    pub(crate) leaving: Vec<Job>,
    /// Tasks that wait for a checkpoint to go on from.
    pub(crate) fetching: JoinSet<Task>,
    pub(crate) fetches: Vec<Fetch>,
    pub(crate) line: FetchLine,
}

pub(crate) struct Fetch {
    pub(crate) job: Job,
    pub(crate) handle: AbortHandle,
    pub(crate) began: Instant,
}

/// the others are dropped after this long,
pub(crate) const DROP_AFTER: Duration = Duration::from_secs(10);

/// and the coordinator is told until then at most.
pub(crate) const LEAVE_AFTER: Duration = Duration::from_secs(20);

/// At its end a worker waits no longer for its disk.
pub(crate) const END_WITHIN: Duration = Duration::from_secs(5);
