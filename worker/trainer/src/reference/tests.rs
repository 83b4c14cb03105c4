//! The definition against independent f64 arithmetic: finite differences, and what theory says of
//! line searches.

use std::sync::Arc;

use trial::{Scale, Value};

use super::PlainNetwork;
use crate::config::TrainConfig;
use crate::data::PreparedData;
use crate::model::network::{Batch, Network, initial_parameters, layer_shapes, n_parameters};
use crate::optimizers::OptimizerState;
use crate::reference::layers::{Forward, Rows, norm_squared};
use crate::testing::{Generated, config, optimizer};

const STEP: u64 = 5;
const ROWS: [u32; 6] = [3, 8, 1, 30, 22, 9];

fn network(config: &TrainConfig, data: &Arc<PreparedData>) -> (PlainNetwork, Vec<f32>) {
    let shapes = layer_shapes(config, data);
    let mut parameters = initial_parameters(config.seed, &shapes);
    // Biases other than zero, and no unit exactly at the kink.
    for (i, x) in parameters.iter_mut().enumerate().filter(|(_, x)| **x == 0.0) {
        *x = 0.01 * (1 + i % 7) as f32;
    }
    let mut network = PlainNetwork::new(config, Arc::clone(data));
    network.write_parameters(&parameters);
    (network, parameters)
}

fn samples(network: &PlainNetwork) -> (Rows, Vec<u16>) {
    network.samples(&network.data.train, ROWS.iter().map(|&row| row as usize))
}

/// Dropout's factor of each unit of each layer's input; ones for the samples.
fn masks(network: &PlainNetwork, pass: &Forward) -> Vec<Rows> {
    let ones = |rows: &Rows| rows.iter().map(|row| vec![1.0; row.len()]).collect::<Rows>();
    let mut masks: Vec<Rows> = pass.inputs.iter().map(ones).collect();
    for (layer, rows) in masks.iter_mut().enumerate().skip(1) {
        for (position, row) in rows.iter_mut().enumerate() {
            if let Some(dropout) = network.dropout {
                dropout.apply(STEP, layer, position, row);
            }
        }
    }
    masks
}

/// The batch's mean loss by textbook formulas in f64.
fn loss_f64(
    network: &PlainNetwork,
    parameters: &[f64],
    (samples, labels): &(Rows, Vec<u16>),
    masks: &[Rows],
    smoothing: f64,
) -> f64 {
    let mut total = 0.0;
    for (sample, &label) in labels.iter().enumerate() {
        let mut values: Vec<f64> = samples[sample].iter().map(|&x| x.into()).collect();
        let mut rest = parameters;
        for (layer, masks) in network.layers.iter().zip(masks) {
            let (weights, after) = rest.split_at(layer.weights.len());
            let (bias, after) = after.split_at(layer.bias.len());
            rest = after;
            if !std::ptr::eq(layer, &raw const network.layers[0]) {
                for (x, &mask) in values.iter_mut().zip(&masks[sample]) {
                    *x = if *x > 0.0 { *x * f64::from(mask) } else { 0.0 };
                }
            }
            let n_out = bias.len();
            let sum = |o: usize| {
                let terms = values.iter().enumerate().map(|(i, x)| x * weights[i * n_out + o]);
                terms.fold(bias[o], |sum, term| sum + term)
            };
            values = (0..n_out).map(sum).collect();
        }
        let normalizer = libm::log(values.iter().fold(0.0, |sum, &z| sum + libm::exp(z)));
        for (class, z) in values.iter().enumerate() {
            let right = if class == usize::from(label) { 1.0 - smoothing } else { 0.0 };
            total += (right + smoothing / values.len() as f64) * (normalizer - z);
        }
    }
    total / labels.len() as f64
}

#[test]
fn gradients_are_finite_differences_of_the_f64_loss() {
    for generated in [Generated::SPARSE, Generated::DENSE] {
        let data = generated.prepare(Scale::Unit);
        let changes = [("dropout", Value::Number(0.3)), ("label_smoothing", Value::Number(0.2))];
        let config = config(optimizer("sgd"), &changes);
        let (network, parameters) = network(&config, &data);
        let batch = samples(&network);
        let pass = network.forward(batch.0.clone(), Some(STEP));
        let masks = masks(&network, &pass);
        let (loss_sum, _, deltas) = network.loss(pass.sums.last().unwrap(), &batch.1);
        let (gradients, _) = network.backward(&pass, deltas);
        let mut gradient = vec![0.0; n_parameters(&layer_shapes(&config, &data))];
        super::read(&gradients, &mut gradient);

        let mut exact: Vec<f64> = parameters.iter().map(|&w| w.into()).collect();
        let loss = |parameters: &[f64]| loss_f64(&network, parameters, &batch, &masks, 0.2);
        assert!((loss_sum / ROWS.len() as f64 - loss(&exact)).abs() < 1e-6);
        for index in (0..exact.len()).step_by(3) {
            let w = exact[index];
            let h = 1e-6;
            exact[index] = w + h;
            let above = loss(&exact);
            exact[index] = w - h;
            let below = loss(&exact);
            exact[index] = w;
            let slope = (above - below) / (2.0 * h);
            let gradient = f64::from(gradient[index]);
            assert!((gradient - slope).abs() < 1e-6, "{index}: {gradient} but {slope}");
        }
    }
}

/// The squared norm by the Gram form is that of the stored gradient, and the loss that a probe
/// found is that of the next forward pass, but for rounding.
#[test]
fn the_gram_form_agrees_with_the_stored_gradient() {
    let data = Generated::SPARSE.prepare(Scale::Unit);
    let changes = [("dropout", Value::Number(0.2)), ("learning_rate", Value::Number(4.0))];
    let config = config(optimizer("backtracking"), &changes);
    let (mut network, _) = network(&config, &data);
    let mut optimizer = OptimizerState::new(&config, 10);
    let mut n_backtracks = 0;
    for step in 1..40 {
        let batch = samples(&network);
        let pass = network.forward(batch.0.clone(), Some(step));
        let (loss_sum, _, deltas) = network.loss(pass.sums.last().unwrap(), &batch.1);
        let (gradients, first_deltas) = network.backward(&pass, deltas);
        let stored = norm_squared(&gradients);
        let searched = crate::reference::layers::SearchedBatch {
            rows: &ROWS,
            labels: &batch.1,
            step,
            pass: &pass,
            gradients: &gradients,
            deltas: &first_deltas[0],
            loss: loss_sum / ROWS.len() as f64,
        };
        let (slopes, norm_squared) = network.line(&searched);
        assert!((norm_squared - stored).abs() <= 1e-5 * (1e-3 + stored), "{step}");
        let probes = |eta: f32| network.probe(&searched, &slopes, eta);
        let mut clone = optimizer.clone();
        let (_, search) = clone.search().unwrap().run(searched.loss, norm_squared, probes);
        let probed = network.probe(&searched, &slopes, search.accepted.unwrap());
        n_backtracks += search.n_backtracks;
        let told = network
            .step(Batch { rows: &ROWS, next_rows: &[], step, wants_norm: false }, &mut optimizer);
        assert_eq!(told.search, Some(search));
        let pass = network.forward(batch.0.clone(), Some(step));
        let (after, ..) = network.loss(pass.sums.last().unwrap(), &batch.1);
        let after = after / ROWS.len() as f64;
        assert!((after - probed).abs() <= 1e-5 * (1.0 + probed), "{after} but {probed}");
    }
    assert!(n_backtracks > 0, "a step of 4 is too long somewhere");
}
