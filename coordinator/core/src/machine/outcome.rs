//! A finished trial that a worker hands in: the first valid completion is recorded, every later
//! one is compared with it.

use crate::{
    event::{Action, CloseCause, Finished, Notice, Record, Timing, Verdict},
    lease::{Lease, TrialIndex, WorkerId},
    machine::Core,
    trial::{FAILURE_LIMIT, Status},
};

impl Core {
    pub(super) fn finish(
        &mut self,
        id: WorkerId,
        finished: Finished,
        out: &mut Vec<Action>,
    ) -> Verdict {
        let Finished { lease, outcome, timings } = finished;
        if !self.was_granted(lease) {
            return Verdict::Rejected;
        }
        match (self.trials[lease.trial.at()].status, outcome) {
            (Status::Completed { digest }, Ok(result)) if digest != result.digest => {
                let (trial, attempt) = (lease.trial, lease.attempt);
                let digest = result.digest;
                out.push(Action::Persist(Record::Conflict { trial, attempt, digest }));
                out.push(Action::Publish(Notice::Conflict { trial }));
                Verdict::Conflict
            }
            (Status::Ready | Status::Leased, Ok(result)) => {
                self.complete(lease, result, timings, out);
                Verdict::Recorded
            }
            (Status::Failed | Status::Cancelled, Ok(result)) => {
                // It was given up too early: what was trained counts.
                self.reopen(lease.trial, out);
                self.complete(lease, result, timings, out);
                Verdict::Recorded
            }
            (Status::Leased, Err(cause)) if self.workers[&id].holds(&lease) => {
                self.attempt_failed(lease, cause, out);
                Verdict::Recorded
            }
            _ => Verdict::AlreadyRecorded,
        }
    }

    fn was_granted(&self, lease: Lease) -> bool {
        let Some(trial) = self.trials.get(lease.trial.at()) else { return false };
        let open = self.workers.values().find_map(|w| w.leases.get(&lease.trial));
        let is_forged = open.is_some_and(|held| {
            held.open.lease.attempt == lease.attempt && held.open.lease != lease
        });
        1 <= lease.attempt
            && lease.attempt <= trial.n_attempts
            && lease.term <= self.config.term
            && !is_forged
    }

    fn complete(
        &mut self,
        lease: Lease,
        result: Box<trainer::TrialResult>,
        timings: Vec<Timing>,
        out: &mut Vec<Action>,
    ) {
        let Lease { trial, attempt, .. } = lease;
        match self.take_lease(trial) {
            None => self.queue.remove(trial),
            Some(open) if open.lease != lease => {
                let cause = CloseCause::Superseded;
                let attempt = open.lease.attempt;
                out.push(Action::Persist(Record::Closed { trial, attempt, cause }));
            }
            Some(_) => {}
        }
        self.set_status(trial, Status::Completed { digest: result.digest });
        out.push(Action::Persist(Record::Completed { trial, attempt, result, timings }));
    }

    fn reopen(&mut self, trial: TrialIndex, out: &mut Vec<Action>) {
        self.set_status(trial, Status::Ready);
        self.trials[trial.at()].reopen();
        self.queue.push(trial);
        out.push(Action::Persist(Record::Reopened { trial }));
    }

    /// A failure may be the machine's: the trial gets one more try, behind all others.
    fn attempt_failed(&mut self, lease: Lease, cause: String, out: &mut Vec<Action>) {
        let trial = lease.trial;
        self.close(trial, CloseCause::Failed(cause.clone()), out);
        if self.trials[trial.at()].n_failures < FAILURE_LIMIT {
            self.queue.push_back(trial);
            out.push(Action::Publish(Notice::AttemptFailed { trial, cause }));
        } else {
            self.fail(trial, cause, out);
        }
    }
}
