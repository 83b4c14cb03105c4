//! Outcomes that fit into a call: whatever a trial gives can be handed in, whoever trained its epochs.

use std::borrow::Borrow;
use std::ops::Deref;

use prost::Message as _;
use proto::text::{clean_line, clean_lines};
use proto::{Finished, Lease, MAX_NAME_BYTES, MAX_TEXT_BYTES, finished};
use tracing::warn;

use crate::logging::short_id::short_id;

/// An outcome that a call has room for. Whatever may be in memory or in a file, nothing else is handed
/// in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fitted(Finished);

impl Fitted {
    /// Cuts texts of any length, as the coordinator would. With them every result fits; whatever else may
    /// have come with it, the result is worth more than the times. The error is what no call has room for
    /// even so.
    pub(crate) fn new(mut finished: Finished) -> Result<Self, Box<Finished>> {
        if let Some(finished::Outcome::Failure(text)) = &mut finished.outcome {
            *text = clean_lines(text, MAX_TEXT_BYTES);
        }
        for timing in &mut finished.timings {
            timing.worker = clean_line(&timing.worker, MAX_NAME_BYTES);
            timing.isa = clean_line(&timing.isa, MAX_NAME_BYTES);
        }
        if fits(&finished) {
            return Ok(Self(finished));
        }
        let timings = std::mem::take(&mut finished.timings);
        if !fits(&finished) {
            return Err(Box::new(Finished { timings, ..finished }));
        }
        warn!(
            "trial {}: its outcome exceeds {} bytes, so the times of its epochs are left out",
            trial_of(&finished),
            proto::MAX_OUTCOME_BYTES
        );
        Ok(Self(finished))
    }

    /// The failure of what has no other outcome.
    pub(crate) fn failure(lease: Option<Lease>, text: &str) -> Self {
        let text = clean_lines(text, MAX_TEXT_BYTES);
        let outcome = Some(finished::Outcome::Failure(text));
        Self(Finished { lease, outcome, timings: vec![] })
    }
}

impl Deref for Fitted {
    type Target = Finished;

    fn deref(&self) -> &Finished {
        &self.0
    }
}

impl Borrow<Finished> for Fitted {
    fn borrow(&self) -> &Finished {
        &self.0
    }
}

fn fits(finished: &Finished) -> bool {
    finished.encoded_len() <= proto::MAX_OUTCOME_BYTES
}

/// How log lines name its trial.
pub(crate) fn trial_of(finished: &Finished) -> String {
    short_id(finished.lease.as_ref().map_or(&[], |lease| &lease.trial_id))
}

#[cfg(test)]
mod tests {
    use proto::{Epoch, StepSizes, Timing, TrialResult, Work, trial_result};

    use super::*;

    /// Every number as long as it can be on the wire.
    fn largest(n_epochs: u32, name: &str) -> Finished {
        let steps = StepSizes { min: 0.1, median: 0.1, max: 0.1 };
        let epoch = |epoch| Epoch {
            epoch,
            train_loss: 0.1,
            train_accuracy: 0.1,
            valid_loss: 0.1,
            valid_accuracy: 0.1,
            learning_rate: 0.1,
            steps: Some(steps),
            n_backtracks: u64::MAX,
            gradient_norm: 0.1,
            grad_samples: u64::MAX,
            probe_samples: u64::MAX,
            more: Vec::new(),
        };
        let timing = |epoch| Timing {
            epoch,
            wall_s: 0.1,
            cpu_s: 0.1,
            worker: name.into(),
            isa: "portable".into(),
            attempt: u32::MAX,
            n_slots_in_use: u32::MAX,
        };
        let backtracks = proto::Backtracks { mean: 0.1, p95: u32::MAX, max: u32::MAX };
        let work = Work {
            n_steps: u64::MAX,
            grad_samples: u64::MAX,
            probe_samples: u64::MAX,
            macs_textbook: u64::MAX,
            macs_executed: u64::MAX,
            backtracks: Some(backtracks),
            steps_without_step: u64::MAX,
        };
        let diverged = proto::Diverged { step: u64::MAX, last_finite_loss: Some(0.1) };
        let result = TrialResult {
            ending: Some(trial_result::Ending::Diverged(diverged)),
            history: (1..=n_epochs).map(epoch).collect(),
            work: Some(work),
            digest: vec![1; 32],
        };
        let lease =
            Lease { term: u64::MAX, trial_id: vec![1; 32], attempt: u32::MAX, nonce: u64::MAX };
        Finished {
            lease: Some(lease),
            outcome: Some(finished::Outcome::Result(result)),
            timings: (1..=n_epochs).map(timing).collect(),
        }
    }

    #[test]
    fn the_longest_trial_fits_with_its_times() {
        let n_epochs = u32::try_from(trainer::MAX_EPOCHS).unwrap();
        let finished = largest(n_epochs, &"n".repeat(100_000)[..MAX_NAME_BYTES + 1]);
        let finished = Fitted::new(finished).expect("it fits");
        assert_eq!(finished.timings.len(), n_epochs as usize);
        let n_bytes = finished.encoded_len();
        assert!(n_bytes <= proto::MAX_OUTCOME_BYTES, "{n_bytes}");
        println!("{n_epochs} epochs: {n_bytes} bytes, {} an epoch", n_bytes / n_epochs as usize);
        // Beside it a call names what every slot and every place of the queue holds.
        let lease = finished.lease.clone();
        let running = proto::Running {
            lease,
            n_epochs_done: u32::MAX,
            valid_accuracy: 0.1,
            started: true,
            trained_ms: Some(u64::MAX),
            silent_ms: u64::MAX,
        };
        let n_running = 1024 + proto::MAX_QUEUE_PLACES as usize;
        let call = proto::SyncRequest {
            running: vec![running; n_running],
            finished: vec![finished.0],
            ..proto::SyncRequest::default()
        };
        assert!(call.encoded_len() <= proto::MAX_MESSAGE_BYTES, "{}", call.encoded_len());
    }

    #[test]
    fn what_is_too_large_for_any_call_gives_up_its_times_and_its_words() {
        let finished = Fitted::new(largest(15_000, &"n".repeat(200))).expect("without its times");
        assert!(finished.timings.is_empty());
        assert!(finished.encoded_len() <= proto::MAX_OUTCOME_BYTES);
        let text = finished::Outcome::Failure("x".repeat(5_000_000));
        let failed = Fitted::new(Finished { outcome: Some(text), ..largest(0, "") });
        assert!(failed.expect("its words are cut").encoded_len() < 5_000);
        let huge = largest(200_000, "n");
        assert_eq!(*Fitted::new(huge.clone()).expect_err("no call takes it"), huge);
    }
}
