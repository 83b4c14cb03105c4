//! Names of the measures that the report has sections for. A program that declares a measure under such
//! a name gets them; what they mean here is what the built-in trainer measures, as `NUMERICS.md` says.

use crate::measures::epoch::{Count, EpochRecord, Number, Reading};

/// Mean over the epoch's samples, each measured before its update.
pub const TRAIN_LOSS: Number = Number("train_loss");
/// A share from 0 to 1.
pub const TRAIN_ACCURACY: Number = Number("train_accuracy");
/// 0, like the accuracy, without a validation part.
pub const VALID_LOSS: Number = Number("valid_loss");
pub const VALID_ACCURACY: Number = Number("valid_accuracy");
/// The rate that the schedule gave at the epoch's last step.
pub const LEARNING_RATE: Number = Number("learning_rate");
/// Steps that a line search accepted: none for other optimizers, and where none was accepted.
pub const STEP_MIN: Number = Number("step_min");
/// The lower median.
pub const STEP_MEDIAN: Number = Number("step_median");
pub const STEP_MAX: Number = Number("step_max");
/// Probes that a line search refused.
pub const N_BACKTRACKS: Count = Count("n_backtracks");
/// Norm of the gradient of the epoch's last batch.
pub const GRADIENT_NORM: Number = Number("gradient_norm");
/// Samples whose gradient was computed.
pub const GRAD_SAMPLES: Count = Count("grad_samples");
/// Samples on which a probe's loss was computed.
pub const PROBE_SAMPLES: Count = Count("probe_samples");

/// Step sizes of one epoch, as a line search accepted them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepSizes {
    pub min: f64,
    /// The lower median.
    pub median: f64,
    pub max: f64,
}

impl StepSizes {
    pub const NAMES: [Number; 3] = [STEP_MIN, STEP_MEDIAN, STEP_MAX];

    pub fn of(record: &EpochRecord) -> Option<Self> {
        let [min, median, max] = record.numbers(Self::NAMES)?;
        Some(Self { min, median, max })
    }

    /// Sets or takes away the three readings.
    pub fn put(steps: Option<Self>, record: &mut EpochRecord) {
        let number = |of: fn(Self) -> f64| steps.map(|steps| Reading::Number(of(steps)));
        record.set(STEP_MIN.0, number(|steps| steps.min));
        record.set(STEP_MEDIAN.0, number(|steps| steps.median));
        record.set(STEP_MAX.0, number(|steps| steps.max));
    }
}
