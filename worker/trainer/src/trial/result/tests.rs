//! Genuine results pass, whatever was trained, and a field that no trial can give is named.

use std::sync::Arc;

use properties::check;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::config::{OptimizerKind, TrainConfig, Value};
use crate::data::{PreparedData, Scale, Split};
use crate::isa::Isa;
use crate::numerics::digest::trial_digest;
use crate::testing::{Generated, config, finish};
use crate::trial::result::{Backtracks, DataShape, Ending, EpochRecord, StepSizes, TrialResult};
use crate::trial::trainer::Trainer;

/// A trial to train: small, and otherwise of any kind.
#[derive(Clone, Debug)]
struct Case {
    optimizer: OptimizerKind,
    rate: f64,
    batch_size: u64,
    hidden: Vec<u32>,
    epochs: u64,
    patience: Option<u64>,
    dropout: f64,
    smoothing: f64,
    max_probes: u64,
    n_train: u32,
    n_valid: u32,
    n_test: u32,
    often: u32,
    scale: Scale,
}

fn cases() -> impl Strategy<Value = Case> {
    let trained = (
        prop::sample::select(OptimizerKind::ALL.to_vec()),
        prop::sample::select(vec![1e-9, 0.003, 0.1, 1.0, 30.0, 1e10, 1e30, 1e300]),
        1..41_u64,
        prop::collection::vec(1..9_u32, 0..3),
        1..6_u64,
        prop::option::of(1..4_u64),
    );
    let regularized =
        (prop::sample::select(vec![0.0, 0.4]), prop::sample::select(vec![0.0, 0.2]), 1..31_u64);
    let data = (
        41..60_u32,
        prop::sample::select(vec![0, 1, 17]),
        prop::sample::select(vec![0, 1, 21]),
        prop::sample::select(vec![1, 10, 15]),
        prop::sample::select(vec![Scale::Unit, Scale::Standard]),
    );
    (trained, regularized, data).prop_map(|(trained, regularized, data)| {
        let (optimizer, rate, batch_size, hidden, epochs, patience) = trained;
        let (dropout, smoothing, max_probes) = regularized;
        let (n_train, n_valid, n_test, often, scale) = data;
        Case {
            optimizer,
            rate,
            batch_size,
            hidden,
            epochs,
            patience,
            dropout,
            smoothing,
            max_probes,
            n_train,
            n_valid,
            n_test,
            often,
            scale,
        }
    })
}

impl Case {
    fn config(&self) -> TrainConfig {
        let mut changes = vec![
            ("learning_rate", Value::Number(self.rate)),
            ("batch_size", Value::Count(self.batch_size)),
            ("hidden", Value::Widths(self.hidden.clone())),
            ("epochs", Value::Count(self.epochs)),
            ("dropout", Value::Number(self.dropout)),
            ("label_smoothing", Value::Number(self.smoothing)),
            ("max_probes", Value::Count(self.max_probes)),
        ];
        changes.extend(self.patience.map(|patience| ("patience", Value::Count(patience))));
        config(self.optimizer, &changes)
    }

    fn data(&self) -> Arc<PreparedData> {
        let Self { n_train, n_valid, scale, .. } = *self;
        let generated = Generated {
            n_train: n_train + n_valid,
            n_test: self.n_test,
            n_inputs: 12,
            often: self.often,
            ..Generated::SPARSE
        };
        let split = Split { n_train, n_valid, scale };
        Arc::new(PreparedData::new(&generated.dataset(), split).unwrap())
    }

    fn train(&self) -> (TrainConfig, DataShape, TrialResult) {
        let (config, data) = (self.config(), self.data());
        let shape = data.shape();
        let isa = Isa::choose(None).unwrap();
        (config.clone(), shape, finish(Trainer::new(config, data, isa).unwrap()))
    }
}

const FAILED_BEFORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/result.txt");

#[test]
fn every_genuine_result_passes() {
    check(FAILED_BEFORE, 400, &cases(), |case| {
        let (config, shape, result) = case.train();
        let checked = result.check(&config, &shape);
        prop_assert_eq!(checked, Ok(()), "{:?}", result);
        Ok(())
    });
}

/// A value that a field cannot have, from the one it has.
type Change = fn(&mut TrialResult, pick: usize) -> Option<()>;

/// Each field of a result with changes that make it one that no trial gives.
const FIELDS: &[(&str, Change)] = &[
    ("n_epochs", |result, _| result.history.pop().filter(|_| !is_diverged(result)).map(drop)),
    ("n_epochs", |result, _| {
        let last = result.history.last()?.clone();
        result.history.push(EpochRecord { epoch: last.epoch + 1, ..last });
        (!is_diverged(result)).then_some(())
    }),
    ("epoch of", |result, pick| {
        let record = any_epoch(result, pick)?;
        record.epoch = [0, record.epoch + 1, u32::MAX][pick % 3];
        Some(())
    }),
    ("train_loss", |result, pick| {
        any_epoch(result, pick)?.train_loss = no_loss(pick);
        Some(())
    }),
    ("valid_loss", |result, pick| {
        any_epoch(result, pick)?.valid_loss = no_loss(pick);
        Some(())
    }),
    ("gradient_norm", |result, pick| {
        any_epoch(result, pick)?.gradient_norm = no_loss(pick);
        Some(())
    }),
    ("train_accuracy", |result, pick| {
        any_epoch(result, pick)?.train_accuracy = no_accuracy(pick);
        Some(())
    }),
    ("valid_accuracy", |result, pick| {
        any_epoch(result, pick)?.valid_accuracy = no_accuracy(pick);
        Some(())
    }),
    ("learning_rate", |result, pick| {
        let record = any_epoch(result, pick)?;
        let twice = 2.0 * record.learning_rate;
        record.learning_rate = [0.0, -1.0, f64::NAN, f64::INFINITY, twice][pick % 5];
        Some(())
    }),
    ("step_min", |result, pick| {
        let steps = any_epoch(result, pick)?.steps.as_mut()?;
        steps.min = [-1.0, f64::NAN, f64::INFINITY, steps.median * 2.0 + 1.0][pick % 4];
        Some(())
    }),
    ("step_median", |result, pick| {
        let steps = any_epoch(result, pick)?.steps.as_mut()?;
        steps.median = [-1.0, f64::NAN, f64::INFINITY, 1e301][pick % 4];
        Some(())
    }),
    ("step_max", |result, pick| {
        let steps = any_epoch(result, pick)?.steps.as_mut()?;
        steps.max = [-1.0, f64::NAN, f64::INFINITY, 1e301][pick % 4];
        Some(())
    }),
    (STEPS, |result, pick| {
        let record = any_epoch(result, pick)?;
        let other = StepSizes { min: 1e-7, median: 1e-7, max: 1e-7 };
        record.steps = if record.steps.is_some() { None } else { Some(other) };
        Some(())
    }),
    ("n_backtracks", |result, pick| {
        any_epoch(result, pick)?.n_backtracks = HUGE[pick % HUGE.len()];
        Some(())
    }),
    ("grad_samples of", |result, pick| {
        let count = &mut any_epoch(result, pick)?.grad_samples;
        *count = other_count(*count, pick);
        Some(())
    }),
    ("probe_samples of", |result, pick| {
        any_epoch(result, pick)?.probe_samples = HUGE[pick % HUGE.len()];
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
        result.digest[pick % 32] ^= 1;
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
const STEPS: &str = "step_m";

const HUGE: [u64; 4] = [1 << 40, i64::MAX.cast_unsigned(), 1 << 63, u64::MAX];

fn is_diverged(result: &TrialResult) -> bool {
    matches!(result.ending, Ending::Diverged { .. })
}

fn any_epoch(result: &mut TrialResult, pick: usize) -> Option<&mut EpochRecord> {
    let n_epochs = result.history.len();
    result.history.get_mut((pick / 7).checked_rem(n_epochs)?)
}

fn no_loss(pick: usize) -> f64 {
    let values = [-1.0, -0.0, -1e308, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    values[pick % values.len()]
}

fn no_accuracy(pick: usize) -> f64 {
    let values =
        [-0.0, -0.5, 1.0 + f64::EPSILON, 97.5, 1e308, f64::NAN, f64::INFINITY, 1e-9, 0.123];
    values[pick % values.len()]
}

fn other_count(count: u64, pick: usize) -> u64 {
    let values = [count.wrapping_sub(1), count + 1, count * 2 + 1, i64::MAX.cast_unsigned()];
    values[pick % values.len()]
}

fn count(count: &mut u64, pick: usize) -> Option<()> {
    *count = other_count(*count, pick);
    Some(())
}

#[test]
fn every_field_that_no_trial_can_give_is_refused_by_its_name() {
    let changed = (cases(), 0..FIELDS.len(), 0..1_000_usize);
    check(FAILED_BEFORE, 1_500, &changed, |(case, field, pick)| {
        let (config, shape, genuine) = case.train();
        let (name, change) = FIELDS[field];
        let mut result = genuine.clone();
        if change(&mut result, pick).is_none() || result == genuine {
            return Ok(());
        }
        // With a short last batch the same samples may be of more probes or of fewer.
        let is_short = u64::from(case.n_train) % case.batch_size != 0;
        if name == STEPS && is_short && case.optimizer.is_line_search() {
            return Ok(());
        }
        if is_diverged(&result) && name != "digest" {
            // As whoever forges one can.
            result.digest = trial_digest(&result.ending, &[], &[], &result.history);
        }
        let breach = result.check(&config, &shape);
        let breach = breach.expect_err("a field that no trial can give");
        // Whether the last step of an epoch was made, only its samples tell.
        let by_samples =
            name == "n_steps" && is_diverged(&result) && breach.field == "grad_samples";
        let is_named = breach.field.starts_with(name) || by_samples;
        prop_assert!(is_named, "{name}: {breach}\n{result:?}");
        prop_assert!(!breach.found.is_empty() && !breach.expected.is_empty());
        let is_code = |word| breach.to_string().contains(word);
        prop_assert!(!["Some(", "None", " {"].into_iter().any(is_code), "{breach}");
        Ok::<(), TestCaseError>(())
    });
}

/// What once was recorded without a word.
#[test]
fn forged_results_of_the_field_are_refused() {
    let case = Case {
        optimizer: OptimizerKind::Sgd,
        rate: 0.1,
        batch_size: 8,
        hidden: vec![4],
        epochs: 4,
        patience: None,
        dropout: 0.0,
        smoothing: 0.0,
        max_probes: 30,
        n_train: 41,
        n_valid: 17,
        n_test: 21,
        often: 10,
        scale: Scale::Unit,
    };
    let (config, shape, genuine) = case.train();
    let told = |change: fn(&mut TrialResult)| {
        let mut result = genuine.clone();
        change(&mut result);
        result.check(&config, &shape).unwrap_err().to_string()
    };
    assert_eq!(
        told(|result| result.history[2].valid_accuracy = 1e308),
        "valid_accuracy of epoch 3 is 1e308, expected k / 17 for a whole number k from 0 to 17"
    );
    assert_eq!(
        told(|result| result.history[0].train_loss = -2.5),
        "train_loss of epoch 1 is -2.5, expected a finite number, 0 or above"
    );
    assert_eq!(
        told(|result| result.history.truncate(1)),
        "n_epochs is 1, expected 4 for a completed trial"
    );
    assert_eq!(
        told(|result| result.work.n_steps = i64::MAX.cast_unsigned()),
        "n_steps is 9223372036854775807, expected 24"
    );
}
