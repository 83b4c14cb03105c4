//! The core: owns the state of every trial, lease and worker, and decides. `apply` takes one event
//! at one time and says what is to be recorded, answered and told. It never waits and never fails.

mod checkpoint;
mod grant;
mod outcome;
mod sync;

use std::collections::BTreeMap;

use crate::{
    checkpoints::Checkpoints,
    event::{Action, Call, CloseCause, Event, Join, Notice, Record, Reply},
    lease::{Lease, OpenLease, SessionId, TrialIndex, WorkerId},
    ledger::Ledger,
    limits::MAX_WORKERS,
    queue::Queue,
    time::Millis,
    trial::{Status, Trial},
    worker::{HeldLease, Worker},
};

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
}

#[derive(Clone, Debug)]
pub struct Core {
    config: Config,
    trials: Vec<Trial>,
    counts: Counts,
    queue: Queue,
    workers: BTreeMap<WorkerId, Worker>,
    sessions: BTreeMap<SessionId, WorkerId>,
    checkpoints: Checkpoints,
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
        order: &[TrialIndex],
        ledger: &Ledger,
        now: Millis,
        out: &mut Vec<Action>,
    ) -> Self {
        assert_eq!(order.len(), ledger.trials.len(), "the order names each trial once");
        let mut core = Self {
            config,
            trials: ledger.trials.clone(),
            counts: Counts::default(),
            queue: Queue::new(order),
            workers: BTreeMap::new(),
            sessions: BTreeMap::new(),
            checkpoints: Checkpoints::default(),
            is_stopping: false,
            is_given_up: false,
            expects_trials: false,
            n_failed_before: 0,
            n_drawn: 0,
        };
        for open in &ledger.open {
            core.restore_lease(open, now, out);
        }
        for index in 0..core.trials.len() {
            let trial = TrialIndex(u32::try_from(index).expect("plans are below 2^32 trials"));
            if core.trials[index].status == Status::Ready {
                core.queue.push(trial);
            }
            *core.counts.of(core.trials[index].status) += 1;
        }
        core.n_failed_before = core.counts.n_failed;
        core
    }

    fn restore_lease(&mut self, open: &OpenLease, now: Millis, out: &mut Vec<Action>) {
        let OpenLease { lease, worker, local, .. } = *open;
        if local {
            let (trial, attempt) = (lease.trial, lease.attempt);
            self.trials[trial.at()].status = Status::Ready;
            let cause = CloseCause::CoordinatorEnded;
            out.push(Action::Persist(Record::Closed { trial, attempt, cause }));
            return;
        }
        let deadline = now + self.config.lease_ttl_ms;
        let worker = self.workers.entry(worker).or_insert_with(|| Worker::new(deadline));
        worker.leases.insert(lease.trial, HeldLease::new(*open, 0));
    }

    pub fn apply(&mut self, now: Millis, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::Join { call, join } => self.join(now, call, join, out),
            Event::Sync { call, sync } => self.sync(now, call, sync, out),
            Event::CheckpointPublished { call, lease, checkpoint } => {
                self.checkpoint_published(call, lease, checkpoint, out);
            }
            Event::CheckpointFound { trial, checkpoint } => {
                self.checkpoint_found(trial, checkpoint);
            }
            Event::CheckpointBroken { trial, digest } => self.checkpoints.forget(trial, digest),
            Event::LocalEnded { local_index, expected } => {
                self.local_ended(local_index, expected, out);
            }
            Event::Stop => self.is_stopping = true,
            Event::Overslept => self.renew_all(now),
            Event::Tick => self.expire(now, out),
        }
        self.give_up_if_asked(out);
    }

    /// When `apply` wants to be called at the latest.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.workers.values().map(|w| w.deadline).min()
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Every trial has its outcome, and none follows.
    pub fn is_finished(&self) -> bool {
        !self.expects_trials && self.has_all_outcomes()
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
    pub fn add_trials(&mut self, trials: &[Trial]) {
        self.expects_trials = !trials.is_empty();
        for &trial in trials {
            assert_ne!(trial.status, Status::Leased, "a new trial has no lease");
            let index = self.queue.extend();
            if trial.status == Status::Ready {
                self.queue.push(index);
            }
            self.trials.push(trial);
            *self.counts.of(trial.status) += 1;
            self.n_failed_before += usize::from(trial.status == Status::Failed);
        }
    }

    /// No worker holds a lease any more.
    pub fn is_quiet(&self) -> bool {
        self.counts.n_leased == 0
    }

    /// Every connected worker of another machine was told that there is nothing left to do.
    pub fn remotes_know_the_end(&self) -> bool {
        self.workers.values().all(|w| w.session.is_none() || w.is_local() || w.was_told_finished)
    }

    pub fn trial(&self, trial: TrialIndex) -> &Trial {
        &self.trials[trial.at()]
    }

    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    pub fn workers(&self) -> impl Iterator<Item = (&WorkerId, &Worker)> {
        self.workers.iter()
    }

    /// Which trials have a checkpoint to go on from.
    pub fn checkpoints(&self) -> &Checkpoints {
        &self.checkpoints
    }

    pub fn is_waiting(&self, trial: TrialIndex) -> bool {
        self.queue.contains(trial)
    }

    fn join(&mut self, now: Millis, call: Call, join: Join, out: &mut Vec<Action>) {
        let id = join.worker;
        if MAX_WORKERS <= self.workers.len() && !self.workers.contains_key(&id) {
            out.push(Action::Reply(call, Reply::TooManyWorkers));
            return;
        }
        let session = SessionId(self.draw());
        let deadline = now + self.config.lease_ttl_ms;
        let mut worker = self.workers.remove(&id).unwrap_or_else(|| Worker::new(deadline));
        if let Some(former) = worker.session.replace(session) {
            self.sessions.remove(&former);
        }
        let kept: Vec<Lease> = join.held.into_iter().filter(|l| worker.holds(l)).collect();
        let dropped: Vec<HeldLease> = worker
            .leases
            .values()
            .filter(|held| !kept.contains(&held.open.lease))
            .copied()
            .collect();
        for held in worker.leases.values_mut() {
            held.granted_in_seq = 0;
        }
        worker.deadline = deadline;
        worker.was_told_finished = self.is_finished();
        worker.facts = Some(join.facts.clone());
        self.workers.insert(id, worker);
        self.sessions.insert(session, id);
        out.push(Action::Publish(Notice::WorkerJoined { name: join.facts.name.clone() }));
        out.push(Action::Persist(Record::WorkerJoined { worker: id, facts: join.facts }));
        for held in dropped {
            if join.continues {
                // The same process never learned of these grants.
                self.close(held.open.lease.trial, CloseCause::Released, out);
                self.queue.push(held.open.lease.trial);
            } else {
                self.lose_lease(id, held.open, out);
            }
        }
        let finished = self.is_finished();
        out.push(Action::Reply(call, Reply::Joined { session, kept, finished }));
    }

    fn local_ended(&mut self, local_index: u32, expected: bool, out: &mut Vec<Action>) {
        let of_this = |w: &Worker| {
            w.session.is_some()
                && w.facts.as_ref().is_some_and(|f| f.local_index == Some(local_index))
        };
        let ids: Vec<WorkerId> =
            self.workers.iter().filter(|(_, w)| of_this(w)).map(|(id, _)| *id).collect();
        for id in ids {
            if expected {
                self.release_all(id, out);
                self.forget(id);
            } else {
                self.lose_worker(id, out);
            }
        }
    }

    fn renew_all(&mut self, now: Millis) {
        for worker in self.workers.values_mut() {
            worker.deadline = now + self.config.lease_ttl_ms;
        }
    }

    fn expire(&mut self, now: Millis, out: &mut Vec<Action>) {
        let lost: Vec<WorkerId> =
            self.workers.iter().filter(|(_, w)| w.deadline <= now).map(|(id, _)| *id).collect();
        for id in lost {
            self.lose_worker(id, out);
        }
    }

    fn lose_worker(&mut self, id: WorkerId, out: &mut Vec<Action>) {
        let leases: Vec<OpenLease> =
            self.workers[&id].leases.values().map(|held| held.open).collect();
        if !leases.is_empty() {
            let name = self.workers[&id].name();
            out.push(Action::Publish(Notice::WorkerLost { name, n_trials: leases.len() }));
        }
        for open in leases {
            self.lose_lease(id, open, out);
        }
        self.forget(id);
    }

    fn release_all(&mut self, id: WorkerId, out: &mut Vec<Action>) {
        let leases: Vec<Lease> =
            self.workers[&id].leases.values().map(|held| held.open.lease).collect();
        for lease in leases {
            self.close(lease.trial, CloseCause::CoordinatorEnded, out);
            self.queue.push(lease.trial);
        }
    }

    fn forget(&mut self, id: WorkerId) {
        if let Some(session) = self.workers.remove(&id).and_then(|worker| worker.session) {
            self.sessions.remove(&session);
        }
    }

    fn give_up_if_asked(&mut self, out: &mut Vec<Action>) {
        let Some(limit) = self.config.max_failed else { return };
        let n_failed = self.counts.n_failed.saturating_sub(self.n_failed_before);
        if n_failed < limit as usize {
            return;
        }
        if !self.is_given_up {
            self.is_given_up = true;
            out.push(Action::Publish(Notice::GivenUp { n_failed }));
        }
        if self.counts.n_leased == 0 {
            let waiting: Vec<TrialIndex> = self.queue.iter().collect();
            for trial in waiting {
                self.queue.remove(trial);
                self.set_status(trial, Status::Cancelled);
                out.push(Action::Persist(Record::Cancelled { trial }));
            }
        }
    }

    fn set_status(&mut self, trial: TrialIndex, status: Status) {
        let place = &mut self.trials[trial.at()].status;
        *self.counts.of(*place) -= 1;
        *place = status;
        *self.counts.of(status) += 1;
        if status.is_terminal() {
            self.checkpoints.forget_all(trial);
        }
    }

    /// SplitMix64: cheap numbers that do not repeat within a term.
    fn draw(&mut self) -> u64 {
        self.n_drawn += 1;
        let mut z = self.config.seed.wrapping_add(self.n_drawn.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

impl Worker {
    /// Whether it holds this very lease.
    fn holds(&self, lease: &Lease) -> bool {
        self.leases.get(&lease.trial).is_some_and(|held| held.open.lease == *lease)
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
