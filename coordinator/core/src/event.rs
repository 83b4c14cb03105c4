//! Everything that can reach the core (`Event`), everything that leaves it (`Action`), and what of
//! it is made durable (`Record`).

use std::marker::PhantomData;

use trial::{Breach, Digest, Timing, TrialResult};

pub use crate::close_cause::CloseCause;
use crate::lease::{Lease, OpenLease, SessionId, TrialIndex, WorkerId};
use crate::ledger::checkpoints::Checkpoint;

/// Names the caller that waits for a reply of this type.
#[derive(Clone, Debug)]
pub struct Call<R> {
    pub number: u64,
    reply: PhantomData<R>,
}

impl<R> Call<R> {
    pub fn new(number: u64) -> Self {
        Self { number, reply: PhantomData }
    }
}

#[derive(Clone, Debug)]
pub enum Event {
    Join {
        call: Call<JoinReply>,
        join: Join,
    },
    Sync {
        call: Call<SyncReply>,
        sync: Sync,
    },
    /// A worker has a checkpoint of a trial and would send it. The answer is the lease's worker, if
    /// the checkpoint is wanted of it.
    CheckpointOffered {
        call: Call<Option<WorkerId>>,
        lease: Lease,
    },
    /// A worker would fetch a data set or a checkpoint. The answer is whose session it is, if there
    /// is one.
    TransferOffered {
        call: Call<Option<WorkerId>>,
        session: SessionId,
    },
    /// A checkpoint of a running trial lies on the coordinator's disk. The answer is what is kept of
    /// the trial's checkpoints, the latest first; its other files may go.
    CheckpointPublished {
        call: Call<Vec<Checkpoint>>,
        lease: Lease,
        checkpoint: Checkpoint,
    },
    /// A checkpoint of a former run was found on the coordinator's disk.
    CheckpointFound {
        trial: TrialIndex,
        checkpoint: Checkpoint,
    },
    /// A checkpoint is gone or damaged.
    CheckpointBroken {
        trial: TrialIndex,
        digest: Digest,
    },
    /// A worker process that this coordinator started has ended; `expected` if it was told to. `how`
    /// is for people.
    LocalEnded {
        local_index: u32,
        expected: bool,
        how: String,
    },
    /// Grant nothing more and ask every worker to hand back what it has.
    Stop,
    /// The coordinator slept (a suspended laptop, a stalled machine): no lease may be judged by it.
    Overslept,
    /// A deadline has passed.
    Tick,
}

#[derive(Clone, Debug)]
pub struct Join {
    pub worker: WorkerId,
    pub facts: WorkerInfo,
    /// Leases of a former session on this state that the worker trains, or has finished and not
    /// yet handed in.
    pub held: Vec<Lease>,
    /// The process that had the former session is the one that joins.
    pub continues: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerInfo {
    pub name: String,
    pub isa: String,
    pub cpu: String,
    pub n_slots: u32,
    /// Set for child processes of this coordinator.
    pub local_index: Option<u32>,
}

#[derive(Clone, Debug)]
pub struct Sync {
    pub session: SessionId,
    pub seq: u64,
    pub seen_seq: u64,
    /// Slots without a trial, granted ones that have not started counted as in a slot.
    pub n_free_slots: u32,
    /// Trials that the worker would take beyond its slots, to start them without a round trip.
    pub n_queue_places: u32,
    pub draining: bool,
    pub running: Vec<Running>,
    pub finished: Vec<Finished>,
    pub released: Vec<Lease>,
    /// What keeps it from working, for people.
    pub troubles: Vec<Trouble>,
}

/// Something that keeps a worker from working, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub text: String,
    /// How long it has gone on.
    pub for_ms: u64,
}

/// A lease that the worker holds and has not finished.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Running {
    pub lease: Lease,
    /// False while it waits on the worker for a slot.
    pub started: bool,
    pub n_epochs_done: u32,
    pub valid_accuracy: f64,
    /// How long its slot has trained it, without the wait for data; `None` if the worker does not
    /// tell.
    pub trained_ms: Option<u64>,
    /// For how long its slot has not done a step.
    pub silent_ms: u64,
}

#[derive(Clone, Debug)]
pub struct Finished {
    pub lease: Lease,
    pub outcome: Result<Box<TrialResult>, String>,
    pub timings: Vec<Timing>,
}

#[derive(Clone, Debug)]
pub enum Action {
    /// Must be durable before any reply of the same batch leaves.
    Persist(Record),
    Reply(Reply),
    /// For people: progress, logs.
    Publish(Notice),
}

/// A call and its answer.
#[derive(Clone, Debug)]
pub enum Reply {
    Join(Call<JoinReply>, JoinReply),
    Sync(Call<SyncReply>, SyncReply),
    /// To an offer or a transfer.
    Permit(Call<Option<WorkerId>>, Option<WorkerId>),
    Checkpoints(Call<Vec<Checkpoint>>, Vec<Checkpoint>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum JoinReply {
    Joined {
        session: SessionId,
        kept: Vec<Lease>,
        finished: bool,
    },
    /// It would be one more than the limit.
    TooManyWorkers,
    /// The worker lives in another process, by the name of that one.
    WorkerLives(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct SyncReply {
    pub seq: u64,
    pub acks: Vec<(Lease, Verdict)>,
    pub grants: Vec<Grant>,
    pub stop: Vec<Lease>,
    /// Leases to hand back (as released) if they have not started yet.
    pub withdraw: Vec<Lease>,
    pub order: Order,
    /// More trials are about to follow: the worker is to call again in a moment.
    pub soon: bool,
}

/// The right to train a trial, and where it may go on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub lease: Lease,
    /// The latest first; the next one serves if it turns out damaged.
    pub checkpoints: Vec<Checkpoint>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    GoOn,
    Drain,
    Rejoin,
    Finished,
}

/// What became of a finished trial that a worker handed in. All of them mean: drop it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Recorded,
    AlreadyRecorded,
    Conflict,
    Rejected,
}

#[derive(Clone, Debug)]
pub enum Record {
    WorkerJoined {
        worker: WorkerId,
        facts: WorkerInfo,
    },
    /// Opens an attempt.
    Granted(OpenLease),
    /// Closes an attempt that gave no outcome.
    Closed {
        trial: TrialIndex,
        attempt: u32,
        cause: CloseCause,
    },
    /// The trial's outcome; closes the attempt that brought it.
    Completed {
        trial: TrialIndex,
        attempt: u32,
        /// Who trained it.
        worker: WorkerId,
        result: Box<TrialResult>,
        timings: Vec<Timing>,
    },
    /// The trial's outcome after its last attempt was closed.
    Failed {
        trial: TrialIndex,
        cause: String,
    },
    /// The trial's outcome when the sweep was given up.
    Cancelled {
        trial: TrialIndex,
    },
    /// A failed or cancelled trial is to be run again.
    Reopened {
        trial: TrialIndex,
    },
    /// A second completion with another digest: a broken machine or a broken contract.
    Conflict {
        trial: TrialIndex,
        attempt: u32,
        digest: Digest,
    },
}

/// What is done about an attempt that does not get on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// A speculative attempt runs beside it; the first outcome counts.
    Speculate,
    /// It is given up, and its trial waits for the idle slot.
    TakeBack,
}

#[derive(Clone, Debug)]
pub enum Notice {
    WorkerJoined {
        name: String,
    },
    /// A Join was refused, because a worker of the same id lives.
    JoinRefused {
        name: String,
        living: String,
    },
    WorkerLost {
        name: String,
        n_trials: usize,
    },
    /// An attempt failed and the trial is tried once more.
    AttemptFailed {
        trial: TrialIndex,
        cause: String,
    },
    /// The worker that gave the recorded result, or another one, has given a different digest.
    Conflict {
        name: String,
        trial: TrialIndex,
        is_its_own: bool,
    },
    /// A result came with times that its attempt cannot have taken, which are not recorded.
    TimesDropped {
        name: String,
        trial: TrialIndex,
        breach: Breach,
    },
    /// A worker handed in what it was never granted.
    Rejected {
        name: String,
        lease: Lease,
    },
    /// An attempt does not get on, and an idle slot takes its trial over.
    TakenOver {
        worker: String,
        trial: TrialIndex,
        remedy: Remedy,
        trained_ms: u64,
        silent_ms: u64,
    },
    /// Nothing is granted to the worker for a while.
    WorkerHeldBack {
        name: String,
        ms: u64,
    },
    /// Nothing is granted to the worker any more.
    WorkerQuarantined {
        name: String,
    },
    /// Every worker was in quarantine for so long that the rest is given up.
    AllQuarantined,
    /// A trial could not be trained a second time; its result stands unchecked.
    AuditGivenUp {
        trial: TrialIndex,
    },
    /// So many trials failed that the rest is given up.
    GivenUp {
        n_failed: usize,
    },
}
