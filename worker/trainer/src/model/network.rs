//! What the training loop asks of a network, whichever path computes it: steps and evaluations by
//! the contract, and its numbers in logical order.

use crate::config::TrainConfig;
use crate::data::PreparedData;
use crate::numerics::rng::{Purpose, draw};
use crate::optimizers::OptimizerState;
use crate::optimizers::line_search::Search;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LayerShape {
    pub n_in: usize,
    pub n_out: usize,
}

impl LayerShape {
    pub(crate) fn n_weights(self) -> usize {
        self.n_in * self.n_out
    }

    pub(crate) fn n_parameters(self) -> usize {
        self.n_weights() + self.n_out
    }
}

/// The layers of a trial's network, input side first; the last one gives the logits.
pub(crate) fn layer_shapes(config: &TrainConfig, data: &PreparedData) -> Vec<LayerShape> {
    shapes(config, data.n_inputs(), data.n_classes())
}

pub(crate) fn shapes(config: &TrainConfig, n_inputs: usize, n_classes: usize) -> Vec<LayerShape> {
    let hidden = config.hidden.iter().map(|&width| width as usize);
    let widths: Vec<usize> = [n_inputs].into_iter().chain(hidden).chain([n_classes]).collect();
    widths.windows(2).map(|pair| LayerShape { n_in: pair[0], n_out: pair[1] }).collect()
}

/// Weights and biases of a network in logical order: layers ascending, weights `[in][out]`, bias.
pub(crate) fn n_parameters(shapes: &[LayerShape]) -> usize {
    shapes.iter().map(|shape| shape.n_parameters()).sum()
}

const OUTPUT_LAYER_ID: u32 = u32::MAX;

/// He's uniform distribution (arXiv 1502.01852) by counters, so that networks of another depth or
/// width share what they have in common; biases +0.
pub(crate) fn initial_parameters(seed: u32, shapes: &[LayerShape]) -> Vec<f32> {
    let mut parameters = Vec::with_capacity(n_parameters(shapes));
    for (index, shape) in shapes.iter().enumerate() {
        let layer = if index + 1 == shapes.len() { OUTPUT_LAYER_ID } else { index as u32 + 1 };
        let bound = (6.0 / shape.n_in as f64).sqrt();
        for input in 0..shape.n_in {
            for output in 0..shape.n_out {
                let counter = [layer, input as u32, output as u32, 0];
                let [u, ..] = draw(seed, Purpose::InitialWeights, counter);
                let unit = f64::from(u >> 8) / f64::from(1 << 24);
                parameters.push(((2.0 * unit - 1.0) * bound) as f32);
            }
        }
        parameters.resize(parameters.len() + shape.n_out, 0.0);
    }
    parameters
}

/// Which part of the data an evaluation reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Valid,
    Test,
}

/// A batch as the loop hands it over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch<'a> {
    /// Rows of the training split.
    pub rows: &'a [u32],
    /// Those of the next batch, so that they can be fetched in time.
    pub next_rows: &'a [u32],
    /// The global step, counted from 1.
    pub step: u64,
    /// Whether the gradient's norm is wanted although the update does not need it.
    pub wants_norm: bool,
}

/// What a step tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    /// Lane sum of the samples' losses before the update. Not finite: no update was made.
    pub loss_sum: f64,
    pub n_correct: u32,
    /// Squared norm of the batch loss's gradient; 0 when it was neither wanted nor needed.
    pub norm_squared: f64,
    pub search: Option<Search>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Evaluation {
    /// Mean over the part.
    pub loss: f64,
    /// Share from 0 to 1.
    pub accuracy: f64,
}

/// Implemented by `reference` (plain loops, the definition) and `fast`, bit for bit alike.
pub(crate) trait Network: Send {
    /// Measures a batch and, if its loss is finite, updates the weights.
    fn step(&mut self, batch: Batch<'_>, optimizer: &mut OptimizerState) -> Step;
    fn evaluate(&mut self, role: Role) -> Evaluation;
    fn read_parameters(&self, out: &mut [f32]);
    fn write_parameters(&mut self, parameters: &[f32]);
    /// State number `index` of the optimizer, in the order of the parameters.
    fn read_state(&self, index: usize, out: &mut [f32]);
    fn write_state(&mut self, index: usize, state: &[f32]);
}
