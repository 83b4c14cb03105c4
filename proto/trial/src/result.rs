//! What a trial gives: its history, its end, its counted work and the digest of all of it. Plain
//! data, the same on every machine; how long it took is told by [`crate::timing`].

use crate::digest::Digest;
use crate::measures::epoch::EpochRecord;

/// How a trial that was trained to its end ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ending {
    Completed {
        /// Highest validation accuracy, ties by lower loss, then the earlier one; counts from 1.
        best_epoch: u32,
        /// With the best epoch's weights, share from 0 to 1; `None` without a test set.
        test_accuracy: Option<f64>,
        /// Best validation accuracy at most 1.5 x the largest class share: dead units.
        collapsed: bool,
    },
    /// It left the finite range: a result, not an error.
    Diverged {
        /// The first step whose loss was not finite, or the last of the epoch at whose end it showed.
        step: u64,
        /// `None` when the first step's loss was not finite already.
        last_finite_loss: Option<f64>,
    },
}

/// Work by the contract's forms, whatever path ran it.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Work {
    pub n_steps: u64,
    /// Samples whose gradient was computed.
    pub grad_samples: u64,
    /// Samples on which a probe's loss was computed.
    pub probe_samples: u64,
    /// Multiply-adds if every product were dense and every probe a full forward pass.
    pub macs_textbook: u64,
    /// Multiply-adds without a sparse first layer's zero inputs, line searches by the Gram form; of
    /// layers above all, although they leave out zeros too.
    pub macs_executed: u64,
    /// Refused probes per step, over all steps; `None` unless the optimizer is a line search.
    pub backtracks: Option<Backtracks>,
    pub steps_without_step: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backtracks {
    pub mean: f64,
    /// The smallest count that at least 95 % of the steps do not exceed.
    pub p95: u32,
    pub max: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TrialResult {
    pub ending: Ending,
    /// Complete epochs, in order.
    pub history: Vec<EpochRecord>,
    pub work: Work,
    /// SHA-256 as `NUMERICS.md` defines it.
    pub digest: Digest,
}
