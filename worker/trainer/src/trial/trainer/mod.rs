//! The training loop of one trial: epochs, history, the best weights, the end. What a step computes
//! is the network's matter.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use thiserror::Error;
use trial::known as k;
use trial::{Ending, EpochRecord, StepSizes, TrialResult};

use crate::config::TrainConfig;
use crate::data::PreparedData;
use crate::fast::FastNetwork;
use crate::isa::Isa;
use crate::measures::measures;
use crate::model::network::{
    Batch, Evaluation, LayerShape, Network, Role, Step, initial_parameters, layer_shapes,
};
use crate::model::size::{TooLarge, check_size};
use crate::model::work::WorkCount;
use crate::numerics::digest::trial_digest;
use crate::numerics::rng::shuffle;
use crate::optimizers::OptimizerState;
use crate::reference::PlainNetwork;
use crate::trial::result::Standing;

/// Steps between two looks at the stop flag.
const STEPS_PER_LOOK: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TrainError {
    #[error("batch_size {batch_size} exceeds the training set of {n_train} samples")]
    BatchTooLarge { batch_size: u32, n_train: usize },
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    #[error("checkpoint: {0}")]
    Checkpoint(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpochEnd {
    /// Another epoch follows.
    Continues,
    /// `into_result` has the result.
    Ends,
    /// The stop flag was seen; the trainer is of no more use.
    Stopped,
}

/// The best epoch so far with its weights in logical order.
#[derive(Clone, Debug)]
pub(crate) struct Best {
    /// Counts from 1; 0 before the first.
    pub epoch: u32,
    pub parameters: Vec<f32>,
}

/// Why and when a trial left the finite range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Divergence {
    pub step: u64,
    pub last_finite_loss: Option<f64>,
}

/// A trial in training, between two epochs.
pub struct Trainer {
    pub(crate) config: TrainConfig,
    pub(crate) data: Arc<PreparedData>,
    pub(crate) shapes: Vec<LayerShape>,
    pub(crate) network: Box<dyn Network>,
    pub(crate) optimizer: OptimizerState,
    pub(crate) history: Vec<EpochRecord>,
    /// Records of the epochs to come, so that none of them allocates.
    blank: Vec<EpochRecord>,
    pub(crate) work: WorkCount,
    pub(crate) best: Best,
    pub(crate) last_finite_loss: Option<f64>,
    /// The current weights in logical order; valid at an epoch's end.
    parameters: Vec<f32>,
    divergence: Option<Divergence>,
    order: Vec<u32>,
    step_sizes: Vec<f64>,
    /// Grows with each step, for those who watch.
    pulse: Option<Arc<AtomicU64>>,
}

impl Trainer {
    pub fn new(config: TrainConfig, data: Arc<PreparedData>, isa: Isa) -> Result<Self, TrainError> {
        check(&config, &data)?;
        let network = Box::new(FastNetwork::new(&config, Arc::clone(&data), isa));
        Ok(Self::with_network(config, data, network))
    }

    /// The definition instead of a fast path: the same results, far slower.
    pub fn reference(config: TrainConfig, data: Arc<PreparedData>) -> Result<Self, TrainError> {
        check(&config, &data)?;
        let network = Box::new(PlainNetwork::new(&config, Arc::clone(&data)));
        Ok(Self::with_network(config, data, network))
    }

    fn with_network(
        config: TrainConfig,
        data: Arc<PreparedData>,
        mut network: Box<dyn Network>,
    ) -> Self {
        let shapes = layer_shapes(&config, &data);
        let parameters = initial_parameters(config.seed, &shapes);
        network.write_parameters(&parameters);
        let batches_per_epoch = data.n_train().div_ceil(config.batch_size as usize);
        Self {
            optimizer: OptimizerState::new(&config, batches_per_epoch),
            work: WorkCount::new(&config, &data, &shapes),
            best: Best { epoch: 0, parameters: parameters.clone() },
            history: Vec::with_capacity(config.epochs as usize),
            blank: vec![EpochRecord::new(measures(), 0); config.epochs as usize],
            last_finite_loss: None,
            divergence: None,
            order: vec![0; data.n_train()],
            step_sizes: Vec::with_capacity(batches_per_epoch),
            parameters,
            config,
            data,
            shapes,
            network,
            pulse: None,
        }
    }

    /// Has this number grow with each step, so that others see that it gets on.
    pub fn set_pulse(&mut self, pulse: Arc<AtomicU64>) {
        self.pulse = Some(pulse);
    }

    /// Trains one epoch and validates. The stop flag is looked at every few steps.
    pub fn run_epoch(&mut self, stop: &AtomicBool) -> EpochEnd {
        if self.has_ended() {
            return EpochEnd::Ends;
        }
        crate::kernels::assert_default_rounding();
        let epoch = self.history.len() as u32 + 1;
        shuffle(self.config.seed, epoch, &mut self.order);
        let order = std::mem::take(&mut self.order);
        let trained = self.train_epoch(&order, stop);
        self.order = order;
        match trained {
            Trained::Stopped => EpochEnd::Stopped,
            Trained::Diverged => EpochEnd::Ends,
            Trained::All(totals) => self.finish_epoch(epoch, &totals),
        }
    }

    fn train_epoch(&mut self, order: &[u32], stop: &AtomicBool) -> Trained {
        self.work.start_epoch();
        self.step_sizes.clear();
        let mut totals = Totals { loss: 0.0, n_correct: 0, norm_squared: 0.0 };
        let batch_size = self.config.batch_size as usize;
        let n_batches = order.len().div_ceil(batch_size);
        for (index, rows) in order.chunks(batch_size).enumerate() {
            if index % STEPS_PER_LOOK == 0 && stop.load(Ordering::Relaxed) {
                return Trained::Stopped;
            }
            let wants_norm = index + 1 == n_batches;
            let number = self.work.n_steps() + 1;
            let next = &order[usize::min((index + 1) * batch_size, order.len())..];
            let next_rows = &next[..usize::min(batch_size, next.len())];
            let batch = Batch { rows, next_rows, step: number, wants_norm };
            let step = self.network.step(batch, &mut self.optimizer);
            let loss = step.loss_sum / rows.len() as f64;
            if !loss.is_finite() {
                self.diverge(number);
                return Trained::Diverged;
            }
            self.last_finite_loss = Some(loss);
            self.count(rows, &step);
            totals.loss += step.loss_sum;
            totals.n_correct += u64::from(step.n_correct);
            totals.norm_squared = step.norm_squared;
            self.tell_pulse();
        }
        Trained::All(totals)
    }

    fn tell_pulse(&self) {
        if let Some(pulse) = &self.pulse {
            pulse.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn count(&mut self, rows: &[u32], step: &Step) {
        self.work.count_step(&self.data, rows, step.search);
        if let Some(accepted) = step.search.and_then(|search| search.accepted) {
            self.step_sizes.push(accepted.into());
        }
    }

    fn finish_epoch(&mut self, epoch: u32, totals: &Totals) -> EpochEnd {
        let has_valid = self.data.n_valid() > 0;
        let valid = if has_valid {
            self.network.evaluate(Role::Valid)
        } else {
            Evaluation { loss: 0.0, accuracy: 0.0 }
        };
        let gradient_norm = totals.norm_squared.sqrt();
        self.network.read_parameters(&mut self.parameters);
        let weights_are_finite = self.parameters.iter().all(|w| w.is_finite());
        if !(valid.loss.is_finite() && weights_are_finite && gradient_norm.is_finite()) {
            self.diverge(self.work.n_steps());
            return EpochEnd::Ends;
        }
        let n = self.data.n_train() as f64;
        let blank = self.blank.pop();
        let mut record = blank.unwrap_or_else(|| EpochRecord::new(measures(), epoch));
        record.epoch = epoch;
        record[k::TRAIN_LOSS] = totals.loss / n;
        record[k::TRAIN_ACCURACY] = totals.n_correct as f64 / n;
        record[k::VALID_LOSS] = valid.loss;
        record[k::VALID_ACCURACY] = valid.accuracy;
        record[k::LEARNING_RATE] = self.config.learning_rate;
        StepSizes::put(step_sizes(&mut self.step_sizes), &mut record);
        record[k::N_BACKTRACKS] = self.work.epoch().n_backtracks;
        record[k::GRADIENT_NORM] = gradient_norm;
        record[k::GRAD_SAMPLES] = self.work.epoch().grad_samples;
        record[k::PROBE_SAMPLES] = self.work.epoch().probe_samples;
        self.history.push(record);
        if self.standing().best_epoch() == epoch {
            self.best.epoch = epoch;
            self.best.parameters.copy_from_slice(&self.parameters);
        }
        if self.has_ended() { EpochEnd::Ends } else { EpochEnd::Continues }
    }

    fn standing(&self) -> Standing {
        Standing::of(&self.history, self.data.n_valid() > 0)
    }

    fn diverge(&mut self, step: u64) {
        self.divergence = Some(Divergence { step, last_finite_loss: self.last_finite_loss });
    }

    fn has_ended(&self) -> bool {
        let has_valid = self.data.n_valid() > 0;
        self.divergence.is_some() || self.standing().has_ended(&self.config, has_valid)
    }

    pub fn history(&self) -> &[EpochRecord] {
        &self.history
    }

    /// The best epoch's weights, one entry a layer: logical `[in][out]` order, then its bias.
    pub fn best_weights(&self) -> Vec<LayerWeights> {
        let mut rest = &self.best.parameters[..];
        let split = |shape: &LayerShape| {
            let (weights, after) = rest.split_at(shape.n_weights());
            let (bias, after) = after.split_at(shape.n_out);
            rest = after;
            LayerWeights {
                n_in: shape.n_in,
                n_out: shape.n_out,
                weights: weights.into(),
                bias: bias.into(),
            }
        };
        self.shapes.iter().map(split).collect()
    }

    /// After `Ends`: evaluates the test set with the best weights and gives the result.
    pub fn into_result(mut self) -> TrialResult {
        let ending = match self.divergence {
            Some(Divergence { step, last_finite_loss }) => {
                Ending::Diverged { step, last_finite_loss }
            }
            None => self.completed(),
        };
        let digest = trial_digest(&ending, &self.parameters, &self.best.parameters, &self.history);
        TrialResult { ending, history: self.history, work: self.work.total(), digest }
    }

    /// Share of the test set that the current weights get right, if there is one.
    pub fn test_accuracy(&mut self) -> Option<f64> {
        (self.data.n_test() > 0).then(|| self.network.evaluate(Role::Test).accuracy)
    }

    fn completed(&mut self) -> Ending {
        self.network.read_parameters(&mut self.parameters);
        self.network.write_parameters(&self.best.parameters);
        let test_accuracy = self.test_accuracy();
        let (share, has_valid) = (self.data.largest_valid_share(), self.data.n_valid() > 0);
        let collapsed = self.standing().is_collapsed(share, has_valid);
        Ending::Completed { best_epoch: self.best.epoch, test_accuracy, collapsed }
    }

    pub(crate) fn n_states(&self) -> usize {
        self.config.optimizer.kind().n_states()
    }
}

/// A layer's numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerWeights {
    pub n_in: usize,
    pub n_out: usize,
    /// Row-major `[in][out]`.
    pub weights: Vec<f32>,
    pub bias: Vec<f32>,
}

/// How the steps of an epoch ended.
enum Trained {
    All(Totals),
    Diverged,
    Stopped,
}

/// Over an epoch's batches, in their order.
struct Totals {
    loss: f64,
    n_correct: u64,
    /// Squared gradient norm of the last batch.
    norm_squared: f64,
}

/// Least, lower median and largest; sorts.
fn step_sizes(sizes: &mut [f64]) -> Option<StepSizes> {
    sizes.sort_unstable_by(f64::total_cmp);
    let (min, max) = (*sizes.first()?, *sizes.last()?);
    Some(StepSizes { min, median: sizes[(sizes.len() - 1) / 2], max })
}

fn check(config: &TrainConfig, data: &PreparedData) -> Result<(), TrainError> {
    let batch_size = config.batch_size;
    if batch_size as usize > data.n_train() {
        return Err(TrainError::BatchTooLarge { batch_size, n_train: data.n_train() });
    }
    Ok(check_size(config, data.n_inputs(), data.n_classes())?)
}
