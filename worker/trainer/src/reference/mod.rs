//! The numerics contract as plain loops: what a step and an evaluation are, bit for bit. `NUMERICS.md`
//! says the same in words; every fast path equals this code in all its results.

pub mod layers;
mod line_search;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::config::TrainConfig;
use crate::data::{Part, PreparedData};
use crate::kernels::Update;
use crate::model::dropout::Dropout;
use crate::model::loss::{SampleLoss, Targets, exp_each, softmax};
use crate::model::network::{Batch, Evaluation, LayerShape, Network, Role, Step, layer_shapes};
use crate::numerics::sum::{LaneSum, lane_sum};
use crate::optimizers::OptimizerState;
use crate::reference::layers::{Forward, Layer, Rows, chain, norm_squared};

pub(crate) use crate::model::gram::{PIXEL_ONE, uses_gram_form};

/// The network in logical order, computed element by element.
#[derive(Debug)]
pub(crate) struct PlainNetwork {
    data: Arc<PreparedData>,
    batch_size: usize,
    targets: Targets,
    dropout: Option<Dropout>,
    layers: Vec<Layer>,
    states: [Vec<Layer>; 2],
}

fn relu(z: f32) -> f32 {
    if z < 0.0 { 0.0 } else { z }
}

fn answer(logits: &mut [f32], label: u16, targets: Targets) -> SampleLoss {
    softmax(logits, logits.len(), label.into(), targets, exp_each)
}

impl PlainNetwork {
    pub(crate) fn new(config: &TrainConfig, data: Arc<PreparedData>) -> Self {
        let zeros: Vec<Layer> = layer_shapes(config, &data).into_iter().map(Layer::zeros).collect();
        Self {
            batch_size: config.batch_size as usize,
            targets: Targets::smoothed(config.label_smoothing, data.n_classes()),
            dropout: Dropout::new(config.dropout, config.seed),
            states: [zeros.clone(), zeros.clone()],
            layers: zeros,
            data,
        }
    }

    /// Rows of samples through all layers. A dense first layer takes all terms, others skip
    /// zeros; dropout acts in training steps alone.
    fn forward(&self, samples: Rows, training_step: Option<u64>) -> Forward {
        let sums = self.affine(&self.layers[0], &samples, self.data.is_sparse());
        self.forward_from(
            &self.layers,
            Forward { inputs: vec![samples], sums: vec![sums] },
            training_step,
        )
    }

    /// Goes on above the first layer, whose sums are there.
    fn forward_from(
        &self,
        layers: &[Layer],
        mut pass: Forward,
        training_step: Option<u64>,
    ) -> Forward {
        for (below, layer) in layers[1..].iter().enumerate() {
            let mut rows = pass.sums[below].clone();
            for (position, row) in rows.iter_mut().enumerate() {
                row.iter_mut().for_each(|z| *z = relu(*z));
                if let (Some(dropout), Some(step)) = (self.dropout, training_step) {
                    dropout.apply(step, below + 1, position, row);
                }
            }
            pass.sums.push(self.affine(layer, &rows, true));
            pass.inputs.push(rows);
        }
        pass
    }

    /// inputs x weights + bias: the accumulator starts at the bias, inputs ascending.
    fn affine(&self, layer: &Layer, inputs: &Rows, skips_zeros: bool) -> Rows {
        let output = |row: &[f32], output: usize| {
            let terms = row.iter().enumerate().filter(|&(_, &x)| !skips_zeros || x != 0.0);
            let terms = terms.map(|(input, &x)| (x, layer.weight(input, output)));
            chain(layer.bias[output], terms)
        };
        inputs.iter().map(|row| (0..layer.shape.n_out).map(|o| output(row, o)).collect()).collect()
    }

    /// Lane sum of the batch's losses, correct answers, and the logits' gradient.
    fn loss(&self, logits: &Rows, labels: &[u16]) -> (f64, u32, Rows) {
        let mut deltas = logits.clone();
        let (mut losses, mut n_correct) = (LaneSum::new(), 0);
        let share = (1.0 / labels.len() as f64) as f32;
        for (position, (row, &label)) in deltas.iter_mut().zip(labels).enumerate() {
            let sample = answer(row, label, self.targets);
            losses.add(position, sample.loss);
            n_correct += u32::from(sample.is_correct);
            for (class, p) in row.iter_mut().enumerate() {
                *p = (*p - self.targets.of(class, label.into())) * share;
            }
        }
        (losses.total(), n_correct, deltas)
    }

    /// The gradient of every layer, and the gradients of every layer's sums.
    fn backward(&self, pass: &Forward, logit_deltas: Rows) -> (Vec<Layer>, Vec<Rows>) {
        let mut deltas = vec![logit_deltas];
        for (layer, inputs) in self.layers.iter().zip(&pass.inputs).skip(1).rev() {
            let above = deltas.last().expect("the logits' are there");
            deltas.push(self.input_gradient(layer, above, inputs));
        }
        deltas.reverse();
        let gradients = (0..self.layers.len()).map(|index| {
            let skips_zeros = index > 0 || self.data.is_sparse();
            weight_gradient(
                self.layers[index].shape,
                &pass.inputs[index],
                &deltas[index],
                skips_zeros,
            )
        });
        (gradients.collect(), deltas)
    }

    /// deltas x weights transposed, outputs ascending, through dropout and ReLU: what was not kept
    /// or not positive gets +0.
    fn input_gradient(&self, layer: &Layer, deltas: &Rows, inputs: &Rows) -> Rows {
        let element = |deltas: &[f32], input: usize, h: f32| {
            let terms = deltas.iter().enumerate().filter(|&(_, &d)| d != 0.0);
            let terms = terms.map(|(o, &d)| (d, layer.weight(input, o)));
            let gradient = chain(0.0, terms);
            let gradient = self.dropout.map_or(gradient, |dropout| gradient * dropout.scale);
            if h > 0.0 { gradient } else { 0.0 }
        };
        let row = |(deltas, inputs): (&Vec<f32>, &Vec<f32>)| {
            inputs.iter().enumerate().map(|(input, &h)| element(deltas, input, h)).collect()
        };
        deltas.iter().zip(inputs).map(row).collect()
    }

    fn update(&mut self, gradients: &[Layer], update: Update) {
        let [firsts, seconds] = &mut self.states;
        for (((layer, gradient), first), second) in
            self.layers.iter_mut().zip(gradients).zip(firsts).zip(seconds)
        {
            let weights = (&mut layer.weights[..], &gradient.weights[..]);
            let biases = (&mut layer.bias[..], &gradient.bias[..]);
            apply_all(update, weights, &mut first.weights, &mut second.weights);
            apply_all(update.for_biases(), biases, &mut first.bias, &mut second.bias);
        }
    }

    fn samples(&self, part: &Part, rows: impl Iterator<Item = usize>) -> (Rows, Vec<u16>) {
        let read = |row| {
            let mut sample = vec![0.0; self.data.n_inputs()];
            part.write_dense(row, &mut sample);
            (sample, part.labels[row])
        };
        rows.map(read).unzip()
    }
}

/// inputs transposed x deltas from +0, samples ascending; the bias's inputs are ones.
fn weight_gradient(shape: LayerShape, inputs: &Rows, deltas: &Rows, skips_zeros: bool) -> Layer {
    let mut gradient = Layer::zeros(shape);
    for output in 0..shape.n_out {
        for input in 0..shape.n_in {
            let terms = inputs.iter().zip(deltas).map(|(x, d)| (x[input], d[output]));
            let terms = terms.filter(|&(x, _)| !skips_zeros || x != 0.0);
            gradient.weights[input * shape.n_out + output] = chain(0.0, terms);
        }
        gradient.bias[output] = chain(0.0, deltas.iter().map(|d| (1.0, d[output])));
    }
    gradient
}

fn apply_all(
    update: Update,
    (weights, gradients): (&mut [f32], &[f32]),
    firsts: &mut [f32],
    seconds: &mut [f32],
) {
    for (((weight, &gradient), first), second) in
        weights.iter_mut().zip(gradients).zip(firsts).zip(seconds)
    {
        let mut state = [*first, *second];
        update.apply(weight, gradient, &mut state);
        [*first, *second] = state;
    }
}

impl Network for PlainNetwork {
    fn step(&mut self, batch: Batch<'_>, optimizer: &mut OptimizerState) -> Step {
        let rows = batch.rows.iter().map(|&row| row as usize);
        let (samples, labels) = self.samples(&self.data.train, rows);
        let pass = self.forward(samples, Some(batch.step));
        let logits = pass.sums.last().expect("there is a layer");
        let (loss_sum, n_correct, logit_deltas) = self.loss(logits, &labels);
        let mut step = Step { loss_sum, n_correct, norm_squared: 0.0, search: None };
        if !(loss_sum / labels.len() as f64).is_finite() {
            return step;
        }
        let (gradients, deltas) = self.backward(&pass, logit_deltas);
        if optimizer.search().is_some() {
            let batch = crate::reference::layers::SearchedBatch {
                rows: batch.rows,
                labels: &labels,
                step: batch.step,
                pass: &pass,
                gradients: &gradients,
                deltas: &deltas[0],
                loss: loss_sum / labels.len() as f64,
            };
            let (update, norm_squared, search) = self.search(&batch, optimizer);
            step.norm_squared = norm_squared;
            step.search = Some(search);
            if let Some(update) = update {
                self.update(&gradients, update);
            }
            return step;
        }
        if batch.wants_norm {
            step.norm_squared = norm_squared(&gradients);
        }
        self.update(&gradients, optimizer.next_update());
        step
    }

    fn evaluate(&mut self, role: Role) -> Evaluation {
        let part = match role {
            Role::Valid => &self.data.valid,
            Role::Test => &self.data.test,
        };
        let (samples, labels) = self.samples(part, 0..part.len());
        let mut logits = self.forward(samples, None).sums.pop().expect("there is a layer");
        let answers = logits.iter_mut().zip(&labels);
        let losses: Vec<_> =
            answers.map(|(row, &label)| answer(row, label, Targets::PLAIN)).collect();
        let n = labels.len() as f64;
        let n_correct = losses.iter().filter(|sample| sample.is_correct).count();
        let loss = lane_sum(losses.iter().map(|sample| sample.loss)) / n;
        Evaluation { loss, accuracy: n_correct as f64 / n }
    }

    fn read_parameters(&self, out: &mut [f32]) {
        read(&self.layers, out);
    }

    fn write_parameters(&mut self, parameters: &[f32]) {
        write(&mut self.layers, parameters);
    }

    fn read_state(&self, index: usize, out: &mut [f32]) {
        read(&self.states[index], out);
    }

    fn write_state(&mut self, index: usize, state: &[f32]) {
        write(&mut self.states[index], state);
    }
}

fn read(layers: &[Layer], mut out: &mut [f32]) {
    for numbers in layers.iter().flat_map(|layer| [&layer.weights, &layer.bias]) {
        let (first, rest) = out.split_at_mut(numbers.len());
        first.copy_from_slice(numbers);
        out = rest;
    }
}

fn write(layers: &mut [Layer], mut from: &[f32]) {
    for numbers in layers.iter_mut().flat_map(|layer| [&mut layer.weights, &mut layer.bias]) {
        let (first, rest) = from.split_at(numbers.len());
        numbers.copy_from_slice(first);
        from = rest;
    }
}
