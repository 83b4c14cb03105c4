//! The loop: learning, best epochs, ends, interruption.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use trial::known::{N_BACKTRACKS, PROBE_SAMPLES, TRAIN_LOSS, VALID_ACCURACY, VALID_LOSS};
use trial::{Ending, Scale, Split, TrialResult, Value};

use crate::config::{OptimizerKind, TrainConfig};
use crate::data::PreparedData;
use crate::isa::Isa;
use crate::testing::{Generated, config, finish, optimizer};
use crate::trial::trainer::{EpochEnd, LayerWeights, TrainError, Trainer};

fn best_isa() -> Isa {
    Isa::choose(None).unwrap()
}

fn trainer(config: &TrainConfig, data: &Arc<PreparedData>) -> Trainer {
    Trainer::new(config.clone(), Arc::clone(data), best_isa()).unwrap()
}

/// Weights after all epochs; without a validation part the best are the last.
fn last_weights(config: &TrainConfig, data: &Arc<PreparedData>) -> Vec<LayerWeights> {
    let mut trainer = trainer(config, data);
    while trainer.run_epoch(&AtomicBool::new(false)) == EpochEnd::Continues {}
    trainer.best_weights()
}

fn without_validation(generated: Generated) -> PreparedData {
    let split = Split { n_train: generated.n_train, n_valid: 0, scale: Scale::Unit };
    PreparedData::new(&generated.dataset(), split).unwrap()
}

fn bits(weights: &[LayerWeights]) -> Vec<u32> {
    let numbers = weights.iter().flat_map(|layer| layer.weights.iter().chain(&layer.bias));
    numbers.map(|x| x.to_bits()).collect()
}

#[test]
fn every_optimizer_learns() {
    let data = Generated { n_train: 300, n_test: 60, ..Generated::SPARSE }.prepare(Scale::Unit);
    for kind in OptimizerKind::ALL {
        let rate = match kind.name() {
            "sgd" | "backtracking" | "sls" => 0.3,
            "momentum" | "nesterov" => 0.05,
            _ => 0.003,
        };
        let changes = [
            ("learning_rate", Value::Number(rate)),
            ("epochs", Value::Count(12)),
            ("hidden", Value::Widths(vec![32])),
        ];
        let result = finish(trainer(&config(kind, &changes), &data));
        let (first, last) = (&result.history[0], &result.history[11]);
        assert!(last[TRAIN_LOSS] < 0.5 * first[TRAIN_LOSS], "{kind:?}: {last:?}");
        let Ending::Completed { test_accuracy, collapsed, .. } = result.ending else {
            panic!("{kind:?} diverged")
        };
        assert!(test_accuracy.unwrap() > 0.8 && !collapsed, "{kind:?}: {test_accuracy:?}");
    }
}

#[test]
fn backtracking_without_a_backtrack_is_sgd() {
    let wide = Generated { n_inputs: 45, ..Generated::SPARSE };
    // More inputs than samples in a batch, and fewer: with and without the Gram form.
    for generated in [wide, Generated { n_inputs: 6, ..wide }] {
        let data = Arc::new(without_validation(generated));
        let changes = [
            ("learning_rate", Value::Number(0.01)),
            ("decoupled_decay", Value::Number(0.1)),
            ("dropout", Value::Number(0.1)),
        ];
        let searched = config(optimizer("backtracking"), &changes);
        assert_eq!(finish(trainer(&searched, &data)).work.backtracks.unwrap().max, 0);
        let sgd = config(optimizer("sgd"), &changes);
        assert_eq!(bits(&last_weights(&searched, &data)), bits(&last_weights(&sgd, &data)));
    }
}

#[test]
fn skipping_zeros_changes_no_value() {
    let sparse = Arc::new(without_validation(Generated::SPARSE));
    let dense = Arc::new(without_validation(Generated::SPARSE).with_zeros());
    assert!(sparse.is_sparse() && !dense.is_sparse());
    for kind in OptimizerKind::ALL {
        let config = config(kind, &[]);
        // Equal as numbers: +0 and -0 are.
        assert_eq!(last_weights(&config, &sparse), last_weights(&config, &dense), "{kind:?}");
    }
}

#[test]
fn a_trial_resumed_after_any_epoch_ends_the_same() {
    let data = Generated::SPARSE.prepare(Scale::Unit);
    for kind in OptimizerKind::ALL {
        let changes = [
            ("epochs", Value::Count(4)),
            ("dropout", Value::Number(0.1)),
            ("learning_rate", Value::Number(0.1)),
        ];
        let config = config(kind, &changes);
        let undisturbed = finish(trainer(&config, &data));
        for n_epochs in 0..4 {
            let mut first = trainer(&config, &data);
            for _ in 0..n_epochs {
                assert_eq!(first.run_epoch(&AtomicBool::new(false)), EpochEnd::Continues);
            }
            let checkpoint = first.checkpoint();
            // An epoch that is thrown away leaves no trace.
            assert_eq!(first.run_epoch(&AtomicBool::new(true)), EpochEnd::Stopped);
            let resumed =
                Trainer::resume(config.clone(), Arc::clone(&data), Isa::Portable, &checkpoint);
            let resumed = resumed.unwrap();
            assert_eq!(resumed.history().len(), n_epochs);
            assert_eq!(finish(resumed), undisturbed, "{kind:?} after {n_epochs}");
        }
    }
}

#[test]
fn a_trial_that_leaves_the_finite_range_says_when() {
    let data = Generated::DENSE.prepare(Scale::Unit);
    let diverging = config(optimizer("sgd"), &[("learning_rate", Value::Number(1e30))]);
    let result = finish(trainer(&diverging, &data));
    let Ending::Diverged { step, last_finite_loss } = result.ending else { panic!("it converged") };
    assert!((2..8).contains(&step), "{step}");
    assert!(last_finite_loss.unwrap().is_finite());
    assert!(result.history.is_empty());
    assert_eq!(result.work.n_steps, step - 1);

    // A state that overflows spoils the weights while the last loss was finite still.
    let changes = [
        ("learning_rate", Value::Number(1e38)),
        ("batch_size", Value::Count(72)),
        ("epochs", Value::Count(3)),
    ];
    let result = finish(trainer(&config(optimizer("sgd"), &changes), &data));
    let Ending::Diverged { step, last_finite_loss } = result.ending else { panic!("it converged") };
    assert_eq!((step, result.history.len()), (1, 0));
    assert!(last_finite_loss.is_some());
}

#[test]
fn patience_ends_a_trial_early() {
    let data = Generated::SPARSE.prepare(Scale::Unit);
    let changes = [
        ("learning_rate", Value::Number(1e-9)),
        ("epochs", Value::Count(50)),
        ("patience", Value::Count(3)),
    ];
    let result = finish(trainer(&config(optimizer("sgd"), &changes), &data));
    assert_eq!(result.history.len(), 4, "nothing changes after the first epoch");
    assert!(matches!(result.ending, Ending::Completed { .. }));
}

#[test]
fn the_best_epoch_has_the_highest_accuracy_then_the_lowest_loss() {
    let data = Generated::SPARSE.prepare(Scale::Unit);
    let changes = [("epochs", Value::Count(15)), ("learning_rate", Value::Number(0.5))];
    let result = finish(trainer(&config(optimizer("sgd"), &changes), &data));
    let Ending::Completed { best_epoch, .. } = result.ending else { panic!("it diverged") };
    let best = result.history.iter().min_by(|a, b| {
        let by_accuracy = b[VALID_ACCURACY].total_cmp(&a[VALID_ACCURACY]);
        by_accuracy.then(a[VALID_LOSS].total_cmp(&b[VALID_LOSS])).then(a.epoch.cmp(&b.epoch))
    });
    assert_eq!(best_epoch, best.unwrap().epoch);
    assert!(best_epoch < 15, "the case would prove little");
}

#[test]
fn dead_units_are_flagged() {
    let data = Generated::SPARSE.prepare(Scale::Unit);
    let changes = [("learning_rate", Value::Number(1e-9)), ("hidden", Value::Widths(vec![1]))];
    let result = finish(trainer(&config(optimizer("sgd"), &changes), &data));
    assert!(matches!(result.ending, Ending::Completed { collapsed: true, .. }), "{result:?}");
}

#[test]
fn without_a_validation_part_the_last_epoch_is_the_best() {
    let data = Arc::new(without_validation(Generated::SPARSE));
    let result = finish(trainer(&config(optimizer("sgd"), &[]), &data));
    let Ending::Completed { best_epoch, test_accuracy, collapsed } = result.ending else {
        panic!("it diverged")
    };
    assert_eq!((best_epoch, collapsed), (2, false));
    assert!(test_accuracy.is_some());
}

#[test]
fn work_is_counted_by_the_contracts_forms() {
    let data = Arc::new(without_validation(Generated::SPARSE));
    let used: usize = (0..90).map(|row| data.train.n_used(row)).sum();
    let count = |kind, rate| -> TrialResult {
        let changes = [("epochs", Value::Count(1)), ("learning_rate", Value::Number(rate))];
        finish(trainer(&config(kind, &changes), &data))
    };
    let (first, above) = (45 * 17, 17 * 10 + 10 * 5);
    let sgd = count(optimizer("sgd"), 0.01).work;
    assert_eq!((sgd.n_steps, sgd.grad_samples, sgd.probe_samples), (13, 90, 0));
    assert_eq!(sgd.macs_textbook, 90 * (2 * first + 3 * above));
    assert_eq!(sgd.macs_executed, 2 * used as u64 * 17 + 90 * 3 * above);
    let searched = count(optimizer("backtracking"), 0.01).work;
    assert_eq!(searched.probe_samples, 90);
    assert_eq!(searched.macs_textbook, sgd.macs_textbook + 90 * (first + above));
    // Twelve batches of 7 and one of 6.
    let gram = (12 * 49 + 36) * (45 + 2 * 17);
    assert_eq!(searched.macs_executed, sgd.macs_executed + gram + 90 * above);
    let far = count(optimizer("backtracking"), 1000.0);
    let backtracks = far.work.backtracks.unwrap();
    assert!(backtracks.mean > 0.0 && backtracks.p95 <= backtracks.max);
    assert_eq!(far.history[0][N_BACKTRACKS], (backtracks.mean * 13.0).round() as u64);
    assert_eq!(far.work.probe_samples, far.history[0][PROBE_SAMPLES]);
}

#[test]
fn a_batch_or_network_that_cannot_be_is_refused() {
    let data = Generated::SPARSE.prepare(Scale::Unit);
    let refusal = |changes: &[(&'static str, Value)]| {
        Trainer::new(config(optimizer("sgd"), changes), Arc::clone(&data), best_isa()).err()
    };
    assert_eq!(
        refusal(&[("batch_size", Value::Count(73))]),
        Some(TrainError::BatchTooLarge { batch_size: 73, n_train: 72 })
    );
    let wide = [("hidden", Value::Widths(vec![16_384; 3]))];
    assert!(matches!(refusal(&wide), Some(TrainError::TooLarge { .. })));
    assert!(refusal(&[("batch_size", Value::Count(72))]).is_none());
}
