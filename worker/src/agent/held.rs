//! What the agent holds: granted trials, each with how far it has come.

use std::time::Duration;
pub(crate) use trial::TrialId;

use proto::{Checkpoint, Hyperparameter, Lease, Running};

use crate::session::troubles::millis;

/// Names one granted trial within this process; a slot and its messages carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Job(pub(crate) u64);

/// A job that a slot shall start.
#[derive(Debug, PartialEq)]
pub(crate) struct Start {
    pub(crate) job: Job,
    pub(crate) trial_id: TrialId,
    pub(crate) attempt: u32,
    pub(crate) hyperparameters: Vec<Hyperparameter>,
    pub(crate) seed: u32,
    /// What was published of it, the newest first.
    pub(crate) checkpoints: Vec<Checkpoint>,
}

/// How a slot gets on with its job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Since its slot began.
    pub(crate) trained: Duration,
    /// Since its slot last did a step.
    pub(crate) silent: Duration,
}

/// How far a job has come.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Progress {
    pub(crate) n_epochs_done: u32,
    pub(crate) n_epochs: u32,
    pub(crate) valid_accuracy: f64,
    /// How long an epoch takes, by the last one.
    pub(crate) epoch_s: f64,
}

impl Progress {
    /// `None` before the first epoch's end.
    pub(crate) fn seconds_left(&self) -> Option<f64> {
        let n_left = self.n_epochs.saturating_sub(self.n_epochs_done);
        (self.n_epochs_done > 0).then(|| f64::from(n_left) * self.epoch_s)
    }
}

/// A granted trial, from its grant until its slot is at rest.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) job: Job,
    pub(super) trial_id: TrialId,
    pub(super) lease: Lease,
    pub(super) phase: Phase,
    pub(super) progress: Progress,
    pub(super) standing: Standing,
}

#[derive(Debug, PartialEq)]
pub(super) enum Phase {
    /// Granted ahead of need.
    Waiting {
        hyperparameters: Vec<Hyperparameter>,
        seed: u32,
        checkpoints: Vec<Checkpoint>,
    },
    Running,
    /// Given up by order, but its slot has not come to rest yet.
    Stopping,
}

impl Held {
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.phase, Phase::Waiting { .. })
    }

    pub(super) fn running(&self) -> Option<Running> {
        (self.phase != Phase::Stopping).then(|| Running {
            lease: Some(self.lease.clone()),
            n_epochs_done: self.progress.n_epochs_done,
            valid_accuracy: self.progress.valid_accuracy,
            started: !self.is_waiting(),
            trained_ms: Some(millis(self.standing.trained)),
            silent_ms: millis(self.standing.silent),
        })
    }
}
