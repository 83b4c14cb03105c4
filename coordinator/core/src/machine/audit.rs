//! Audits in the machine: which recorded trials are due to be trained again, and how that ends.

use crate::event::{Action, Notice};
use crate::lease::TrialIndex;
use crate::ledger::trial::{FAILURE_LIMIT, Status};
use crate::limits::MAX_STALLED_AUDITS;
use crate::machine::Core;

impl Core {
    /// Has a trial trained again, if it is to be.
    pub(super) fn await_audit(&mut self, trial: TrialIndex) {
        if let Status::Completed { worker, .. } = self.trials[trial.index()].status
            && self.is_audit_due(trial)
        {
            self.audits.push(trial, worker);
        }
    }

    /// Worth training again: not compared yet, and not known to take workers down or to fail.
    pub(super) fn is_audit_due(&self, trial: TrialIndex) -> bool {
        let record = &self.trials[trial.index()];
        matches!(record.status, Status::Completed { .. })
            && self.facts[trial.index()].is_audited
            && !record.is_checked
            && !record.must_run_alone()
            && record.n_failures < FAILURE_LIMIT
            && !self.is_given_up
    }

    /// An attempt on a trial that has its outcome ended.
    pub(super) fn close_audit(&mut self, trial: TrialIndex, out: &mut Vec<Action>) {
        // A damaged record may leave an attempt open at a trial that was given up.
        if !self.audits.is_open(trial) {
            return;
        }
        let is_due = self.is_audit_due(trial) && self.n_taken_back(trial) < MAX_STALLED_AUDITS;
        self.audits.close(trial, is_due);
        let is_checked = self.trials[trial.index()].is_checked;
        self.counts.n_checked += usize::from(is_checked);
        if !is_due && !is_checked {
            out.push(Action::Publish(Notice::AuditGivenUp { trial }));
        }
    }
}
