//! The network on the fast kernels: equal to `reference` bit for bit.

mod batch;
mod gradient;
mod layer;
mod panels;
mod search;
pub mod search_direction;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::config::TrainConfig;
use crate::data::{Part, PreparedData};
use crate::fast::search_direction::SearchDirection;
use crate::isa::Isa;
use crate::kernels::{Active, ActiveRows, ByInput, FindActive, Floats, Kernels, Source};
use crate::model::dropout::Dropout;
use crate::model::loss::{Targets, softmax};
use crate::model::network::{Batch, Evaluation, Network, Role, Step, layer_shapes};
use crate::numerics::sum::LaneSum;
use crate::optimizers::OptimizerState;
use batch::{Asked, EVALUATION_ROWS, Gathered, Upcoming};
use layer::{Input, Layer, Scratch};
use panels::{Panels, TRANSPOSED_WIDTH, padded, row_stride};

/// All memory is allocated by `new`.
#[derive(Debug)]
pub(crate) struct FastNetwork {
    kernels: &'static Kernels,
    data: Arc<PreparedData>,
    targets: Targets,
    dropout: Option<Dropout>,
    layers: Vec<Layer>,
    /// What each layer gave, through ReLU and dropout but for the last: the logits.
    outputs: Vec<Floats>,
    /// Which of them are not zero; the logits have none.
    active: Vec<Active>,
    /// Gradients of the layers' sums.
    deltas: Vec<Floats>,
    batch: Gathered,
    upcoming: Upcoming,
    scratch: Scratch,
    line: Option<SearchDirection>,
}

/// Parts of a forward pass that the next rows' values are asked for in.
const N_SHARES: usize = 2;

/// Which numbers a forward pass takes above the first layer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Weights {
    Current,
    Probe,
}

impl FastNetwork {
    pub(crate) fn new(config: &TrainConfig, data: Arc<PreparedData>, isa: Isa) -> Self {
        let shapes = layer_shapes(config, &data);
        let is_searched = config.optimizer.kind().is_line_search();
        let n_states = config.optimizer.kind().n_states();
        let layer = |(index, shape)| {
            let panels = Panels::new(shape, index > 0 || data.is_sparse());
            Layer::new(panels, n_states, is_searched && index > 0)
        };
        let layers: Vec<Layer> = shapes.iter().copied().enumerate().map(layer).collect();
        let batch_size = config.batch_size as usize;
        let capacity = padded(batch_size.max(EVALUATION_ROWS));
        let rows = |layer: &Layer| Floats::zeros(capacity * layer.stride());
        // Evaluations stop at the logits.
        let trained = padded(batch_size);
        let trained_rows = |layer: &Layer| Floats::zeros(trained * layer.stride());
        let widest = layers.iter().map(Layer::stride).max().unwrap_or(0);
        Self {
            kernels: Kernels::of(isa),
            targets: Targets::smoothed(config.label_smoothing, data.n_classes()),
            dropout: Dropout::new(config.dropout, config.seed),
            outputs: layers.iter().map(rows).collect(),
            active: layers[..layers.len() - 1]
                .iter()
                .map(|layer| Active::new(capacity, layer.panels.shape.n_out))
                .collect(),
            deltas: layers.iter().map(trained_rows).collect(),
            upcoming: Upcoming::with_capacity(capacity),
            batch: Gathered::new(&data, capacity, batch_size),
            scratch: Scratch {
                active: Active::new(trained, widest),
                weights: Floats::zeros(widest * row_stride(TRANSPOSED_WIDTH)),
            },
            line: is_searched.then(|| SearchDirection::new(batch_size, &data, layers[0].stride())),
            layers,
            data,
        }
    }

    /// The gathered samples through all layers; dropout acts in training steps alone.
    fn forward(&mut self, part: &Part, training_step: Option<u64>) {
        batch::prefetch(part, self.upcoming.all(), Asked::Records);
        let n = self.batch.len();
        let first = &self.layers[0];
        let sums = match &mut self.line {
            // A line search comes back to the first layer's sums before ReLU.
            Some(line) if training_step.is_some() => &mut line.sums,
            _ => &mut self.outputs[0],
        };
        let is_training = training_step.is_some();
        let numbers = (first, &first.current);
        self.batch.first_sums(self.kernels, part, numbers, is_training, sums);
        if let (Some(line), Some(_)) = (&self.line, training_step) {
            let used = n * first.stride();
            self.outputs[0][..used].copy_from_slice(&line.sums[..used]);
        }
        self.activate(0, training_step);
        self.prefetch_share(part);
        self.forward_above(Weights::Current, training_step);
        self.prefetch_share(part);
    }

    /// Asks for a part of what the next pass reads.
    fn prefetch_share(&mut self, part: &Part) {
        batch::prefetch(part, self.upcoming.share(N_SHARES), Asked::Values);
    }

    /// Goes on above the first layer, whose output is there.
    fn forward_above(&mut self, weights: Weights, training_step: Option<u64>) {
        for index in 1..self.layers.len() {
            let layer = &self.layers[index];
            let numbers = match (weights, &layer.probe) {
                (Weights::Probe, Some(probe)) => probe,
                _ => &layer.current,
            };
            let (below, outputs) = self.outputs.split_at_mut(index);
            let source = Source::Units(ActiveRows {
                values: &below[index - 1],
                stride: self.layers[index - 1].stride(),
                active: &self.active[index - 1],
            });
            layer.sparse_affine(self.kernels, numbers, source, &mut outputs[0]);
            self.activate(index, training_step);
        }
    }

    /// ReLU and dropout of a hidden layer's sums; logits stay.
    fn activate(&mut self, index: usize, training_step: Option<u64>) {
        if index + 1 == self.layers.len() {
            return;
        }
        let stride = self.layers[index].stride();
        let rows = &mut self.outputs[index][..self.batch.len() * stride];
        self.kernels.relu(rows);
        if let (Some(dropout), Some(step)) = (self.dropout, training_step) {
            let n_out = self.layers[index].panels.shape.n_out;
            for (position, row) in rows.chunks_exact_mut(stride).enumerate() {
                dropout.apply(step, index + 1, position, &mut row[..n_out]);
            }
        }
        self.kernels.find_active(FindActive {
            rows,
            stride,
            n_rows: self.batch.len(),
            n_cols: self.layers[index].panels.shape.n_out,
            active: &mut self.active[index],
        });
    }

    /// Adds the losses of the gathered samples by their position (a chunk of more than one begins
    /// at a multiple of 16) and counts correct answers; the logits become probabilities.
    fn add_losses(&mut self, losses: &mut LaneSum, targets: Targets) -> u32 {
        let last = self.layers.len() - 1;
        let (stride, n_classes) = (self.layers[last].stride(), self.data.n_classes());
        let mut n_correct = 0;
        let rows = self.outputs[last].chunks_exact_mut(stride);
        for (position, (row, &label)) in rows.zip(&self.batch.labels).enumerate() {
            let exp = |row: &mut [f32], max| self.kernels.exp_below(row, max);
            let sample = softmax(row, n_classes, label.into(), targets, exp);
            losses.add(position, sample.loss);
            n_correct += u32::from(sample.is_correct);
        }
        n_correct
    }

    /// Lane sum of the batch's losses, and the correct answers.
    fn batch_loss(&mut self) -> (f64, u32) {
        let mut losses = LaneSum::new();
        let n_correct = self.add_losses(&mut losses, self.targets);
        (losses.total(), n_correct)
    }

    /// The gradient of every layer's sums, from the probabilities down.
    fn backward(&mut self) {
        let n = self.batch.len();
        let last = self.layers.len() - 1;
        let stride = self.layers[last].stride();
        let share = (1.0 / n as f64) as f32;
        let rows = self.outputs[last].chunks_exact(stride).zip(&self.batch.labels);
        for ((row, &label), out) in rows.zip(self.deltas[last].chunks_exact_mut(stride)) {
            let classes = row[..self.data.n_classes()].iter().enumerate();
            for ((class, &p), out) in classes.zip(out) {
                *out = (p - self.targets.of(class, label.into())) * share;
            }
        }
        let scale = self.dropout.map(|dropout| dropout.scale);
        for index in (1..=last).rev() {
            let (below, above) = self.deltas.split_at_mut(index);
            let inputs = &self.outputs[index - 1];
            self.layers[index].input_gradient(
                self.kernels,
                &above[0],
                (inputs, &mut below[index - 1]),
                n,
                scale,
                &mut self.scratch,
            );
        }
    }

    /// Does something with each layer from `from` on: the layer, what it read, its sums' gradient.
    fn each_layer(&mut self, from: usize, mut act: impl FnMut(&mut Layer, Input<'_>, &[f32])) {
        for index in from..self.layers.len() {
            let input = match index.checked_sub(1) {
                None => self.batch.input(self.kernels, self.data.n_inputs()),
                Some(below) => {
                    let active = &mut self.active[below];
                    self.kernels.turn(active);
                    Input::Sparse(ByInput {
                        active,
                        values: &self.outputs[below],
                        sample_stride: self.layers[below].stride(),
                        input_stride: 1,
                    })
                }
            };
            act(&mut self.layers[index], input, &self.deltas[index]);
        }
    }

    /// Squared norm of the stored gradients of layers `from..`.
    fn norm_squared(&self, from: usize) -> f64 {
        let mut sum = LaneSum::new();
        self.layers[from..].iter().for_each(|layer| layer.add_squares(self.kernels, &mut sum));
        sum.total()
    }
}

impl Network for FastNetwork {
    fn step(&mut self, batch: Batch<'_>, optimizer: &mut OptimizerState) -> Step {
        let data = Arc::clone(&self.data);
        self.batch.gather(&data.train, batch.rows.iter().copied());
        self.upcoming.announce(batch.next_rows.iter().copied());
        self.forward(&data.train, Some(batch.step));
        let (loss_sum, n_correct) = self.batch_loss();
        let mut step = Step { loss_sum, n_correct, norm_squared: 0.0, search: None };
        let n = batch.rows.len();
        if !(loss_sum / n as f64).is_finite() {
            return step;
        }
        if let Some(line) = &self.line {
            line.prefetch_pixels(&self.data, batch.rows);
        }
        self.backward();
        let kernels = self.kernels;
        if optimizer.search().is_some() {
            let (norm_squared, search) = self.search(batch, loss_sum / n as f64, optimizer);
            return Step { norm_squared, search: Some(search), ..step };
        }
        let update = optimizer.next_update();
        if batch.wants_norm {
            self.each_layer(0, |layer, input, deltas| {
                layer.store_gradient(kernels, input, deltas, n);
            });
            step.norm_squared = self.norm_squared(0);
            self.layers.iter_mut().for_each(|layer| layer.descend_stored(kernels, update));
        } else {
            self.each_layer(0, |layer, input, deltas| {
                layer.descend(kernels, update, input, deltas, n);
            });
        }
        step
    }

    fn evaluate(&mut self, role: Role) -> Evaluation {
        let data = Arc::clone(&self.data);
        let part = match role {
            Role::Valid => &data.valid,
            Role::Test => &data.test,
        };
        let (mut losses, mut n_correct) = (LaneSum::new(), 0_u64);
        let rows_from = |from: usize| {
            let to = usize::min(from + EVALUATION_ROWS, part.len());
            from as u32..to as u32
        };
        for from in (0..part.len()).step_by(EVALUATION_ROWS) {
            self.batch.gather(part, rows_from(from));
            self.upcoming.announce(rows_from(from + EVALUATION_ROWS));
            self.forward(part, None);
            n_correct += u64::from(self.add_losses(&mut losses, Targets::PLAIN));
        }
        let n = part.len() as f64;
        Evaluation { loss: losses.total() / n, accuracy: n_correct as f64 / n }
    }

    fn read_parameters(&self, out: &mut [f32]) {
        layer::read(&self.layers, |layer| &layer.current, out);
    }

    fn write_parameters(&mut self, parameters: &[f32]) {
        layer::write(&mut self.layers, |layer| &mut layer.current, parameters);
    }

    fn read_state(&self, index: usize, out: &mut [f32]) {
        layer::read(&self.layers, |layer| &layer.states[index], out);
    }

    fn write_state(&mut self, index: usize, state: &[f32]) {
        layer::write(&mut self.layers, |layer| &mut layer.states[index], state);
    }
}
