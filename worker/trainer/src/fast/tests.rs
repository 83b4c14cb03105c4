//! Every instruction set of this machine gives what the reference gives, bit for bit.

use std::sync::Arc;

use proptest::prelude::*;
use trial::{Scale, Value};

use super::FastNetwork;
use crate::config::{OptimizerKind, TrainConfig};
use crate::data::PreparedData;
use crate::isa::Isa;
use crate::model::network::{Batch, Network, initial_parameters, layer_shapes};
use crate::optimizers::OptimizerState;
use crate::reference::PlainNetwork;
use crate::testing::{Generated, config, finish, optimizer};
use crate::trial::trainer::Trainer;

fn assert_equal_everywhere(config: &TrainConfig, data: &Arc<PreparedData>) {
    let reference = finish(Trainer::reference(config.clone(), Arc::clone(data)).unwrap());
    for isa in Isa::available() {
        let result = finish(Trainer::new(config.clone(), Arc::clone(data), isa).unwrap());
        assert_eq!(result, reference, "{} with {config:?}", isa.name());
    }
}

fn all_data() -> [Arc<PreparedData>; 4] {
    let [sparse, dense, standard] = [
        Generated::SPARSE.prepare(Scale::Unit),
        Generated::DENSE.prepare(Scale::Unit),
        Generated::SPARSE.prepare(Scale::Standard),
    ];
    assert!(sparse.is_sparse() && !dense.is_sparse() && !standard.is_sparse());
    // Inputs that are constant in training standardize to zeros.
    let constant = Generated { often: 1, seldom: 0, n_train: 20, ..Generated::SPARSE };
    let constant = constant.prepare(Scale::Standard);
    assert!(constant.is_sparse());
    [sparse, dense, standard, constant]
}

#[test]
fn every_optimizer_with_regularization_on_every_form_of_data() {
    for data in all_data() {
        for kind in OptimizerKind::ALL {
            let mut changes = vec![
                ("dropout", Value::Number(0.2)),
                ("label_smoothing", Value::Number(0.1)),
                ("learning_rate", Value::Number(0.3)),
            ];
            if !kind.is_line_search() {
                changes.push(("weight_decay", Value::Number(0.01)));
            }
            if !kind.decays_decoupled() {
                changes.push(("decoupled_decay", Value::Number(0.02)));
            }
            assert_equal_everywhere(&config(kind, &changes), &data);
        }
    }
}

#[test]
fn batches_and_widths_that_fit_no_register() {
    let all = all_data();
    for (data, batch_size) in all[..2].iter().flat_map(|data| [1, 7, 33].map(|b| (data, b))) {
        for width in [1, 10, 17, 100, 257] {
            for kind in [optimizer("sgd"), optimizer("adam"), optimizer("backtracking")] {
                let changes = [
                    ("batch_size", Value::Count(batch_size)),
                    ("hidden", Value::Widths(vec![width, 12])),
                    ("epochs", Value::Count(1)),
                ];
                assert_equal_everywhere(&config(kind, &changes), data);
            }
        }
    }
}

/// Deltas that exceed the first-level cache, and several blocks of mirrored rows.
#[test]
fn batches_that_fit_no_cache() {
    let data = Generated { n_inputs: 130, n_train: 450, ..Generated::SPARSE }.prepare(Scale::Unit);
    for batch_size in [100, 128, 200] {
        for kind in [optimizer("sgd"), optimizer("backtracking")] {
            let changes = [
                ("batch_size", Value::Count(batch_size)),
                ("hidden", Value::Widths(vec![257])),
                ("epochs", Value::Count(1)),
            ];
            assert_equal_everywhere(&config(kind, &changes), &data);
        }
    }
}

#[test]
fn large_batches_of_many_inputs() {
    let data = Generated { n_inputs: 700, n_train: 500, ..Generated::SPARSE }.prepare(Scale::Unit);
    for batch_size in [190, 200] {
        let changes = [
            ("batch_size", Value::Count(batch_size)),
            ("hidden", Value::Widths(vec![5])),
            ("epochs", Value::Count(1)),
        ];
        assert_equal_everywhere(&config(optimizer("sgd"), &changes), &data);
    }
}

/// A unit that is always zero hides the infinite weights above it, one whose delta is always zero
/// those below.
#[test]
fn infinite_weights_that_meet_zeros_alone_leave_the_rest_finite() {
    const HIDDEN: [u32; 2] = [20, 9];
    let data = Generated::SPARSE.prepare(Scale::Unit);
    let changes = [("hidden", Value::Widths(HIDDEN.to_vec()))];
    let config = config(optimizer("sgd"), &changes);
    let shapes = layer_shapes(&config, &data);
    let mut parameters = initial_parameters(1, &shapes);
    let second = shapes[0].n_parameters();
    let bias_of_unit_3 = shapes[0].n_weights() + 3;
    parameters[bias_of_unit_3] = -1e9;
    let weights = &mut parameters[second..];
    weights[3 * 9..][..9].fill(f32::INFINITY);
    // From the other inputs to unit 5.
    (0..20).filter(|&input| input != 3).for_each(|input| weights[input * 9 + 5] = -f32::INFINITY);
    let rows: Vec<u32> = (0..config.batch_size).collect();
    let batch = Batch { rows: &rows, next_rows: &[], step: 1, wants_norm: false };
    let stepped = |network: &mut dyn Network| {
        network.write_parameters(&parameters);
        let step = network.step(batch, &mut OptimizerState::new(&config, 10));
        assert!(step.loss_sum.is_finite());
        let mut after = parameters.clone();
        network.read_parameters(&mut after);
        let n_finite = |numbers: &[f32]| numbers.iter().filter(|w| w.is_finite()).count();
        assert_eq!(n_finite(&after), n_finite(&parameters));
        assert_ne!(after, parameters);
        after
    };
    let reference = stepped(&mut PlainNetwork::new(&config, Arc::clone(&data)));
    for isa in Isa::available() {
        let fast = stepped(&mut FastNetwork::new(&config, Arc::clone(&data), isa));
        assert_eq!(fast, reference, "{}", isa.name());
    }
}

/// An infinite delta does not reach the weights from a unit that is zero.
#[test]
fn an_infinite_delta_that_meets_a_zero_changes_nothing() {
    let data = Generated::SPARSE.prepare(Scale::Unit);
    let changes = [("hidden", Value::Widths(vec![20, 9])), ("batch_size", Value::Count(1))];
    let config = config(optimizer("sgd"), &changes);
    let shapes = layer_shapes(&config, &data);
    let mut parameters = initial_parameters(1, &shapes);
    parameters[shapes[0].n_weights() + 3] = -1e9;
    let (second, third) = (shapes[0].n_parameters(), shapes[1].n_parameters());
    // Unit 5 gives 1e-37 whatever it reads, and its huge weights above answer wrongly.
    let weights = &mut parameters[second..];
    (0..20).for_each(|input| weights[input * 9 + 5] = 0.0);
    weights[20 * 9 + 5] = 1e-37;
    let n_classes = shapes[2].n_out;
    let label = usize::from(data.train.labels[0]);
    weights[third + 5 * n_classes..][..n_classes].fill(3e38);
    weights[third + 5 * n_classes + label] = -3e38;
    let batch = Batch { rows: &[0], next_rows: &[], step: 1, wants_norm: false };
    let check = |network: &mut dyn Network, path: &str| {
        network.write_parameters(&parameters);
        let step = network.step(batch, &mut OptimizerState::new(&config, 10));
        assert!(step.loss_sum.is_finite(), "{path}");
        let mut after = parameters.clone();
        network.read_parameters(&mut after);
        assert!(!after[second + 20 * 9 + 5].is_finite(), "{path}: the delta is infinite");
        assert_eq!(after[second + 3 * 9 + 5], 0.0, "{path}");
    };
    check(&mut PlainNetwork::new(&config, Arc::clone(&data)), "reference");
    for isa in Isa::available() {
        check(&mut FastNetwork::new(&config, Arc::clone(&data), isa), isa.name());
    }
}

/// A finite rate that is infinite as f32 turns zero gradients into NaN, so no row may be left out.
#[test]
fn a_rate_that_is_infinite_as_f32_reaches_every_weight() {
    let data = Generated::SPARSE.prepare(Scale::Unit);
    let config = config(optimizer("sgd"), &[("learning_rate", Value::Number(1e39))]);
    let parameters = initial_parameters(1, &layer_shapes(&config, &data));
    let batch = Batch { rows: &[0], next_rows: &[], step: 1, wants_norm: false };
    let is_nan = |network: &mut dyn Network| -> Vec<bool> {
        network.write_parameters(&parameters);
        network.step(batch, &mut OptimizerState::new(&config, 10));
        let mut after = parameters.clone();
        network.read_parameters(&mut after);
        after.iter().map(|w| w.is_nan()).collect()
    };
    let reference = is_nan(&mut PlainNetwork::new(&config, Arc::clone(&data)));
    assert!(reference.contains(&true) && reference.contains(&false));
    for isa in Isa::available() {
        let fast = is_nan(&mut FastNetwork::new(&config, Arc::clone(&data), isa));
        assert!(fast == reference, "{}", isa.name());
    }
}

/// Infinite weights, activations and deltas meet zeros, which are left out and hide them.
#[test]
fn numbers_that_leave_the_finite_range() {
    for data in &all_data()[..2] {
        for kind in OptimizerKind::ALL {
            for rate in [3.0, 30.0, 1e4, 1e20] {
                let changes = [
                    ("learning_rate", Value::Number(rate)),
                    ("dropout", Value::Number(0.5)),
                    ("hidden", Value::Widths(vec![70, 9])),
                ];
                assert_equal_everywhere(&config(kind, &changes), data);
            }
        }
    }
}

#[test]
fn no_hidden_layer_and_many() {
    for data in &all_data()[..2] {
        for hidden in [vec![], vec![33], vec![5, 40, 3, 20]] {
            for kind in OptimizerKind::ALL {
                let changes = [("hidden", Value::Widths(hidden.clone()))];
                assert_equal_everywhere(&config(kind, &changes), data);
            }
        }
    }
}

#[test]
fn two_to_a_thousand_classes() {
    for (n_classes, n_train) in [(2, 330), (17, 330), (257, 330), (1000, 1250)] {
        let data = Generated { n_classes, n_train, ..Generated::SPARSE };
        let data = data.prepare(Scale::Unit);
        for kind in [optimizer("sgd"), optimizer("backtracking")] {
            let changes = [("label_smoothing", Value::Number(0.1)), ("epochs", Value::Count(1))];
            assert_equal_everywhere(&config(kind, &changes), &data);
        }
    }
}

/// More samples in a batch than inputs: the gradient is stored and multiplied.
#[test]
fn line_searches_without_the_gram_form() {
    for data in all_data() {
        for kind in [optimizer("backtracking"), optimizer("sls")] {
            let batch_size = u64::min(50, data.n_train() as u64);
            let few = Generated { n_inputs: 9, ..Generated::SPARSE }.prepare(Scale::Unit);
            for data in [&data, &few] {
                let changes = [
                    ("batch_size", Value::Count(batch_size)),
                    ("learning_rate", Value::Number(2.0)),
                    ("hidden", Value::Widths(vec![20])),
                ];
                assert_equal_everywhere(&config(kind, &changes), data);
            }
        }
    }
}

#[test]
fn steps_that_diverge() {
    for data in &all_data()[..2] {
        for kind in OptimizerKind::ALL {
            let changes = [("learning_rate", Value::Number(1e30))];
            assert_equal_everywhere(&config(kind, &changes), data);
        }
    }
}

proptest! {
    // The sources of failures are printed; nothing is written to disk.
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_shape(
        n_inputs in 6..70_u32,
        often in 1..16_u32,
        hidden in prop::collection::vec(1..150_u32, 0..4),
        batch_size in 1..48_u64,
        kind in prop::sample::select(OptimizerKind::ALL.to_vec()),
        dropout in prop::sample::select(vec![0.0, 0.4]),
        rate in prop::sample::select(vec![0.001, 0.1, 3.0]),
    ) {
        let data = Generated { n_inputs, often, ..Generated::SPARSE }.prepare(Scale::Unit);
        let changes = [
            ("hidden", Value::Widths(hidden)),
            ("batch_size", Value::Count(batch_size)),
            ("dropout", Value::Number(dropout)),
            ("learning_rate", Value::Number(rate)),
            ("epochs", Value::Count(1)),
        ];
        assert_equal_everywhere(&config(kind, &changes), &data);
    }
}
