//! A score: what a trial's validation came to, which objectives are read from.

use trial::known::{VALID_ACCURACY, VALID_LOSS};
use trial::{EpochRecord, Goal};

use crate::file::objective::Objective;

/// Validation figures of a trial, as a rule at its best epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Share from 0 to 1.
    pub accuracy: f64,
    pub loss: f64,
}

impl Score {
    /// That of one epoch.
    pub fn at(epoch: &EpochRecord) -> Self {
        Self { accuracy: epoch[VALID_ACCURACY], loss: epoch[VALID_LOSS] }
    }

    /// That of a network that learned nothing, which is what a diverged trial counts as: it always
    /// answers the most frequent class, or gives each class the same probability. `largest_share`, from
    /// 0 to 1, is the share of that class among the rows that validate.
    pub fn chance(largest_share: f64, n_classes: u32) -> Self {
        Self { accuracy: largest_share, loss: libm::log(f64::from(n_classes)) }
    }

    /// What it has of an objective.
    pub fn of(&self, objective: Objective) -> f64 {
        match objective.measure {
            VALID_LOSS => self.loss,
            _ => self.accuracy,
        }
    }

    pub fn is_better(&self, than: &Self, objective: Objective) -> bool {
        let (own, other) = (self.of(objective), than.of(objective));
        match objective.goal {
            Goal::Maximize => own > other,
            Goal::Minimize => own < other,
        }
    }
}
