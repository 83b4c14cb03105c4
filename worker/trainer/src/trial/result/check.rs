//! The rules of histories and endings.

use std::fmt::Display;

use trial::known::{
    GRAD_SAMPLES, GRADIENT_NORM, LEARNING_RATE, TRAIN_ACCURACY, TRAIN_LOSS, VALID_ACCURACY,
    VALID_LOSS,
};
use trial::{Breach, DataShape, Ending, EpochRecord, StepSizes, TrialResult, between, exactly};

use super::bounds;
use super::standing::Standing;
use crate::config::TrainConfig;
use crate::numerics::digest::diverged_digest;
use crate::optimizers::line_search::LineSearch;

/// Nothing was measured: 0, and not -0.
fn nothing(field: impl Display, found: f64) -> Result<(), Breach> {
    if found.to_bits() == 0 {
        return Ok(());
    }
    Err(Breach::new(field, found, "0.0"))
}

/// An accuracy over `n` samples: that of a whole number of right answers. Over none it is 0.
fn accuracy(field: impl Display, found: f64, n: u32) -> Result<(), Breach> {
    if n == 0 {
        return nothing(field, found);
    }
    let is_share = (0.0..=1.0).contains(&found) && found.is_sign_positive();
    let n_right = (found * f64::from(n)).round();
    if is_share && n_right / f64::from(n) == found {
        return Ok(());
    }
    Err(Breach::new(field, found, format!("k / {n} for a whole number k from 0 to {n}")))
}

pub(super) fn check_ending(
    result: &TrialResult,
    standing: &Standing,
    config: &TrainConfig,
    data: &DataShape,
) -> Result<(), Breach> {
    let has_valid = data.n_valid > 0;
    let has_ended = standing.has_ended(config, has_valid);
    let n_epochs = result.history.len();
    match result.ending {
        Ending::Completed { best_epoch, test_accuracy, collapsed } => {
            if !has_ended {
                let expected = n_epochs_expected(config);
                return Err(Breach::new("n_epochs", n_epochs, expected));
            }
            exactly("best_epoch", best_epoch, &standing.best_epoch())?;
            check_test_accuracy(test_accuracy, data.n_test)?;
            match data.largest_valid_share {
                Some(share) => {
                    let expected = standing.is_collapsed(share, has_valid);
                    exactly("collapsed", collapsed, &expected)
                }
                None => Ok(()),
            }
        }
        Ending::Diverged { step, last_finite_loss } => {
            if has_ended {
                let expected = "fewer epochs than end a trial, since it diverged in the next";
                return Err(Breach::new("n_epochs", n_epochs, expected));
            }
            let per_epoch = n_batches(config, data);
            let n_before = n_epochs as u64 * per_epoch;
            between("diverged_step", step, &(n_before + 1), &(n_before + per_epoch))?;
            if let Some(loss) = last_finite_loss {
                bounds::lone_loss("last_finite_loss", loss)?;
            }
            let has_step = step > 1 || result.work.n_steps > 0;
            if last_finite_loss.is_some() != has_step {
                let expected = "a loss if there was a step before it diverged, and only then";
                return Err(Breach::or_none("last_finite_loss", last_finite_loss, expected));
            }
            // Its weights are not part of this digest, so that it can be computed again.
            let expected = diverged_digest(step, last_finite_loss, &result.history);
            exactly("digest", result.digest.to_string(), &expected.to_string())
        }
    }
}

/// The epochs of a trial that has ended or goes on, and what they amount to.
pub(crate) fn check_history(
    history: &[EpochRecord],
    config: &TrainConfig,
    data: &DataShape,
) -> Result<Standing, Breach> {
    // First of all, so that a history that is too long costs nothing.
    between("n_epochs", history.len(), &0, &(config.epochs as usize))?;
    let mut standing = Standing::default();
    for (epoch, record) in (1..).zip(history) {
        if standing.has_ended(config, data.n_valid > 0) {
            let expected = n_epochs_expected(config);
            return Err(Breach::new("n_epochs", history.len(), expected));
        }
        check_epoch(epoch, record, config, data)?;
        standing.take(record, data.n_valid > 0);
    }
    Ok(standing)
}

fn n_epochs_expected(config: &TrainConfig) -> String {
    match config.patience {
        None => format!("{} for a completed trial", config.epochs),
        Some(patience) => format!(
            "{}, or {patience} after the first epoch with the highest valid_accuracy, for a completed trial",
            config.epochs
        ),
    }
}

fn check_test_accuracy(found: Option<f64>, n_test: u32) -> Result<(), Breach> {
    match found {
        Some(found) if n_test > 0 => accuracy("test_accuracy", found, n_test),
        None if n_test == 0 => Ok(()),
        Some(_) => Err(Breach::or_none("test_accuracy", found, "none, since there is no test set")),
        None => Err(Breach::or_none("test_accuracy", found, "the test set's of a completed trial")),
    }
}

fn check_epoch(
    epoch: u32,
    record: &EpochRecord,
    config: &TrainConfig,
    data: &DataShape,
) -> Result<(), Breach> {
    let of = |field: &str| format!("{field} of epoch {epoch}");
    exactly(of("epoch"), record.epoch, &epoch)?;
    record.check()?;
    accuracy(of("train_accuracy"), record[TRAIN_ACCURACY], data.n_train)?;
    bounds::loss(of("train_loss"), record[TRAIN_LOSS], record[TRAIN_ACCURACY])?;
    accuracy(of("valid_accuracy"), record[VALID_ACCURACY], data.n_valid)?;
    if data.n_valid == 0 {
        nothing(of("valid_loss"), record[VALID_LOSS])?;
    } else {
        bounds::loss(of("valid_loss"), record[VALID_LOSS], record[VALID_ACCURACY])?;
    }
    // The schedule is constant.
    exactly(of("learning_rate"), record[LEARNING_RATE], &config.learning_rate)?;
    bounds::norm(of("gradient_norm"), record[GRADIENT_NORM])?;
    exactly(of("grad_samples"), record[GRAD_SAMPLES], &u64::from(data.n_train))?;
    check_step_sizes(epoch, record, config)
}

/// Those of a line search, each an f32 that it can accept; how many were accepted is the work's.
fn check_step_sizes(epoch: u32, record: &EpochRecord, config: &TrainConfig) -> Result<(), Breach> {
    let of = |field: &str| format!("{field} of epoch {epoch}");
    let Some(steps) = StepSizes::of(record) else { return Ok(()) };
    let Some((low, high)) = LineSearch::new(config, 1).map(|search| search.step_range()) else {
        let expected =
            format!("none, since {} is not a line search", config.optimizer.kind().name());
        return Err(Breach::new(of("step_min"), steps.min, expected));
    };
    let sizes = [("step_min", steps.min), ("step_median", steps.median), ("step_max", steps.max)];
    for (field, size) in sizes {
        between(of(field), size, &low, &high)?;
        if f64::from(size as f32) != size {
            return Err(Breach::new(of(field), size, "a number of 32 bits"));
        }
    }
    between(of("step_min"), steps.min, &low, &steps.median)?;
    between(of("step_median"), steps.median, &steps.min, &steps.max)
}

/// Steps of a whole epoch.
pub(crate) fn n_batches(config: &TrainConfig, data: &DataShape) -> u64 {
    u64::from(data.n_train).div_ceil(u64::from(config.batch_size.max(1)))
}
