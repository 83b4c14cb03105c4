//! What must hold of the core after every event. Tests and simulations call `check`; a violation
//! is a defect of the core, never of its input.

use std::collections::BTreeSet;

use crate::{lease::TrialIndex, machine::Core, trial::Status};

impl Core {
    /// Panics with the first invariant that does not hold.
    pub fn check(&self) {
        let mut held = BTreeSet::new();
        for (id, worker) in self.workers() {
            for (trial, lease) in &worker.leases {
                assert!(held.insert(*trial), "trial {} is leased twice", trial.0);
                assert_eq!(lease.open.lease.trial, *trial, "a lease lies under its trial");
                assert_eq!(lease.open.worker, *id, "a lease lies with its worker");
                let n_attempts = self.trial(*trial).n_attempts;
                assert_eq!(lease.open.lease.attempt, n_attempts, "the open attempt is the last");
            }
            let is_alone = worker.leases.len() == 1;
            assert!(!worker.trains_alone() || is_alone, "a suspect shares its worker");
        }
        let mut n_terminal = 0;
        for (index, trial) in (0..).zip(self.trials()) {
            let index = TrialIndex(index);
            let is_leased = held.contains(&index);
            let is_waiting = self.is_waiting(index);
            assert_eq!(is_leased, trial.status == Status::Leased, "trial {}", index.0);
            assert_eq!(is_waiting, trial.status == Status::Ready, "trial {}", index.0);
            n_terminal += usize::from(trial.status.is_terminal());
        }
        for trial in self.checkpoints().trials() {
            let is_open = !self.trial(trial).status.is_terminal();
            assert!(is_open, "trial {} has its outcome and a checkpoint", trial.0);
        }
        let counts = self.counts();
        assert_eq!(counts.n_trials(), self.trials().len());
        assert_eq!(counts.n_leased, held.len());
        assert_eq!(counts.n_completed + counts.n_failed + counts.n_cancelled, n_terminal);
    }
}
