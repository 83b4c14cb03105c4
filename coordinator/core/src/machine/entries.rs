//! Entries: what the machine remembers of trials, attempts and workers beside their leases, and that
//! nothing of it outlives what it is about.

use crate::lease::TrialIndex;
use crate::ledger::trial::Status;
use crate::machine::Core;

impl Core {
    /// It is trained again to be compared, now or later.
    pub(super) fn has_audit(&self, trial: TrialIndex) -> bool {
        let is_due = match self.trials[trial.index()].status {
            Status::Completed { worker, .. } => self.audits.is_due(trial, worker),
            _ => false,
        };
        is_due || self.audits.is_open(trial)
    }

    /// A trial that nobody will train any more.
    fn is_over(&self, trial: TrialIndex) -> bool {
        self.trials[trial.index()].status.is_terminal() && !self.has_audit(trial)
    }

    /// Stalled attempts count until the trial's last attempt.
    pub(super) fn forget_stalls_if_over(&mut self, trial: TrialIndex) {
        if self.is_over(trial) {
            self.stalls.remove(&trial);
        }
    }

    /// Audits that wait are given up, and what they alone needed with them.
    pub(super) fn give_up_audits(&mut self) {
        self.audits.give_up();
        let stalled: Vec<TrialIndex> = self.stalls.keys().copied().collect();
        stalled.into_iter().for_each(|trial| self.forget_stalls_if_over(trial));
    }

    /// Panics if an entry has outlived what it is about.
    pub(crate) fn check_entries(&self) {
        for trial in self.checkpoints.trials() {
            let is_open = !self.trial(trial).status.is_terminal();
            assert!(is_open, "trial {} has its outcome and a checkpoint", trial.0);
            assert!(!self.checkpoints.of(trial).is_empty(), "an entry without a checkpoint");
        }
        for trial in self.stalls.keys() {
            assert!(!self.is_over(*trial), "trial {} is over and has stalls", trial.0);
        }
        for (trial, by) in self.audits.due() {
            let status = self.trial(trial).status;
            let is_by = matches!(status, Status::Completed { worker, .. } if worker == by);
            assert!(is_by && self.is_audit_due(trial), "an audit of trial {} is due", trial.0);
        }
        for (trial, attempt) in self.closed.keys() {
            let n_attempts = self.trial(*trial).n_attempts;
            assert!(*attempt <= n_attempts, "an attempt was closed and never granted");
            let mut open = self.fleet.leases_of(*trial);
            assert!(open.all(|open| open.lease.attempt != *attempt), "a closed attempt is open");
        }
        self.queue.check();
        self.former.check();
        let mut former = self.former.ids();
        assert!(former.all(|id| self.fleet.get(id).is_none()), "a former worker is there");
    }
}
