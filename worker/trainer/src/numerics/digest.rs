//! The digest of a trial: SHA-256 over its weights and history in one fixed byte layout.

use sha2::{Digest as _, Sha256};
use trial::known::{
    GRAD_SAMPLES, GRADIENT_NORM, LEARNING_RATE, N_BACKTRACKS, PROBE_SAMPLES, TRAIN_ACCURACY,
    TRAIN_LOSS, VALID_ACCURACY, VALID_LOSS,
};
use trial::{Digest, Ending, EpochRecord, StepSizes};

/// Completed: final and best weights (logical order, little-endian f32), then the history.
/// Diverged: the history, the step, the last finite loss. A leading byte tells them apart.
pub(crate) fn trial_digest(
    ending: &Ending,
    last: &[f32],
    best: &[f32],
    history: &[EpochRecord],
) -> Digest {
    let mut hash = Sha256::new();
    match *ending {
        Ending::Completed { .. } => {
            hash.update([0]);
            hash.update(float_bytes(last));
            hash.update(float_bytes(best));
            history.iter().for_each(|record| hash.update(record_bytes(record)));
        }
        Ending::Diverged { step, last_finite_loss } => {
            hash.update([1]);
            history.iter().for_each(|record| hash.update(record_bytes(record)));
            hash.update(step.to_le_bytes());
            hash.update([u8::from(last_finite_loss.is_some())]);
            hash.update(last_finite_loss.unwrap_or(0.0).to_le_bytes());
        }
    }
    Digest(hash.finalize().into())
}

/// The digest of a trial that diverged: nothing but its result goes into it.
pub fn diverged_digest(
    step: u64,
    last_finite_loss: Option<f64>,
    history: &[EpochRecord],
) -> Digest {
    trial_digest(&Ending::Diverged { step, last_finite_loss }, &[], &[], history)
}

pub(crate) fn float_bytes(numbers: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size_of_val(numbers));
    numbers.iter().for_each(|x| bytes.extend_from_slice(&x.to_le_bytes()));
    bytes
}

/// One epoch: its fields in order, little-endian, floats as their bits; the step sizes as a byte
/// (0 or 1) and three f64, which are 0 when there is none.
pub(crate) fn record_bytes(record: &EpochRecord) -> Vec<u8> {
    let mut bytes = record.epoch.to_le_bytes().to_vec();
    let mut float = |x: f64| bytes.extend(x.to_le_bytes());
    float(record[TRAIN_LOSS]);
    float(record[TRAIN_ACCURACY]);
    float(record[VALID_LOSS]);
    float(record[VALID_ACCURACY]);
    float(record[LEARNING_RATE]);
    let steps = StepSizes::of(record);
    bytes.push(u8::from(steps.is_some()));
    let steps = steps.map_or([0.0; 3], |steps| [steps.min, steps.median, steps.max]);
    steps.iter().for_each(|x| bytes.extend(x.to_le_bytes()));
    bytes.extend(record[N_BACKTRACKS].to_le_bytes());
    bytes.extend(record[GRADIENT_NORM].to_le_bytes());
    bytes.extend(record[GRAD_SAMPLES].to_le_bytes());
    bytes.extend(record[PROBE_SAMPLES].to_le_bytes());
    bytes
}
