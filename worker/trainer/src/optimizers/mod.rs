//! The optimizers: each is a file with its formula, source and rule, and a row of the table.
//! `NUMERICS.md` fixes every rounding.

pub mod adam;
pub mod definition;
pub mod line_search;
mod lion;
mod momentum;
mod rmsprop;
mod sgd;
mod state;

use crate::optimizers::definition::Definition;
use crate::optimizers::line_search::{backtracking, sls};

pub(crate) use state::OptimizerState;

/// Every optimizer, in the order of reports.
pub(crate) const OPTIMIZERS: &[&Definition] = &[
    &sgd::SGD,
    &momentum::MOMENTUM,
    &momentum::NESTEROV,
    &adam::ADAM,
    &adam::ADAMW,
    &rmsprop::RMSPROP,
    &lion::LION,
    &backtracking::BACKTRACKING,
    &sls::SLS,
];

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use trial::Value;

    use super::*;
    use crate::config::{self, TrainConfig};
    use crate::optimizers::definition::N_NUMBERS;

    pub(crate) fn config(optimizer: &str, learning_rate: f64) -> TrainConfig {
        let values = BTreeMap::from([
            ("optimizer".to_string(), Value::Text(optimizer.into())),
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
    fn every_row_is_complete() {
        for (i, &optimizer) in OPTIMIZERS.iter().enumerate() {
            let name = optimizer.name;
            assert!(OPTIMIZERS[..i].iter().all(|other| other.name != name), "{name} twice");
            assert!(optimizer.keys.len() <= N_NUMBERS, "{name}");
            for &(key, default) in optimizer.keys {
                let key = config::key(key).expect(key);
                assert!(
                    key.allows(&config::value_of(key, default)),
                    "{default} as {} of {name}",
                    key.name
                );
            }
            let has = |key| optimizer.keys.iter().any(|&(own, _)| own == key);
            assert_eq!(has("armijo_c"), optimizer.search.is_some(), "{name}");
        }
        for key in config::KEYS {
            let mut kinds = config::OptimizerKind::ALL.into_iter();
            assert!(kinds.any(|kind| key.is_used_by(kind.name())), "nobody uses {}", key.name);
        }
    }

    /// The states that a rule says it has are those that a step changes, and what says that it is
    /// plain descent is.
    #[test]
    fn rules_are_what_they_say() {
        for kind in config::OptimizerKind::ALL {
            let mut optimizer = OptimizerState::new(&config(kind.name(), 0.1), 1);
            let update = optimizer.update(0.1);
            let (mut w, mut states) = (1.0, [0.5; 2]);
            update.apply(&mut w, 0.3, &mut states);
            let n_changed = states.into_iter().filter(|&state| state != 0.5).count();
            assert_eq!(n_changed, kind.n_states(), "{}", kind.name());
            let descended = (-0.1_f32).mul_add(0.3, 1.0);
            assert!(update.plain_rate().is_none_or(|rate| rate == 0.1 && w == descended));
        }
        assert!(OptimizerState::new(&config("sgd", 0.1), 1).update(0.1).plain_rate().is_some());
    }
}
