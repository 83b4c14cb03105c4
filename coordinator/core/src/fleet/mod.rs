//! The fleet: every worker that is connected or expected back, with the indexes that make each
//! question about them cheap however many there are. All changes go through it.

pub mod former;
pub mod health;
pub mod pace;
pub mod worker;

use std::collections::{BTreeMap, BTreeSet};

use crate::event::Running;
use crate::lease::{Lease, OpenLease, SessionId, TrialIndex, WorkerId};
use crate::time::Millis;
use health::Diagnosis;
use worker::{HeldLease, Hindrance, Load, Place, Worker};

#[derive(Clone, Debug, Default)]
pub struct Fleet {
    workers: BTreeMap<WorkerId, Worker>,
    sessions: BTreeMap<SessionId, WorkerId>,
    deadlines: BTreeSet<(Millis, WorkerId)>,
    holders: BTreeSet<(TrialIndex, WorkerId)>,
    /// Trials with two open leases: the second is a speculative attempt.
    speculated: BTreeSet<TrialIndex>,
    /// What did not get on when its worker last spoke, the worst first and of these the longest.
    troubled: BTreeSet<(Hindrance, Millis, TrialIndex, WorkerId)>,
    /// Queued leases that were asked back and are still there.
    withdrawn: BTreeSet<(WorkerId, TrialIndex)>,
    /// Leases for free slots that are not said to run, the one that was granted first at the head.
    unbegun: BTreeSet<(Millis, TrialIndex, WorkerId)>,
    load: Load,
}

impl Fleet {
    pub fn len(&self) -> usize {
        self.workers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&WorkerId, &Worker)> {
        self.workers.iter()
    }

    pub fn get(&self, id: WorkerId) -> Option<&Worker> {
        self.workers.get(&id)
    }

    /// A worker that the caller knows to be there.
    pub fn worker(&self, id: WorkerId) -> &Worker {
        &self.workers[&id]
    }

    pub fn of_session(&self, session: SessionId) -> Option<WorkerId> {
        self.sessions.get(&session).copied()
    }

    /// The load of all workers together.
    pub fn load(&self) -> Load {
        self.load
    }

    /// Another worker than this one takes trials.
    pub fn has_other_than(&self, id: WorkerId) -> bool {
        let own = self.get(id).map_or(0, |worker| worker.load().n_able);
        own < self.load.n_able
    }

    pub fn first_deadline(&self) -> Option<Millis> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Workers that were silent for too long.
    pub fn overdue(&self, now: Millis) -> Vec<WorkerId> {
        self.deadlines.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| *id).collect()
    }

    pub fn add(&mut self, id: WorkerId, worker: Worker) {
        self.deadlines.insert((worker.deadline, id));
        self.load.add(worker.load());
        let former = self.workers.insert(id, worker);
        assert!(former.is_none(), "a worker is added once");
    }

    /// Opens a session and ends the former one.
    pub fn open_session(&mut self, id: WorkerId, session: SessionId) {
        if let Some(former) = self.change(id, |worker| worker.session.replace(session)) {
            self.sessions.remove(&former);
        }
        self.sessions.insert(session, id);
    }

    /// Changes a worker in anything but its session and its leases.
    pub fn change<T>(&mut self, id: WorkerId, change: impl FnOnce(&mut Worker) -> T) -> T {
        let worker = self.workers.get_mut(&id).expect("the caller found it");
        self.load.subtract(worker.load());
        let former = worker.deadline;
        let value = change(worker);
        if worker.deadline != former {
            self.deadlines.remove(&(former, id));
            self.deadlines.insert((worker.deadline, id));
        }
        self.load.add(worker.load());
        value
    }

    /// Forgets a worker that holds nothing.
    pub fn forget(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.remove(&id) else { return };
        assert!(worker.leases.is_empty(), "a worker that holds leases is forgotten");
        self.load.subtract(worker.load());
        self.deadlines.remove(&(worker.deadline, id));
        if let Some(session) = worker.session {
            self.sessions.remove(&session);
        }
    }

    /// Open leases of a trial: none, one, or two while a speculative attempt runs.
    pub fn leases_of(&self, trial: TrialIndex) -> impl Iterator<Item = OpenLease> + '_ {
        let (first, last) = (WorkerId([0; 16]), WorkerId([255; 16]));
        let holders = self.holders.range((trial, first)..=(trial, last));
        holders.map(move |(_, id)| self.workers[id].leases[&trial].open)
    }

    pub fn open_lease(&self, lease: &Lease) -> Option<OpenLease> {
        self.leases_of(lease.trial).find(|open| open.lease == *lease)
    }

    /// Where the trial of an open lease is on its worker.
    pub fn place_of(&self, open: &OpenLease) -> Place {
        self.worker(open.worker).leases[&open.lease.trial].place
    }

    pub fn n_leases(&self) -> usize {
        self.holders.len()
    }

    pub fn n_copies(&self) -> usize {
        self.speculated.len()
    }

    pub fn has_speculation(&self, trial: TrialIndex) -> bool {
        self.speculated.contains(&trial)
    }

    /// What did not get on when its worker last spoke: the worst first and of these the longest.
    pub fn troubled(&self) -> impl Iterator<Item = &HeldLease> + '_ {
        self.troubled.iter().map(|(_, _, trial, id)| &self.workers[id].leases[trial])
    }

    /// Notes whether a lease that its worker trains gets on.
    pub fn note_hindrance(
        &mut self,
        at: Millis,
        id: WorkerId,
        trial: TrialIndex,
        now: Option<Hindrance>,
    ) {
        let worker = self.workers.get_mut(&id).expect("the caller found it");
        let held = worker.leases.get_mut(&trial).expect("the caller found it");
        let former = std::mem::replace(&mut held.hindrance, now);
        held.hindered = now.map(|_| held.hindered.unwrap_or(at));
        let Some(started) = held.started.filter(|_| former != now) else { return };
        if let Some(former) = former {
            self.troubled.remove(&(former, started, trial, id));
        }
        if let Some(now) = now {
            self.troubled.insert((now, started, trial, id));
        }
    }

    /// A trial of the worker does not get on, which it is charged for this once.
    pub fn charge_stalled(&mut self, now: Millis, id: WorkerId, trial: TrialIndex) -> Diagnosis {
        self.change(id, |worker| {
            if let Some(held) = worker.leases.get_mut(&trial) {
                held.is_charged = true;
            }
            worker.health.stalled(now)
        })
    }

    /// Gives a worker a lease on a trial that it does not hold.
    pub fn hold(&mut self, held: HeldLease) {
        let (id, trial) = (held.open.worker, held.open.lease.trial);
        let is_copy = self.leases_of(trial).next().is_some();
        if held.place == Place::Slot && held.started.is_none() {
            self.unbegun.insert((held.granted, trial, id));
        }
        let former = self.change(id, |worker| worker.leases.insert(trial, held));
        assert!(former.is_none(), "trial {} is leased twice to a worker", trial.0);
        self.holders.insert((trial, id));
        if is_copy {
            assert!(self.speculated.insert(trial), "trial {} is leased to three", trial.0);
        }
    }

    /// Takes a lease away.
    pub fn take(&mut self, open: &OpenLease) {
        let (id, trial) = (open.worker, open.lease.trial);
        let held = self.change(id, |worker| worker.leases.remove(&trial));
        let held = held.expect("only an open lease is taken");
        self.holders.remove(&(trial, id));
        self.speculated.remove(&trial);
        self.withdrawn.remove(&(id, trial));
        self.unbegun.remove(&(held.granted, trial, id));
        if let (Some(hindrance), Some(started)) = (held.hindrance, held.started) {
            self.troubled.remove(&(hindrance, started, trial, id));
        }
    }

    /// The worker trains a trial that it holds; if it was asked back, it no longer is.
    pub fn note_progress(&mut self, now: Millis, id: WorkerId, report: &Running) {
        let trial = report.lease.trial;
        let worker = self.workers.get_mut(&id).expect("the caller found it");
        let held = worker.leases.get_mut(&trial).expect("the caller found it");
        if held.take_in(now, report) {
            self.withdrawn.remove(&(id, trial));
            self.unbegun.remove(&(held.granted, trial, id));
        }
    }

    /// Notes that a queued lease is asked back.
    pub fn withdraw(&mut self, open: &OpenLease) {
        self.withdrawn.insert((open.worker, open.lease.trial));
    }

    pub fn is_withdrawn(&self, open: &OpenLease) -> bool {
        self.withdrawn.contains(&(open.worker, open.lease.trial))
    }

    pub fn withdrawn_of(&self, id: WorkerId) -> impl Iterator<Item = TrialIndex> + '_ {
        let (first, last) = (TrialIndex(0), TrialIndex(u32::MAX));
        self.withdrawn.range((id, first)..=(id, last)).map(|(_, trial)| *trial)
    }

    /// All of them.
    pub fn withdrawn(&self) -> impl Iterator<Item = &HeldLease> + '_ {
        self.withdrawn.iter().map(|(id, trial)| &self.workers[id].leases[trial])
    }

    /// Leases for free slots that are not said to run, the one that was granted first at the head.
    pub fn unbegun(&self) -> impl Iterator<Item = &HeldLease> + '_ {
        self.unbegun.iter().map(|(_, trial, id)| &self.workers[id].leases[trial])
    }

    pub fn n_withdrawn(&self) -> usize {
        self.withdrawn.len()
    }

    /// Panics unless every index says what the workers themselves say.
    pub fn check(&self) {
        let mut load = Load::default();
        let mut leases = Vec::new();
        for (id, worker) in &self.workers {
            load.add(worker.load());
            assert!(self.deadlines.contains(&(worker.deadline, *id)));
            assert!(worker.session.is_none_or(|session| self.of_session(session) == Some(*id)));
            for (trial, held) in &worker.leases {
                assert_eq!(held.open.lease.trial, *trial, "a lease lies under its trial");
                assert_eq!(held.open.worker, *id, "a lease lies with its worker");
                let is_withdrawn = self.withdrawn.contains(&(*id, *trial));
                assert!(held.started.is_none() || !is_withdrawn);
                leases.push((*trial, *id));
                let is_unbegun = self.unbegun.contains(&(held.granted, *trial, *id));
                assert_eq!(is_unbegun, held.place == Place::Slot && held.started.is_none());
                if let (Some(hindrance), Some(started)) = (held.hindrance, held.started) {
                    assert!(self.troubled.contains(&(hindrance, started, *trial, *id)));
                }
            }
        }
        leases.sort_unstable();
        assert_eq!(load, self.load);
        assert_eq!(self.deadlines.len(), self.workers.len());
        assert!(self.holders.iter().eq(&leases), "holders");
        let twins = leases.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[0].0);
        assert!(twins.eq(self.speculated.iter().copied()), "speculative attempts");
        let n_sessions = self.workers.values().filter(|w| w.session.is_some()).count();
        assert_eq!(n_sessions, self.sessions.len());
        let held = self.workers.values().flat_map(|w| w.leases.values());
        assert_eq!(held.filter(|held| held.hindrance.is_some()).count(), self.troubled.len());
        assert!(self.unbegun().all(|held| held.started.is_none()), "unbegun");
        assert!(self.withdrawn.iter().all(|(id, trial)| self.holders.contains(&(*trial, *id))));
    }
}

impl Load {
    fn add(&mut self, other: Self) {
        self.n_able += other.n_able;
        self.n_steady += other.n_steady;
        self.n_proven += other.n_proven;
        self.n_slots += other.n_slots;
        self.n_free_slots += other.n_free_slots;
        self.n_queued += other.n_queued;
        self.n_present += other.n_present;
        self.n_quarantined += other.n_quarantined;
    }

    fn subtract(&mut self, other: Self) {
        self.n_able -= other.n_able;
        self.n_steady -= other.n_steady;
        self.n_proven -= other.n_proven;
        self.n_slots -= other.n_slots;
        self.n_free_slots -= other.n_free_slots;
        self.n_queued -= other.n_queued;
        self.n_present -= other.n_present;
        self.n_quarantined -= other.n_quarantined;
    }
}
