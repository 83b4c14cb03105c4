//! Outcomes on their way from the slots into the spool.

use proto::{Finished, Lease, finished};
use tokio::time::Instant;
use tracing::info;
use trainer::wording::span_s;
use trainer::{Ending, TrialResult};

use crate::agent::{Job, Urgency};
use crate::faults;
use crate::link::convert;
use crate::logging::short_id::short_id;
use crate::session::state::{COLLECT_FOR, Session};
use crate::session::troubles::Kind;
use crate::slots::task::Outcome;

impl Session {
    pub(super) fn take_outcome(&mut self, job: Job, outcome: Outcome) {
        let Some(lease) = self.agent.ended(job) else { return };
        self.tell_outcome(&lease, &outcome);
        let Outcome { result, timings, .. } = outcome;
        self.has_result |= result.is_ok();
        let outcome = match result {
            Ok(result) => finished::Outcome::Result(convert::trial_result(&result)),
            Err(text) => finished::Outcome::Failure(text),
        };
        faults::point("worker.outcome.fresh");
        self.fresh.outcomes.push(Finished { lease: Some(lease), outcome: Some(outcome), timings });
        self.fresh.since.get_or_insert_with(Instant::now);
    }

    /// Fresh outcomes are written whether or not a call is under way, since a kill would lose them.
    pub(super) fn store_if_due(&mut self) {
        if self.store_at().is_some_and(|at| at <= Instant::now()) {
            self.store();
        }
    }

    /// At once, unless more are about to end that can share the write.
    pub(super) fn store_at(&self) -> Option<Instant> {
        let is_collecting = self.is_heard() && self.agent.urgency() == Urgency::Soon;
        self.fresh.since.map(|since| if is_collecting { since + COLLECT_FOR } else { since })
    }

    /// Puts fresh outcomes into the spool, all with one write, and what the disk refused before.
    pub(super) fn store(&mut self) {
        let was_full = self.spool.is_full();
        let written = match self.agent.state_id() {
            Some(state_id) if self.fresh.since.is_some() => {
                self.spool.append(state_id, std::mem::take(&mut self.fresh).outcomes)
            }
            _ => self.spool.save(),
        };
        match written {
            Err(error) => {
                let path = self.spool.path().display();
                let text = format!(
                    "cannot write {path}: {error}; outcomes stay in memory and no work is asked for until it can"
                );
                self.troubles.note(Kind::Spool, &text);
            }
            Ok(()) if self.spool.is_full() => {
                let text = format!(
                    "as many outcomes as may wait in {}: {}; no work is asked for until some are acknowledged",
                    self.spool.path().display(),
                    self.spool.len()
                );
                self.troubles.note(Kind::Spool, &text);
            }
            Ok(()) => {
                if was_full {
                    info!("the spool can be written again");
                }
                self.troubles.is_over(Kind::Spool);
            }
        }
    }

    /// What a worker without a coordinator leaves behind.
    pub(super) fn left(&self) -> String {
        if self.spool.len() == 0 {
            return "every outcome was handed in".into();
        }
        format!(
            "outcomes waiting in {}: {}; a worker with the same cache folder hands them in",
            self.spool.path().display(),
            self.spool.len()
        )
    }

    /// A grant that cannot be trained costs its coordinator nothing, so there may be many.
    fn tell_outcome(&self, lease: &Lease, outcome: &Outcome) {
        let trial = short_id(&lease.trial_id);
        let took = span_s(outcome.wall_s);
        match &outcome.result {
            Err(text) => {
                self.repeats.warn("failed trials", format!("trial {trial} failed: {text}"));
            }
            Ok(TrialResult { ending: Ending::Diverged { step, .. }, .. }) => {
                info!("trial {trial} diverged at step {step}, after {took}");
            }
            Ok(TrialResult { history, .. }) => {
                let best = history.iter().map(|epoch| epoch.valid_accuracy).fold(0.0, f64::max);
                info!("trial {trial} done: {:.2} % in {took}", 100.0 * best);
            }
        }
    }
}
