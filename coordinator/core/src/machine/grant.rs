//! Which waiting trials a worker with free slots gets.

use crate::{
    event::{Action, CloseCause, Record},
    lease::{Lease, OpenLease, TrialIndex, WorkerId},
    machine::Core,
    trial::Status,
    worker::HeldLease,
};

impl Core {
    /// Grants up to `n_free` trials. A suspect of lost workers goes to a worker that holds nothing
    /// else, and nothing is granted beside it.
    pub(super) fn grant(
        &mut self,
        id: WorkerId,
        seq: u64,
        n_free: u32,
        grants: &mut Vec<Lease>,
        out: &mut Vec<Action>,
    ) {
        if self.is_stopping || self.is_given_up {
            return;
        }
        for _ in 0..n_free {
            let Some(trial) = self.next_for(id) else { return };
            self.queue.remove(trial);
            let lease = self.lease(id, trial, seq, out);
            grants.push(lease);
        }
    }

    fn next_for(&self, id: WorkerId) -> Option<TrialIndex> {
        let worker = &self.workers[&id];
        if worker.trains_alone() {
            return None;
        }
        let is_idle = worker.leases.is_empty();
        self.queue.iter().find(|trial| is_idle || !self.trials[trial.at()].must_run_alone())
    }

    fn lease(&mut self, id: WorkerId, trial: TrialIndex, seq: u64, out: &mut Vec<Action>) -> Lease {
        let nonce = self.draw();
        self.set_status(trial, Status::Leased);
        let record = &mut self.trials[trial.at()];
        record.n_attempts += 1;
        let (attempt, alone) = (record.n_attempts, record.must_run_alone());
        let lease = Lease { trial, attempt, term: self.config.term, nonce };
        let worker = self.workers.get_mut(&id).expect("the caller found it");
        let open = OpenLease { lease, worker: id, alone, local: worker.is_local() };
        worker.leases.insert(trial, HeldLease::new(open, seq));
        out.push(Action::Persist(Record::Granted(open)));
        lease
    }

    /// Ends the open attempt of a trial without an outcome. The caller says what comes next.
    pub(super) fn close(&mut self, trial: TrialIndex, cause: CloseCause, out: &mut Vec<Action>) {
        let open = self.take_lease(trial).expect("only a leased trial is closed");
        self.trials[trial.at()].book(&cause);
        self.set_status(trial, Status::Ready);
        let attempt = open.lease.attempt;
        out.push(Action::Persist(Record::Closed { trial, attempt, cause }));
    }

    /// Takes a trial's open lease from whoever holds it.
    pub(super) fn take_lease(&mut self, trial: TrialIndex) -> Option<OpenLease> {
        self.workers.values_mut().find_map(|w| w.leases.remove(&trial)).map(|held| held.open)
    }

    /// A lost worker's trial is not a failed one: it goes to the back of the queue, and fails only
    /// after it took down too many workers that ran nothing else.
    pub(super) fn lose_lease(&mut self, id: WorkerId, open: OpenLease, out: &mut Vec<Action>) {
        debug_assert_eq!(open.worker, id, "a worker loses its own leases");
        let trial = open.lease.trial;
        let cause = if open.alone { CloseCause::LostAlone } else { CloseCause::Lost };
        self.close(trial, cause, out);
        let n_losses = self.trials[trial.at()].n_losses_alone;
        if n_losses < self.config.crash_limit {
            self.queue.push_back(trial);
            return;
        }
        let cause = format!("{n_losses} workers were lost while they trained this trial alone");
        self.fail(trial, cause, out);
    }

    pub(super) fn fail(&mut self, trial: TrialIndex, cause: String, out: &mut Vec<Action>) {
        self.set_status(trial, Status::Failed);
        out.push(Action::Persist(Record::Failed { trial, cause }));
    }
}
