//! A finished trial that a worker hands in: the first valid completion is recorded, every later
//! one is compared with it.

use trial::timing::{self, CLOCKS_APART, CLOCKS_APART_S};
use trial::{Digest, Ending, Timing, TrialResult};

use crate::event::{Action, CloseCause, Finished, Notice, Record, Verdict};
use crate::lease::{Lease, OpenLease, TrialIndex, WorkerId};
use crate::ledger::trial::Status;
use crate::machine::Core;
use crate::time::Millis;

impl Core {
    pub(super) fn finish(
        &mut self,
        now: Millis,
        id: WorkerId,
        finished: Finished,
        out: &mut Vec<Action>,
    ) -> Verdict {
        let Finished { lease, outcome, timings } = finished;
        if !self.was_granted_to(id, lease) {
            let name = self.fleet.worker(id).name();
            out.push(Action::Publish(Notice::Rejected { name, lease }));
            return Verdict::Rejected;
        }
        match (self.trials[lease.trial.index()].status, outcome) {
            (Status::Completed { digest, worker }, Ok(result)) => {
                self.compare(id, lease, (digest, worker), &result, out)
            }
            (Status::Ready | Status::Leased, Ok(result)) => {
                self.complete(now, id, lease, result, timings, out);
                Verdict::Recorded
            }
            (Status::Failed | Status::Cancelled, Ok(result)) => {
                // It was given up too early: what was trained counts.
                self.reopen(lease.trial, out);
                self.complete(now, id, lease, result, timings, out);
                Verdict::Recorded
            }
            (_, Err(cause)) => {
                let open = self.fleet.open_lease(&lease).filter(|open| open.worker == id);
                let Some(open) = open else { return Verdict::AlreadyRecorded };
                self.attempt_failed(now, &open, cause, out);
                Verdict::Recorded
            }
        }
    }

    /// Whether this very lease was this worker's, be it open or closed.
    pub(super) fn was_granted_to(&self, id: WorkerId, lease: Lease) -> bool {
        let mut open = self.fleet.leases_of(lease.trial);
        match open.find(|open| open.lease.attempt == lease.attempt) {
            Some(open) => open.lease == lease && open.worker == id,
            None => self.closed.get(&(lease.trial, lease.attempt)) == Some(&lease.seal(id)),
        }
    }

    /// A second result of a trial: an audit's, a speculative attempt's, or one that was sent before, which says nothing
    /// of its worker's health.
    fn compare(
        &mut self,
        id: WorkerId,
        lease: Lease,
        (recorded, by): (Digest, WorkerId),
        result: &TrialResult,
        out: &mut Vec<Action>,
    ) -> Verdict {
        let (trial, attempt, digest) = (lease.trial, lease.attempt, result.digest);
        let is_equal = digest == recorded;
        if is_equal {
            if self.fleet.open_lease(&lease).is_some() {
                self.fleet.change(id, |worker| worker.health.succeeded());
            }
        } else {
            out.push(Action::Persist(Record::Conflict { trial, attempt, digest }));
            let (name, is_its_own) = (self.fleet.worker(id).name(), id == by);
            out.push(Action::Publish(Notice::Conflict { name, trial, is_its_own }));
        }
        if let Some(open) = self.fleet.open_lease(&lease) {
            self.give_back(&open, CloseCause::Checked, out);
        }
        if is_equal { Verdict::AlreadyRecorded } else { Verdict::Conflict }
    }

    fn complete(
        &mut self,
        now: Millis,
        id: WorkerId,
        lease: Lease,
        result: Box<TrialResult>,
        timings: Vec<Timing>,
        out: &mut Vec<Action>,
    ) {
        let Lease { trial, attempt, .. } = lease;
        let timings = self.sound_timings(now, id, lease, timings, out);
        self.learn(now, id, lease, &result, &timings);
        let holders: Vec<OpenLease> = self.fleet.leases_of(trial).collect();
        if holders.is_empty() {
            self.queue.remove(trial);
        }
        for open in holders {
            self.fleet.take(&open);
            self.remember(&open);
            if open.lease != lease {
                let (cause, attempt) = (CloseCause::Superseded, open.lease.attempt);
                out.push(Action::Persist(Record::Closed { trial, attempt, cause }));
            }
        }
        self.set_status(trial, Status::Completed { digest: result.digest, worker: id });
        let record = Record::Completed { trial, attempt, worker: id, result, timings };
        out.push(Action::Persist(record));
        self.await_audit(trial);
    }

    /// The times of a result, with the name and the instruction set that its worker joined with; none if
    /// the attempt cannot have taken them. When a former coordinator granted it is not known here.
    fn sound_timings(
        &self,
        now: Millis,
        id: WorkerId,
        lease: Lease,
        mut timings: Vec<Timing>,
        out: &mut Vec<Action>,
    ) -> Vec<Timing> {
        let Lease { trial, attempt, term, .. } = lease;
        let worker = self.fleet.worker(id);
        let held = worker.leases.get(&trial).filter(|held| held.open.lease == lease);
        let granted = held.map_or(Millis::default(), |held| held.granted);
        let is_of_this_term = term == self.config.term;
        let granted_s = is_of_this_term.then(|| now.since(granted) as f64 / 1e3);
        let n_slots = worker.n_slots_most;
        if let Err(breach) = timing::check_attempt(&timings, attempt, granted_s, n_slots) {
            let name = worker.name();
            out.push(Action::Publish(Notice::TimesDropped { name, trial, breach }));
            return Vec::new();
        }
        let facts = worker.facts.as_ref();
        for timing in timings.iter_mut().filter(|timing| timing.attempt == attempt) {
            if let Some(facts) = facts {
                (timing.worker, timing.isa) = (facts.name.clone(), facts.isa.clone());
            }
        }
        timings
    }

    /// The worker is well, and how long it took tells how long the next ones may take: unless the
    /// trial stopped early or began elsewhere, or took longer than it was granted for.
    fn learn(
        &mut self,
        now: Millis,
        id: WorkerId,
        lease: Lease,
        result: &TrialResult,
        timings: &[Timing],
    ) {
        let is_whole = matches!(result.ending, Ending::Completed { .. })
            && !timings.is_empty()
            && timings.iter().all(|timing| timing.attempt == lease.attempt);
        let cost = self.cost(lease.trial);
        let wall_s: f64 = timings.iter().map(|timing| timing.wall_s).sum();
        let held = self.fleet.worker(id).leases.get(&lease.trial);
        let granted = held.filter(|held| held.open.lease == lease).map(|held| held.granted);
        let most_s = granted.map_or(0.0, |granted| {
            let granted_s = now.since(granted) as f64 / 1e3;
            CLOCKS_APART * granted_s + CLOCKS_APART_S
        });
        let is_whole = is_whole && wall_s <= most_s;
        if is_whole {
            self.pace.learn(cost, wall_s);
        }
        self.fleet.change(id, |worker| {
            worker.health.succeeded();
            if is_whole {
                worker.pace.learn(cost, wall_s);
            }
        });
    }

    fn reopen(&mut self, trial: TrialIndex, out: &mut Vec<Action>) {
        self.set_status(trial, Status::Ready);
        self.trials[trial.index()].reopen();
        self.queue.push(trial);
        out.push(Action::Persist(Record::Reopened { trial }));
    }
}
