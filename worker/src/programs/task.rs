//! What a program is given: a trial, and what is asked of it while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proto::Hyperparameter;
use trainer::PreparedData;

use crate::agent::{Job, TrialId};

/// One trial to train.
pub struct Task {
    pub(crate) job: Job,
    pub trial_id: TrialId,
    /// Counts from 1.
    pub attempt: u32,
    pub hyperparameters: Vec<Hyperparameter>,
    pub seed: u32,
    pub data: Arc<PreparedData>,
}

/// What is asked of a running trial. Its clones are one: the slot asks, the program looks.
#[derive(Clone, Default)]
pub struct Stop(Arc<Flags>);

#[derive(Default)]
struct Flags {
    at_once: AtomicBool,
    at_epoch_end: AtomicBool,
}

impl Stop {
    /// The trial shall end at once, without a checkpoint.
    pub fn at_once(&self) -> bool {
        self.at_once_flag().load(Ordering::Relaxed)
    }

    /// For training that looks at a flag between its steps.
    pub(crate) fn at_once_flag(&self) -> &AtomicBool {
        &self.0.at_once
    }

    /// The trial shall end with a checkpoint after its epoch.
    pub fn at_epoch_end(&self) -> bool {
        self.0.at_epoch_end.load(Ordering::Relaxed)
    }

    pub(crate) fn ask_at_once(&self) {
        self.0.at_once.store(true, Ordering::Relaxed);
    }

    pub(crate) fn ask_at_epoch_end(&self) {
        self.0.at_epoch_end.store(true, Ordering::Relaxed);
    }
}
