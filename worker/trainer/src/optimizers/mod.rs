//! The update rules: from a trial's optimizer to the f32 scalars of one step, and the arithmetic of
//! one weight. Each file states its formula and source; `NUMERICS.md` fixes every rounding.

mod adam;
pub mod line_search;
mod lion;
mod momentum;
mod rmsprop;
pub mod rule;

pub(crate) use line_search::LineSearch;

use crate::config::{Optimizer, TrainConfig};
use crate::optimizers::rule::Rule;

/// State elements below this become +0, because idle ones would otherwise stay in the subnormals,
/// where arithmetic is many times slower.
pub(crate) const SMALLEST_STATE: f32 = f32::from_bits((127 - 100) << 23); // 2^-100

/// How one step changes weights. Biases never decay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Update {
    pub rule: Rule,
    /// L2: g = fma(l2, w, g).
    pub l2: Option<f32>,
    /// Decoupled: w = w * keep before the rule.
    pub keep: Option<f32>,
}

impl Update {
    pub(crate) fn for_biases(self) -> Self {
        Self { l2: None, keep: None, ..self }
    }

    /// The rate, if this is w = fma(-rate, g, w) alone and the rate is finite as f32: then a row whose
    /// gradient is +0 stays as it is and need not be visited.
    pub(crate) fn plain_rate(&self) -> Option<f32> {
        match *self {
            Self { rule: Rule::Sgd { lr }, l2: None, keep: None } => lr.is_finite().then_some(lr),
            _ => None,
        }
    }

    /// The plain definition for one element; `state` are the rule's own numbers.
    pub(crate) fn apply(&self, weight: &mut f32, gradient: f32, state: &mut [f32; 2]) {
        let mut w = *weight;
        let mut g = gradient;
        if let Some(l2) = self.l2 {
            g = l2.mul_add(w, g);
        }
        if let Some(keep) = self.keep {
            w *= keep;
        }
        *weight = match self.rule {
            Rule::Sgd { lr } => (-lr).mul_add(g, w),
            Rule::Momentum { lr, mu } => momentum::heavy_ball(lr, mu, w, g, state),
            Rule::Nesterov { lr, mu } => momentum::nesterov(lr, mu, w, g, state),
            Rule::Adam { a, b1, c1, b2, c2, e } => {
                adam::apply([a, e], [b1, c1], [b2, c2], w, g, state)
            }
            Rule::RmsProp { lr, alpha, c, eps } => rmsprop::apply(lr, [alpha, c], eps, w, g, state),
            Rule::Lion { lr, b1, c1, b2, c2 } => lion::apply(lr, [b1, c1], [b2, c2], w, g, state),
        };
        for s in state {
            if s.abs() < SMALLEST_STATE {
                *s = 0.0;
            }
        }
    }
}

/// How many state numbers each weight has under an optimizer.
pub(crate) fn n_states(optimizer: &Optimizer) -> usize {
    match optimizer {
        Optimizer::Sgd | Optimizer::Backtracking { .. } | Optimizer::Sls { .. } => 0,
        Optimizer::Momentum { .. }
        | Optimizer::Nesterov { .. }
        | Optimizer::RmsProp { .. }
        | Optimizer::Lion { .. } => 1,
        Optimizer::Adam { .. } | Optimizer::AdamW { .. } => 2,
    }
}

/// The f64 scalars of an optimizer that change from step to step.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OptimizerState {
    optimizer: Optimizer,
    learning_rate: f64,
    weight_decay: f64,
    decoupled_decay: f64,
    /// Running products of beta1 and beta2.
    powers: [f64; 2],
    search: Option<LineSearch>,
}

impl OptimizerState {
    pub(crate) fn new(config: &TrainConfig, batches_per_epoch: usize) -> Self {
        let decoupled = config.optimizer.kind().decays_decoupled();
        Self {
            optimizer: config.optimizer,
            learning_rate: config.learning_rate,
            weight_decay: if decoupled { 0.0 } else { config.weight_decay },
            decoupled_decay: if decoupled { config.weight_decay } else { config.decoupled_decay },
            powers: [1.0; 2],
            search: LineSearch::new(config, batches_per_epoch),
        }
    }

    /// The line search, if the optimizer is one.
    pub(crate) fn search(&mut self) -> Option<&mut LineSearch> {
        self.search.as_mut()
    }

    /// Advances to the next step of an optimizer that is no line search.
    pub(crate) fn next_update(&mut self) -> Update {
        let lr = self.learning_rate;
        let rule = match self.optimizer {
            Optimizer::Sgd | Optimizer::Backtracking { .. } | Optimizer::Sls { .. } => {
                Rule::Sgd { lr: lr as f32 }
            }
            Optimizer::Momentum { momentum } => {
                Rule::Momentum { lr: lr as f32, mu: momentum as f32 }
            }
            Optimizer::Nesterov { momentum } => {
                Rule::Nesterov { lr: lr as f32, mu: momentum as f32 }
            }
            Optimizer::Adam { beta1, beta2, eps } | Optimizer::AdamW { beta1, beta2, eps } => {
                adam::rule(lr, [beta1, beta2], eps, &mut self.powers)
            }
            Optimizer::RmsProp { alpha, eps } => Rule::RmsProp {
                lr: lr as f32,
                alpha: alpha as f32,
                c: (1.0 - alpha) as f32,
                eps: eps as f32,
            },
            Optimizer::Lion { beta1, beta2 } => Rule::Lion {
                lr: lr as f32,
                b1: beta1 as f32,
                c1: (1.0 - beta1) as f32,
                b2: beta2 as f32,
                c2: (1.0 - beta2) as f32,
            },
        };
        let l2 = (self.weight_decay != 0.0).then_some(self.weight_decay as f32);
        Update { rule, l2, keep: self.keep(lr) }
    }

    /// The update that takes a line search's step: sgd at that rate.
    pub(crate) fn accepted_update(&self, step_size: f64) -> Update {
        let rule = Rule::Sgd { lr: step_size as f32 };
        Update { rule, l2: None, keep: self.keep(step_size) }
    }

    fn keep(&self, rate: f64) -> Option<f32> {
        let decays = self.decoupled_decay != 0.0;
        decays.then_some((1.0 - rate * self.decoupled_decay) as f32)
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

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use trial::Value;

    use super::*;
    use crate::config::OptimizerKind;

    pub(crate) fn config(optimizer: OptimizerKind, learning_rate: f64) -> TrainConfig {
        let values = BTreeMap::from([
            ("optimizer".to_string(), Value::Text(optimizer.name().into())),
            ("learning_rate".to_string(), Value::Number(learning_rate)),
            ("batch_size".to_string(), Value::Count(1)),
            ("hidden".to_string(), Value::Widths(vec![])),
        ]);
        TrainConfig::from_values(&values, 1).unwrap()
    }

    /// Runs a rule on f(w) = 3/2 (w - 2)^2 from w = 5 and gives each w.
    pub(crate) fn descend(config: &TrainConfig, n_steps: usize) -> Vec<f64> {
        let mut optimizer = OptimizerState::new(config, 1);
        let (mut w, mut state) = (5.0_f32, [0.0; 2]);
        let mut path = Vec::new();
        for _ in 0..n_steps {
            let gradient = 3.0 * (w - 2.0);
            optimizer.next_update().apply(&mut w, gradient, &mut state);
            path.push(f64::from(w));
        }
        path
    }

    pub(crate) fn assert_close(path: &[f64], expected: impl Iterator<Item = f64>) {
        for (step, (&w, expected)) in path.iter().zip(expected).enumerate() {
            assert!((w - expected).abs() < 2e-5, "step {}: {w} but {expected}", step + 1);
        }
    }

    #[test]
    fn sgd_with_both_decays_follows_f64() {
        let mut config = config(OptimizerKind::Sgd, 0.1);
        config.weight_decay = 0.01;
        config.decoupled_decay = 0.02;
        let mut w = 5.0_f64;
        let expected = std::iter::repeat_with(|| {
            let g = 3.0 * (w - 2.0) + 0.01 * w;
            w = w * (1.0 - 0.1 * 0.02) - 0.1 * g;
            w
        });
        assert_close(&descend(&config, 30), expected);
    }

    #[test]
    fn small_state_becomes_zero_and_other_state_stays() {
        let update = Update { rule: Rule::Momentum { lr: 0.1, mu: 0.5 }, l2: None, keep: None };
        let limit = 1.0 / (1_u128 << 100) as f32;
        for (before, after) in [(1.9 * limit, 0.0), (2.0 * limit, limit)] {
            let mut state = [before, 0.0];
            update.apply(&mut 1.0, 0.0, &mut state);
            assert_eq!(state[0], after);
        }
    }
}
