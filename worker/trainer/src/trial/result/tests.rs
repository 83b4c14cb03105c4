//! Genuine results pass, whatever was trained, and a field that no trial can give is named.

mod forged;

use std::sync::Arc;

use properties::check;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use trial::known::{TRAIN_LOSS, VALID_ACCURACY, VALID_LOSS};
use trial::{DataShape, Scale, Split, TrialResult, Value};

use crate::config::{OptimizerKind, TrainConfig};
use crate::data::PreparedData;
use crate::isa::Isa;
use crate::numerics::digest::trial_digest;
use crate::testing::{Generated, config, finish, optimizer};
use crate::trial::result::check_result;
use crate::trial::trainer::Trainer;
use forged::{FIELDS, STEPS, is_diverged};

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
        let checked = check_result(&result, &config, &shape);
        prop_assert_eq!(checked, Ok(()), "{:?}", result);
        Ok(())
    });
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
        let breach = check_result(&result, &config, &shape);
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
        optimizer: optimizer("sgd"),
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
        check_result(&result, &config, &shape).unwrap_err().to_string()
    };
    assert_eq!(
        told(|result| result.history[2][VALID_ACCURACY] = 1e308),
        "valid_accuracy of epoch 3 is 1e308, expected k / 17 for a whole number k from 0 to 17"
    );
    assert_eq!(
        told(|result| result.history[0][TRAIN_LOSS] = -2.5),
        "train_loss of epoch 1 is -2.5, expected a finite number, 0 or above"
    );
    assert_eq!(
        told(|result| result.history[1][VALID_LOSS] = 1.7e308),
        "valid_loss of epoch 2 is 1.7e308, expected 7e38 at most, the largest that numbers of 32 bits give"
    );
    assert_eq!(
        told(|result| {
            result.history[1][VALID_ACCURACY] = 8.0 / 17.0;
            result.history[1][VALID_LOSS] = 0.0;
        }),
        "valid_loss of epoch 2 is 0.0, expected 0.366957 or above, since each of the wrong answers loses at least ln 2"
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
