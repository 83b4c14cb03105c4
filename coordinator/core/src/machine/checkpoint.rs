//! Checkpoints of trials that have no outcome yet: only the holder of a trial's lease may publish one.

use crate::event::{Action, Call, Reply};
use crate::lease::{Lease, TrialIndex, WorkerId};
use crate::ledger::checkpoints::Checkpoint;
use crate::machine::Core;

impl Core {
    /// Nothing is to be kept for a stale lease or of a trial that has its outcome.
    pub(super) fn checkpoint_offered(
        &mut self,
        call: Call<Option<WorkerId>>,
        lease: Lease,
        out: &mut Vec<Action>,
    ) {
        let is_over = self.trials[lease.trial.index()].status.is_terminal();
        let worker = self.publisher(&lease).filter(|_| !is_over);
        out.push(Action::Reply(Reply::Permit(call, worker)));
    }

    /// The worker that holds the lease.
    fn publisher(&self, lease: &Lease) -> Option<WorkerId> {
        self.fleet.open_lease(lease).map(|open| open.worker)
    }

    /// Answers what is kept of the trial, with the new one or, for a stale lease, without.
    pub(super) fn checkpoint_published(
        &mut self,
        call: Call<Vec<Checkpoint>>,
        lease: Lease,
        checkpoint: Checkpoint,
        out: &mut Vec<Action>,
    ) {
        if self.publisher(&lease).is_some() {
            self.checkpoint_found(lease.trial, checkpoint);
        }
        let kept = self.checkpoints.of(lease.trial).to_vec();
        out.push(Action::Reply(Reply::Checkpoints(call, kept)));
    }

    pub(super) fn checkpoint_found(&mut self, trial: TrialIndex, checkpoint: Checkpoint) {
        if !self.trials[trial.index()].status.is_terminal() {
            self.checkpoints.add(trial, checkpoint);
        }
    }
}
