//! The words of what the core notices.

use std::time::Duration;

use coordinator_core::event::{Notice, Remedy};
use coordinator_core::lease::TrialIndex;

use super::Observer;
use crate::duration::rounded;
use crate::view::terminal::n_of;
use crate::view::warn;

/// Trials whose first conflict gets a line of its own.
const MAX_CONFLICTS_TOLD: usize = 20;

impl Observer {
    pub fn noticed(&mut self, notice: &Notice) {
        match notice {
            Notice::WorkerJoined { name } => tracing::info!(worker = name, "worker joined"),
            Notice::WorkerLost { name, n_trials } => {
                self.repeats.warn(
                    "lost workers",
                    format!(
                        "worker lost; what it had goes to others: {name}, with {}",
                        n_of(*n_trials, "trial")
                    ),
                );
            }
            Notice::AttemptFailed { trial, cause } => {
                let label = self.label(*trial);
                self.repeats.warn(
                    "failed attempts",
                    format!("a trial failed; trying it again: {label}: {cause}"),
                );
            }
            Notice::Conflict { name, trial, is_its_own } => {
                self.conflict(name, *trial, *is_its_own);
            }
            Notice::Rejected { name, lease } => {
                let id = self.plan.trials[lease.trial.index()].id;
                let (attempt, term) = (lease.attempt, lease.term);
                self.repeats.warn(
                    "rejected outcomes",
                    format!("rejected an outcome of worker {name}: attempt {attempt} at trial {id} was not granted in term {term} with this nonce"),
                );
            }
            Notice::JoinRefused { name, living } => self.repeats.warn(
                "workers of one id",
                format!("worker {name} may not join: worker {living} has the same id and is at work; a copied cache folder needs another id (--cache-dir)"),
            ),
            Notice::TimesDropped { name, trial, breach } => self.repeats.warn(
                "times that are dropped",
                format!("the times of {} are dropped, its result is kept: {breach}; the clock or the build of worker {name} is broken", self.label(*trial)),
            ),
            Notice::TakenOver { worker, trial, remedy, trained_ms, silent_ms } => {
                self.taken_over(worker, *trial, remedy, [*trained_ms, *silent_ms]);
            }
            Notice::WorkerHeldBack { name, ms } => {
                let pause = rounded(Duration::from_millis(*ms));
                self.repeats.warn(
                    "workers held back",
                    format!("trial after trial fails on worker {name}, is lost with it, handed back, not begun or does not get on; it gets none for {pause}"),
                );
            }
            Notice::WorkerQuarantined { name } => warn(&format!(
                "worker {name} fails trial after trial, or is lost with them, and gets no more; its log says why, and it may come back once it was started anew"
            )),
            Notice::AllQuarantined => warn(
                "giving up: every worker fails trial after trial; the rest is cancelled, and the same command runs it again",
            ),
            Notice::AuditGivenUp { trial } => tracing::warn!(
                trial = self.label(*trial),
                "the audit of a trial is given up; its result stands unchecked"
            ),
            Notice::GivenUp { n_failed } => warn(&format!(
                "giving up: {} failed; running ones are finished, the rest is cancelled",
                n_of(*n_failed, "trial")
            )),
        }
    }

    fn taken_over(&mut self, worker: &str, trial: TrialIndex, remedy: &Remedy, ms: [u64; 2]) {
        let (kind, what) = match remedy {
            Remedy::Speculate => ("second attempts", "a second attempt begins in an idle slot"),
            Remedy::TakeBack => ("taken back", "it is taken back for an idle slot"),
        };
        let [trained, silent] = ms.map(|ms| rounded(Duration::from_millis(ms)));
        let label = self.label(trial);
        self.repeats.warn(
            kind,
            format!("a trial does not get on; {what}: {label} on worker {worker}, trained for {trained}, silent for {silent}"),
        );
    }

    fn conflict(&mut self, name: &str, trial: TrialIndex, is_its_own: bool) {
        let label = self.label(trial);
        let text = match is_its_own {
            true => format!(
                "conflict: worker {name} handed in {label} twice and got other bits; its machine or its build is broken (the first result stays)"
            ),
            false => format!(
                "conflict: two workers trained {label} and got other bits; a machine or a build is broken, the second one is {name} (the first result stays)"
            ),
        };
        let is_told_apart = self.conflicts_told.len() < MAX_CONFLICTS_TOLD;
        if is_told_apart && self.conflicts_told.insert(trial) {
            warn(&text);
        } else {
            self.repeats.warn("conflicts", text);
        }
    }
}
