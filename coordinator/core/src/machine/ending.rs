//! How attempts end: by a result, a failure, a loss, or handed back; and what that means for the
//! trial.

use crate::event::{Action, CloseCause, Notice, Record};
use crate::fleet::health::Diagnosis;
use crate::fleet::worker::Place;
use crate::lease::{OpenLease, TrialIndex, WorkerId};
use crate::ledger::trial::{FAILURE_LIMIT, Status};
use crate::limits::{MAX_CANCELLED_AT_ONCE, QUARANTINE_PATIENCE_MS};
use crate::machine::Core;
use crate::time::Millis;

impl Core {
    /// Ends an open attempt without an outcome. True if the trial now has neither an attempt nor an
    /// outcome, so that the caller must queue or fail it.
    pub(super) fn close(
        &mut self,
        open: &OpenLease,
        cause: CloseCause,
        out: &mut Vec<Action>,
    ) -> bool {
        let (trial, attempt) = (open.lease.trial, open.lease.attempt);
        self.fleet.take(open);
        self.remember(open);
        self.trials[trial.index()].book(&cause);
        out.push(Action::Persist(Record::Closed { trial, attempt, cause }));
        if self.trials[trial.index()].status != Status::Leased {
            self.close_audit(trial, out);
            self.forget_stalls_if_over(trial);
            return false;
        }
        let is_left = self.fleet.leases_of(trial).next().is_none();
        if is_left {
            self.set_status(trial, Status::Ready);
        }
        is_left
    }

    /// Nothing is charged to the trial; it waits at its place.
    pub(super) fn give_back(&mut self, open: &OpenLease, cause: CloseCause, out: &mut Vec<Action>) {
        if self.close(open, cause, out) {
            self.queue.push(open.lease.trial);
        }
    }

    /// A lost worker's trial is not a failed one: it goes to the back of the queue, and fails only
    /// after it took down too many workers that ran nothing else. One that waited there for a slot
    /// had no part in the loss.
    pub(super) fn lose_lease(
        &mut self,
        open: &OpenLease,
        how: Option<&str>,
        out: &mut Vec<Action>,
    ) {
        if self.fleet.place_of(open) == Place::Queue {
            return self.give_back(open, CloseCause::Released, out);
        }
        let trial = open.lease.trial;
        let cause = if open.alone { CloseCause::LostAlone } else { CloseCause::Lost };
        if !self.close(open, cause, out) {
            return;
        }
        let n_losses = self.trials[trial.index()].n_losses_alone;
        if n_losses < self.config.crash_limit {
            self.queue.push_back(trial);
            return;
        }
        let mut cause = match n_losses {
            1 => "1 worker was lost while it trained this trial alone".into(),
            n => format!("{n} workers were lost while they trained this trial alone"),
        };
        if let Some(how) = how {
            cause += &format!("; the last one ended: {how}");
        }
        self.fail(trial, cause, out);
    }

    /// A failure may be the machine's: the trial gets one more try, behind all others.
    pub(super) fn attempt_failed(
        &mut self,
        now: Millis,
        open: &OpenLease,
        cause: String,
        out: &mut Vec<Action>,
    ) {
        let trial = open.lease.trial;
        self.diagnose(now, open.worker, trial, out);
        if !self.close(open, CloseCause::Failed(cause.clone()), out) {
            return;
        }
        if self.trials[trial.index()].n_failures < FAILURE_LIMIT {
            self.queue.push_back(trial);
            out.push(Action::Publish(Notice::AttemptFailed { trial, cause }));
        } else {
            self.fail(trial, cause, out);
        }
    }

    fn diagnose(&mut self, now: Millis, id: WorkerId, trial: TrialIndex, out: &mut Vec<Action>) {
        let diagnosis = self.fleet.change(id, |worker| worker.health.failed(now, trial));
        self.tell_diagnosis(id, diagnosis, out);
    }

    pub(super) fn tell_diagnosis(&self, id: WorkerId, diagnosis: Diagnosis, out: &mut Vec<Action>) {
        let name = || self.fleet.worker(id).name();
        match diagnosis {
            Diagnosis::Healthy => {}
            Diagnosis::HeldBack { ms } => {
                out.push(Action::Publish(Notice::WorkerHeldBack { name: name(), ms }));
            }
            Diagnosis::Quarantined => {
                out.push(Action::Publish(Notice::WorkerQuarantined { name: name() }));
            }
        }
    }

    fn fail(&mut self, trial: TrialIndex, cause: String, out: &mut Vec<Action>) {
        self.set_status(trial, Status::Failed);
        out.push(Action::Persist(Record::Failed { trial, cause }));
    }

    /// At too many failures, or with nobody left to train, the rest is cancelled once what runs is
    /// finished.
    pub(super) fn give_up_if_hopeless(&mut self, now: Millis, out: &mut Vec<Action>) {
        let n_failed = self.counts.n_failed.saturating_sub(self.n_failed_before);
        let is_too_much = self.config.max_failed.is_some_and(|limit| limit as usize <= n_failed);
        let is_deserted = self.deserted_at().is_some_and(|at| at <= now);
        if !self.is_given_up && (is_too_much || is_deserted) {
            self.is_given_up = true;
            self.give_up_audits();
            let notice =
                if is_too_much { Notice::GivenUp { n_failed } } else { Notice::AllQuarantined };
            out.push(Action::Publish(notice));
        }
        if self.is_given_up {
            self.take_back_what_stalls(now, out);
        }
        if self.is_cancelling() {
            let waiting: Vec<TrialIndex> = self.queue.iter().take(MAX_CANCELLED_AT_ONCE).collect();
            for trial in waiting {
                self.queue.remove(trial);
                self.set_status(trial, Status::Cancelled);
                out.push(Action::Persist(Record::Cancelled { trial }));
            }
        }
    }

    /// Trials wait to be cancelled.
    pub(super) fn is_cancelling(&self) -> bool {
        self.is_given_up && self.counts.n_leased == 0 && !self.queue.is_empty()
    }

    /// Notes since when every worker is in quarantine while there is something to train.
    pub(super) fn watch_quarantine(&mut self, now: Millis) {
        let load = self.fleet.load();
        let is_deserted = 0 < load.n_present && load.n_present == load.n_quarantined;
        self.deserted_since = match is_deserted && !self.is_finished() {
            true => self.deserted_since.or(Some(now)),
            false => None,
        };
    }

    /// When patience with a fleet in quarantine ends; it ends once.
    pub(super) fn deserted_at(&self) -> Option<Millis> {
        let since = self.deserted_since.filter(|_| !self.is_given_up);
        since.map(|since| since + QUARANTINE_PATIENCE_MS)
    }
}
