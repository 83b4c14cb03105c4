//! The standing of a trial: what its history amounts to so far. Which epoch is the best, and whether
//! another one follows, is decided here for the training loop and for those who check its result.

use trial::EpochRecord;
use trial::known::{VALID_ACCURACY, VALID_LOSS};

use crate::config::TrainConfig;

/// A best accuracy up to this many times the largest class's share is that of dead units.
const COLLAPSED_SHARE: f64 = 1.5;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Standing {
    n_epochs: u32,
    /// Counts from 1; 0 before the first epoch.
    best_epoch: u32,
    best_accuracy: f64,
    best_loss: f64,
    /// The first epoch with the highest validation accuracy.
    highest_epoch: u32,
}

impl Standing {
    pub(crate) fn of(history: &[EpochRecord], has_valid: bool) -> Self {
        let mut standing = Self::default();
        history.iter().for_each(|record| standing.take(record, has_valid));
        standing
    }

    /// Takes in the next epoch. The best one has the highest validation accuracy, then the lower
    /// loss, then comes first; without a validation part the latest is the best.
    pub(crate) fn take(&mut self, record: &EpochRecord, has_valid: bool) {
        self.n_epochs += 1;
        let is_first = self.best_epoch == 0;
        let is_higher = is_first || record[VALID_ACCURACY] > self.best_accuracy;
        let is_level = record[VALID_ACCURACY] == self.best_accuracy;
        if is_higher {
            self.highest_epoch = self.n_epochs;
        }
        if !has_valid || is_higher || is_level && record[VALID_LOSS] < self.best_loss {
            self.best_epoch = self.n_epochs;
            self.best_accuracy = record[VALID_ACCURACY];
            self.best_loss = record[VALID_LOSS];
        }
    }

    pub(crate) fn best_epoch(&self) -> u32 {
        self.best_epoch
    }

    /// Whether all planned epochs are done, or `patience` of them went by without a higher
    /// validation accuracy.
    pub(crate) fn has_ended(&self, config: &TrainConfig, has_valid: bool) -> bool {
        let waited = self.n_epochs - self.highest_epoch;
        let is_impatient = |patience| has_valid && self.n_epochs > 0 && waited >= patience;
        self.n_epochs >= config.epochs || config.patience.is_some_and(is_impatient)
    }

    /// Whether the best epoch is no better than dead units, which answer with one class.
    pub(crate) fn is_collapsed(&self, largest_valid_share: f64, has_valid: bool) -> bool {
        has_valid && self.best_accuracy <= COLLAPSED_SHARE * largest_valid_share
    }
}
