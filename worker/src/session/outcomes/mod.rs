//! Outcomes as the slots tell them, and what is said of them.

mod storing;

use proto::{Finished, Lease, finished};
use tokio::time::Instant;
use tracing::info;
use trial::known::VALID_ACCURACY;
use trial::wording::{n_of, span_s};
use trial::{Ending, TrialResult};

use crate::agent::Job;
use crate::logging::short_id::short_id;
use crate::programs::events::Outcome;
use crate::session::state::Session;

impl Session {
    pub(in crate::session) fn take_outcome(&mut self, job: Job, outcome: Outcome) {
        let Some(lease) = self.agent.ended(job) else { return };
        self.tell_outcome(&lease, &outcome);
        let Outcome { result, timings, .. } = outcome;
        self.has_result |= result.is_ok();
        let outcome = match result {
            Ok(result) => finished::Outcome::Result((&result).into()),
            Err(text) => finished::Outcome::Failure(text),
        };
        faults::point("worker.outcome.fresh");
        // A lease is one of a state.
        let Some(state_id) = self.agent.state_id() else { return };
        let timings = timings.iter().map(Into::into).collect();
        let finished = Finished { lease: Some(lease), outcome: Some(outcome), timings };
        self.spool.take_in(state_id, vec![finished]);
        self.storing.fresh_since.get_or_insert_with(Instant::now);
    }

    /// What a worker without a coordinator leaves behind.
    pub(in crate::session) fn left(&self) -> String {
        if self.spool.len() == 0 {
            return "every outcome was handed in".into();
        }
        if self.spool.has_unsaved() {
            return format!(
                "{} of {} could not be written to {} and is lost; the trials are trained again",
                self.spool.n_unsaved(),
                n_of(self.spool.len(), "outcome"),
                self.spool.path().display(),
            );
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
                let best = history.iter().map(|epoch| epoch[VALID_ACCURACY]).fold(0.0, f64::max);
                info!("trial {trial} done: {:.2} % in {took}", 100.0 * best);
            }
        }
    }
}
