//! Fields of results, each with changes that make it one that no trial gives.

use trial::known::{
    GRAD_SAMPLES, GRADIENT_NORM, LEARNING_RATE, N_BACKTRACKS, PROBE_SAMPLES, STEP_MAX, STEP_MEDIAN,
    STEP_MIN, TRAIN_ACCURACY, TRAIN_LOSS, VALID_ACCURACY, VALID_LOSS,
};
use trial::{Backtracks, Ending, EpochRecord, StepSizes, TrialResult};

/// A value that a field cannot have, from the one it has.
pub type Change = fn(&mut TrialResult, pick: usize) -> Option<()>;

/// Each field of a result with changes that make it one that no trial gives.
pub const FIELDS: &[(&str, Change)] = &[
    ("n_epochs", |result, _| result.history.pop().filter(|_| !is_diverged(result)).map(drop)),
    ("n_epochs", |result, _| {
        let mut next = result.history.last()?.clone();
        next.epoch += 1;
        result.history.push(next);
        (!is_diverged(result)).then_some(())
    }),
    ("epoch of", |result, pick| {
        let record = any_epoch(result, pick)?;
        record.epoch = [0, record.epoch + 1, u32::MAX][pick % 3];
        Some(())
    }),
    ("train_loss", |result, pick| {
        any_epoch(result, pick)?[TRAIN_LOSS] = no_loss(pick);
        Some(())
    }),
    ("valid_loss", |result, pick| {
        any_epoch(result, pick)?[VALID_LOSS] = no_loss(pick);
        Some(())
    }),
    ("gradient_norm", |result, pick| {
        any_epoch(result, pick)?[GRADIENT_NORM] = no_loss(pick);
        Some(())
    }),
    ("train_loss", |result, pick| {
        let record = any_epoch(result, pick)?;
        record[TRAIN_LOSS] = outside(record[TRAIN_ACCURACY], pick)?;
        Some(())
    }),
    ("valid_loss", |result, pick| {
        let record = any_epoch(result, pick)?;
        record[VALID_LOSS] = outside(record[VALID_ACCURACY], pick)?;
        Some(())
    }),
    ("gradient_norm", |result, pick| {
        any_epoch(result, pick)?[GRADIENT_NORM] = [1e44, f64::MAX][pick % 2];
        Some(())
    }),
    ("train_accuracy", |result, pick| {
        any_epoch(result, pick)?[TRAIN_ACCURACY] = no_accuracy(pick);
        Some(())
    }),
    ("valid_accuracy", |result, pick| {
        any_epoch(result, pick)?[VALID_ACCURACY] = no_accuracy(pick);
        Some(())
    }),
    ("learning_rate", |result, pick| {
        let record = any_epoch(result, pick)?;
        let twice = 2.0 * record[LEARNING_RATE];
        record[LEARNING_RATE] = [0.0, -1.0, f64::NAN, f64::INFINITY, twice][pick % 5];
        Some(())
    }),
    ("step_min", |result, pick| {
        let record = any_epoch(result, pick)?;
        let StepSizes { median, .. } = StepSizes::of(record)?;
        record[STEP_MIN] = [-1.0, f64::NAN, f64::INFINITY, median * 2.0 + 1.0][pick % 4];
        Some(())
    }),
    ("step_median", |result, pick| {
        let record = any_epoch(result, pick)?;
        StepSizes::of(record)?;
        record[STEP_MEDIAN] = [-1.0, f64::NAN, f64::INFINITY, 1e301][pick % 4];
        Some(())
    }),
    ("step_max", |result, pick| {
        let record = any_epoch(result, pick)?;
        StepSizes::of(record)?;
        record[STEP_MAX] = [-1.0, f64::NAN, f64::INFINITY, 1e301][pick % 4];
        Some(())
    }),
    (STEPS, |result, pick| {
        let record = any_epoch(result, pick)?;
        let other = StepSizes { min: 1e-7, median: 1e-7, max: 1e-7 };
        let steps = StepSizes::of(record).map_or(Some(other), |_| None);
        StepSizes::put(steps, record);
        Some(())
    }),
    ("n_backtracks", |result, pick| {
        any_epoch(result, pick)?[N_BACKTRACKS] = HUGE[pick % HUGE.len()];
        Some(())
    }),
    ("grad_samples of", |result, pick| {
        let count = &mut any_epoch(result, pick)?[GRAD_SAMPLES];
        *count = other_count(*count, pick);
        Some(())
    }),
    ("probe_samples of", |result, pick| {
        any_epoch(result, pick)?[PROBE_SAMPLES] = HUGE[pick % HUGE.len()];
        Some(())
    }),
    ("best_epoch", |result, pick| match &mut result.ending {
        Ending::Completed { best_epoch, .. } => {
            *best_epoch = [0, *best_epoch + 1, u32::MAX][pick % 3];
            Some(())
        }
        Ending::Diverged { .. } => None,
    }),
    ("test_accuracy", |result, pick| match &mut result.ending {
        Ending::Completed { test_accuracy: Some(accuracy), .. } => {
            *accuracy = no_accuracy(pick);
            Some(())
        }
        _ => None,
    }),
    ("test_accuracy", |result, _| match &mut result.ending {
        Ending::Completed { test_accuracy, .. } => {
            *test_accuracy = if test_accuracy.is_some() { None } else { Some(0.0) };
            Some(())
        }
        Ending::Diverged { .. } => None,
    }),
    ("collapsed", |result, _| match &mut result.ending {
        Ending::Completed { collapsed, .. } => {
            *collapsed = !*collapsed;
            Some(())
        }
        Ending::Diverged { .. } => None,
    }),
    ("diverged_step", |result, pick| match &mut result.ending {
        Ending::Diverged { step, .. } => {
            *step = [0, *step + 100, i64::MAX.cast_unsigned(), u64::MAX][pick % 4];
            Some(())
        }
        Ending::Completed { .. } => None,
    }),
    ("last_finite_loss", |result, pick| match &mut result.ending {
        Ending::Diverged { last_finite_loss, .. } => {
            *last_finite_loss = match last_finite_loss {
                Some(_) => [None, Some(no_loss(pick))][pick % 2],
                None => Some(1.0),
            };
            Some(())
        }
        Ending::Completed { .. } => None,
    }),
    ("digest", |result, pick| {
        result.digest.0[pick % 32] ^= 1;
        is_diverged(result).then_some(())
    }),
    ("n_steps", |result, pick| count(&mut result.work.n_steps, pick)),
    ("grad_samples", |result, pick| count(&mut result.work.grad_samples, pick)),
    ("probe_samples", |result, pick| {
        result.work.probe_samples = HUGE[pick % HUGE.len()];
        Some(())
    }),
    ("macs_textbook", |result, pick| count(&mut result.work.macs_textbook, pick)),
    ("macs_executed", |result, pick| {
        let macs = &mut result.work.macs_executed;
        *macs = [HUGE[pick % HUGE.len()], macs.saturating_add(1)][pick % 2];
        Some(())
    }),
    ("steps_without_step", |result, pick| {
        result.work.steps_without_step = HUGE[pick % HUGE.len()];
        Some(())
    }),
    ("backtracks_mean", |result, _| {
        let is_there = result.work.backtracks.is_some();
        let none = Backtracks { mean: 0.0, p95: 0, max: 0 };
        result.work.backtracks = (!is_there).then_some(none);
        Some(())
    }),
    ("backtracks_mean", |result, pick| {
        let mean = &mut result.work.backtracks.as_mut()?.mean;
        *mean = [no_loss(pick), 1e300, *mean + 1e-7][pick % 3];
        Some(())
    }),
    ("backtracks_p95", |result, _| {
        let backtracks = result.work.backtracks.as_mut()?;
        backtracks.p95 = backtracks.max + 1;
        Some(())
    }),
    ("backtracks_max", |result, pick| {
        let max = &mut result.work.backtracks.as_mut()?.max;
        *max = [u32::MAX, *max + 31][pick % 2];
        Some(())
    }),
];

/// Step sizes where there are none, or none where there are some.
pub const STEPS: &str = "step_m";

pub const HUGE: [u64; 4] = [1 << 40, i64::MAX.cast_unsigned(), 1 << 63, u64::MAX];

pub fn is_diverged(result: &TrialResult) -> bool {
    matches!(result.ending, Ending::Diverged { .. })
}

pub fn any_epoch(result: &mut TrialResult, pick: usize) -> Option<&mut EpochRecord> {
    let n_epochs = result.history.len();
    result.history.get_mut((pick / 7).checked_rem(n_epochs)?)
}

pub fn no_loss(pick: usize) -> f64 {
    let values = [-1.0, -0.0, -1e308, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    values[pick % values.len()]
}

/// A finite loss that no trial gives beside this accuracy.
pub fn outside(accuracy: f64, pick: usize) -> Option<f64> {
    let too_small = 0.69 * (1.0 - accuracy);
    match pick % 4 {
        0 => Some(7.1e38),
        1 => Some(f64::MAX),
        2 => Some(0.0).filter(|_| accuracy < 1.0),
        _ => Some(too_small).filter(|_| accuracy < 1.0),
    }
}

pub fn no_accuracy(pick: usize) -> f64 {
    let values =
        [-0.0, -0.5, 1.0 + f64::EPSILON, 97.5, 1e308, f64::NAN, f64::INFINITY, 1e-9, 0.123];
    values[pick % values.len()]
}

pub fn other_count(count: u64, pick: usize) -> u64 {
    let values = [count.wrapping_sub(1), count + 1, count * 2 + 1, i64::MAX.cast_unsigned()];
    values[pick % values.len()]
}

pub fn count(count: &mut u64, pick: usize) -> Option<()> {
    *count = other_count(*count, pick);
    Some(())
}
