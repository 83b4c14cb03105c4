//! An optimizer at work: what changes from step to step, and the update of each.

use crate::config::{Optimizer, TrainConfig};
use crate::kernels::Update;
use crate::optimizers::definition::Decay;
use crate::optimizers::line_search::LineSearch;

/// The f64 scalars of an optimizer that change from step to step.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OptimizerState {
    optimizer: Optimizer,
    learning_rate: f64,
    weight_decay: f64,
    decoupled_decay: f64,
    /// The running products of the rule's scalars.
    powers: [f64; 2],
    search: Option<LineSearch>,
}

impl OptimizerState {
    pub(crate) fn new(config: &TrainConfig, batches_per_epoch: usize) -> Self {
        let (weight_decay, decoupled_decay) = match config.optimizer.kind().definition().decay {
            Decay::Coupled => (config.weight_decay, config.decoupled_decay),
            Decay::Decoupled => (0.0, config.weight_decay),
        };
        Self {
            optimizer: config.optimizer,
            learning_rate: config.learning_rate,
            weight_decay,
            decoupled_decay,
            powers: [1.0; 2],
            search: LineSearch::new(config, batches_per_epoch),
        }
    }

    /// The line search, if the optimizer is one.
    pub(crate) fn search(&mut self) -> Option<&mut LineSearch> {
        self.search.as_mut()
    }

    /// Advances to the next step of an optimizer that is not a line search.
    pub(crate) fn next_update(&mut self) -> Update {
        self.update(self.learning_rate)
    }

    /// Advances to the next step, at the rate that a line search accepted.
    pub(crate) fn update(&mut self, rate: f64) -> Update {
        let definition = self.optimizer.kind().definition();
        let keep = 1.0 - rate * self.decoupled_decay;
        Update {
            rule: &definition.rule,
            scalars: (definition.scalars)(rate, self.optimizer.numbers(), &mut self.powers),
            l2: (self.weight_decay != 0.0).then_some(self.weight_decay as f32),
            keep: (self.decoupled_decay != 0.0).then_some(keep as f32),
        }
    }

    /// What a checkpoint keeps.
    pub(crate) fn scalars(&self) -> [f64; 3] {
        [self.powers[0], self.powers[1], self.search.as_ref().map_or(0.0, LineSearch::step_size)]
    }

    pub(crate) fn restore(&mut self, [power1, power2, step_size]: [f64; 3]) {
        self.powers = [power1, power2];
        if let Some(search) = &mut self.search {
            search.set_step_size(step_size);
        }
    }
}
