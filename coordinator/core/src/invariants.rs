//! What must hold of the core after every event. Tests and simulations call `check`; a violation
//! is a defect of the core, never of its input.

use std::collections::BTreeSet;

use crate::lease::{OpenLease, TrialIndex};
use crate::ledger::trial::Status;
use crate::limits::MAX_PREFETCH;
use crate::machine::Core;

impl Core {
    /// Panics with the first invariant that does not hold.
    pub fn check(&self) {
        self.fleet().check();
        self.check_workers();
        self.check_trials();
        self.check_entries();
    }

    fn check_workers(&self) {
        for (_, worker) in self.workers() {
            let has_suspect = worker.leases.values().any(|held| held.open.alone);
            assert!(!has_suspect || worker.leases.len() == 1, "a suspect shares its worker");
            assert!(worker.n_queued() <= MAX_PREFETCH, "a worker holds too much in advance");
        }
    }

    fn check_trials(&self) {
        let (mut n_leased, mut n_terminal, mut n_audits) = (0, 0, 0);
        for (index, trial) in (0..).map(TrialIndex).zip(self.trials()) {
            let open: Vec<OpenLease> = self.fleet().leases_of(index).collect();
            let attempts: BTreeSet<u32> = open.iter().map(|open| open.lease.attempt).collect();
            assert_eq!(attempts.len(), open.len(), "an attempt of trial {} is open twice", index.0);
            let is_granted =
                attempts.iter().all(|attempt| (1..=trial.n_attempts).contains(attempt));
            assert!(is_granted, "trial {} is leased by an attempt that was not granted", index.0);
            let n_max = match trial.status {
                Status::Leased => 2,
                Status::Completed { .. } => 1,
                Status::Ready | Status::Failed | Status::Cancelled => 0,
            };
            assert!(open.len() <= n_max, "trial {} is leased {} times", index.0, open.len());
            let is_leased = trial.status == Status::Leased;
            assert!(!is_leased || !open.is_empty(), "trial {} has lost its lease", index.0);
            let is_waiting = self.is_waiting(index);
            assert_eq!(
                is_waiting,
                trial.status == Status::Ready,
                "trial {} waits if ready",
                index.0
            );
            let is_audit = trial.status.is_terminal() && !open.is_empty();
            assert_eq!(
                is_audit,
                self.audits().is_open(index),
                "the audit of trial {} waits if open",
                index.0
            );
            n_leased += usize::from(is_leased);
            n_terminal += usize::from(trial.status.is_terminal());
            n_audits += usize::from(is_audit);
        }
        let counts = self.counts();
        assert_eq!(counts.n_trials(), self.trials().len());
        assert_eq!(counts.n_leased, n_leased);
        assert_eq!(counts.n_completed + counts.n_failed + counts.n_cancelled, n_terminal);
        assert!(n_audits <= self.audits().len());
        let n_checked = self.trials().iter().filter(|trial| trial.is_checked).count();
        assert_eq!(counts.n_checked, n_checked);
    }
}
