//! The core: owns the state of every trial, lease and worker, and decides. `apply` takes one event
//! at one time and says what is to be recorded, answered and told. It never waits and never fails.

mod arrival;
mod audit;
mod checkpoint;
mod ending;
mod entries;
mod grant;
mod liveness;
mod outcome;
mod sync;

pub use crate::machine::liveness::stalled::StalledAttempt;
use std::collections::BTreeMap;

use crate::event::{Action, CloseCause, Event, Record, Reply, WorkerInfo};
use crate::fleet::Fleet;
use crate::fleet::former::Former;
use crate::fleet::pace::Pace;
use crate::fleet::worker::{HeldLease, Place, Worker};
use crate::grant_order::GrantOrder;
use crate::lease::{Lease, OpenLease, TrialIndex, WorkerId, mix};
use crate::ledger::Ledger;
use crate::ledger::audits::Audits;
use crate::ledger::checkpoints::Checkpoints;
use crate::ledger::queue::Queue;
use crate::ledger::trial::{Status, Trial, TrialSpec};
use crate::machine::liveness::stalls::Stalls;
use crate::time::Millis;

#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Grows with each start of a coordinator on its state.
    pub term: u64,
    pub lease_ttl_ms: u64,
    /// Losses of workers that trained a trial alone, after which it has failed.
    pub crash_limit: u32,
    /// Failed trials after which the sweep is given up.
    pub max_failed: Option<u32>,
    /// Where nonces and session numbers start; random in production.
    pub seed: u64,
}

/// How many trials are in each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub n_ready: usize,
    pub n_leased: usize,
    pub n_completed: usize,
    pub n_failed: usize,
    pub n_cancelled: usize,
    /// Completed ones that were trained again and compared.
    pub n_checked: usize,
}

#[derive(Clone, Debug)]
pub struct Core {
    config: Config,
    trials: Vec<Trial>,
    facts: Vec<TrialSpec>,
    counts: Counts,
    queue: Queue,
    fleet: Fleet,
    /// Workers that left and against which something is held.
    former: Former,
    audits: Audits,
    /// The pace of all workers together.
    pace: Pace,
    checkpoints: Checkpoints,
    /// The seals of attempts that were closed.
    closed: BTreeMap<(TrialIndex, u32), u64>,
    /// Stalls of the trials that are trained or audited.
    stalls: BTreeMap<TrialIndex, Stalls>,
    /// Since when every worker is in quarantine.
    deserted_since: Option<Millis>,
    is_stopping: bool,
    is_given_up: bool,
    /// Trials may follow once all have their outcome.
    expects_trials: bool,
    /// Failures of former runs do not count against this one's limit.
    n_failed_before: usize,
    n_drawn: u64,
}

impl Core {
    /// Takes up a state where it was left. Leases of the former coordinator's own workers are
    /// closed without charge, since they ended with it; those of remote ones get a full TTL.
    pub fn restore(
        config: Config,
        grants: &GrantOrder,
        ledger: &Ledger,
        now: Millis,
        out: &mut Vec<Action>,
    ) -> Self {
        assert_eq!(grants.order.len(), ledger.trials.len(), "the order names each trial once");
        assert_eq!(grants.facts.len(), ledger.trials.len(), "facts of each trial");
        let mut core = Self {
            config,
            trials: ledger.trials.clone(),
            facts: grants.facts.clone(),
            counts: Counts::default(),
            queue: Queue::new(&grants.order),
            fleet: Fleet::default(),
            former: Former::default(),
            audits: Audits::default(),
            pace: Pace::default(),
            checkpoints: Checkpoints::default(),
            closed: ledger.closed.clone(),
            stalls: BTreeMap::new(),
            deserted_since: None,
            is_stopping: false,
            is_given_up: false,
            expects_trials: false,
            n_failed_before: 0,
            n_drawn: 0,
        };
        core.restore_leases(ledger, now, out);
        for index in 0..core.trials.len() {
            let index = u32::try_from(index).expect("plans are below 2^32 trials");
            core.take_in(TrialIndex(index));
        }
        core
    }

    /// Remote leases first, so that a trial of which one lease is left is known to be leased.
    fn restore_leases(&mut self, ledger: &Ledger, now: Millis, out: &mut Vec<Action>) {
        let deadline = now + self.config.lease_ttl_ms;
        let (local, remote): (Vec<OpenLease>, Vec<OpenLease>) =
            ledger.open.iter().partition(|open| open.local);
        for open in remote {
            if self.fleet.get(open.worker).is_none() {
                self.fleet.add(open.worker, Worker::new(deadline));
            }
            // What runs alone had a slot from the first; of the rest its worker has to say so.
            let place = if open.alone { Place::Slot } else { Place::Queue };
            self.fleet.hold(HeldLease::new(open, 0, place, now));
            let trial = open.lease.trial;
            if let Status::Completed { worker, .. } = self.trials[trial.index()].status {
                self.audits.resume(trial, worker);
            }
        }
        for open in local {
            self.remember(&open);
            let Lease { trial, attempt, .. } = open.lease;
            let is_left = self.fleet.leases_of(trial).next().is_none();
            let status = &mut self.trials[trial.index()].status;
            if *status == Status::Leased && is_left {
                *status = Status::Ready;
            }
            let cause = CloseCause::CoordinatorEnded;
            self.trials[trial.index()].book(&cause);
            out.push(Action::Persist(Record::Closed { trial, attempt, cause }));
        }
    }

    /// What a former coordinator knew of the workers that still hold leases, so that they have their
    /// names until they join again.
    pub fn recall_workers(&mut self, known: &BTreeMap<WorkerId, WorkerInfo>) {
        for (&id, facts) in known {
            let is_unknown = self.fleet.get(id).is_some_and(|worker| worker.facts.is_none());
            if is_unknown {
                self.fleet.change(id, |worker| worker.facts = Some(facts.clone()));
            }
        }
    }

    /// Queues and counts a trial as it is recorded.
    fn take_in(&mut self, trial: TrialIndex) {
        let record = self.trials[trial.index()];
        *self.counts.of(record.status) += 1;
        self.counts.n_checked += usize::from(record.is_checked);
        self.n_failed_before += usize::from(record.status == Status::Failed);
        if record.status == Status::Ready {
            self.queue.push(trial);
        }
        if !self.audits.is_open(trial) {
            self.await_audit(trial);
        }
    }

    pub fn apply(&mut self, now: Millis, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::Join { call, join } => self.join(now, call, join, out),
            Event::Sync { call, sync } => self.sync(now, call, sync, out),
            Event::CheckpointOffered { call, lease } => self.checkpoint_offered(call, lease, out),
            Event::TransferOffered { call, session } => {
                let worker = self.fleet.of_session(session);
                out.push(Action::Reply(Reply::Permit(call, worker)));
            }
            Event::CheckpointPublished { call, lease, checkpoint } => {
                self.checkpoint_published(call, lease, checkpoint, out);
            }
            Event::CheckpointFound { trial, checkpoint } => {
                self.checkpoint_found(trial, checkpoint);
            }
            Event::CheckpointBroken { trial, digest } => self.checkpoints.forget(trial, digest),
            Event::LocalEnded { local_index, expected, how } => {
                self.local_ended(now, local_index, expected, &how, out);
            }
            Event::Stop => self.is_stopping = true,
            Event::Overslept => self.renew_all(now),
            Event::Tick => self.expire(now, out),
        }
        self.watch_quarantine(now);
        self.give_up_if_hopeless(now, out);
    }

    /// When `apply` wants to be called at the latest.
    pub fn next_deadline(&self) -> Option<Millis> {
        if self.is_cancelling() {
            return Some(Millis::default());
        }
        [self.fleet.first_deadline(), self.deserted_at()].into_iter().flatten().min()
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Every trial has its outcome, none follows, and all audits are done.
    pub fn is_finished(&self) -> bool {
        !self.expects_trials && self.has_all_outcomes() && self.audits.is_empty()
    }

    fn has_all_outcomes(&self) -> bool {
        self.counts.n_ready == 0 && self.counts.n_leased == 0
    }

    /// From now on nobody is told that the sweep is over before `add_trials` says so.
    pub fn expect_trials(&mut self) {
        self.expects_trials = true;
    }

    /// Every trial has its outcome, and it is for the caller to say which trials follow.
    pub fn awaits_trials(&self) -> bool {
        self.expects_trials && self.has_all_outcomes()
    }

    /// Takes in trials that follow, as they are recorded and without a lease, behind all others in
    /// the order of grants. None at all: the sweep is complete.
    pub fn add_trials(&mut self, trials: &[Trial], facts: &[TrialSpec]) {
        assert_eq!(trials.len(), facts.len(), "facts of each trial");
        self.expects_trials = !trials.is_empty();
        for (&trial, &facts) in trials.iter().zip(facts) {
            assert_ne!(trial.status, Status::Leased, "a new trial has no lease");
            let index = self.queue.extend();
            self.trials.push(trial);
            self.facts.push(facts);
            self.take_in(index);
        }
    }

    /// Takes in attempts of trials that follow, closed before this start.
    pub fn remember_closed(&mut self, closed: &BTreeMap<(TrialIndex, u32), u64>) {
        self.closed.extend(closed);
    }

    /// No worker holds a lease any more.
    pub fn is_quiet(&self) -> bool {
        self.fleet.n_leases() == 0
    }

    /// Every connected worker of another machine was told that there is nothing left to do.
    pub fn remotes_know_the_end(&self) -> bool {
        let knows = |w: &Worker| w.session.is_none() || w.is_local() || w.was_told_finished;
        self.fleet.iter().all(|(_, worker)| knows(worker))
    }

    pub fn trial(&self, trial: TrialIndex) -> &Trial {
        &self.trials[trial.index()]
    }

    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    pub fn workers(&self) -> impl Iterator<Item = (&WorkerId, &Worker)> {
        self.fleet.iter()
    }

    /// The workers with their indexes.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Recorded trials that are to be trained again and compared.
    pub fn audits(&self) -> &Audits {
        &self.audits
    }

    /// Which trials have a checkpoint to go on from.
    pub fn checkpoints(&self) -> &Checkpoints {
        &self.checkpoints
    }

    pub fn is_waiting(&self, trial: TrialIndex) -> bool {
        self.queue.contains(trial)
    }

    /// An attempt is no longer open; its outcome may still come.
    fn remember(&mut self, open: &OpenLease) {
        let Lease { trial, attempt, .. } = open.lease;
        self.closed.insert((trial, attempt), open.lease.seal(open.worker));
    }

    fn set_status(&mut self, trial: TrialIndex, status: Status) {
        let place = &mut self.trials[trial.index()].status;
        *self.counts.of(*place) -= 1;
        *place = status;
        *self.counts.of(status) += 1;
        if status.is_terminal() {
            self.checkpoints.forget_all(trial);
            self.stalls.remove(&trial);
        }
    }

    /// SplitMix64: cheap numbers that do not repeat within a term.
    fn draw(&mut self) -> u64 {
        self.n_drawn += 1;
        mix(self.config.seed.wrapping_add(self.n_drawn.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }
}

impl Counts {
    pub fn n_trials(&self) -> usize {
        self.n_ready + self.n_leased + self.n_completed + self.n_failed + self.n_cancelled
    }

    fn of(&mut self, status: Status) -> &mut usize {
        match status {
            Status::Ready => &mut self.n_ready,
            Status::Leased => &mut self.n_leased,
            Status::Completed { .. } => &mut self.n_completed,
            Status::Failed => &mut self.n_failed,
            Status::Cancelled => &mut self.n_cancelled,
        }
    }
}
