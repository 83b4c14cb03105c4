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

/// Every optimizer, in the order of reports; one that joins comes last.
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
    use crate::config::{self, OptimizerKind, TrainConfig};
    use crate::optimizers::definition::N_NUMBERS;
    use crate::optimizers::line_search::LineSearch;

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
        for kind in OptimizerKind::ALL {
            let row = kind.definition();
            assert_eq!(OptimizerKind::from_name(row.name), Some(kind), "{kind:?} twice");
            assert!(row.keys.len() <= N_NUMBERS, "{kind:?}");
            for &(name, default) in row.keys {
                let key = config::key(name).expect(name);
                let default = config::value_of(key, default);
                assert!(key.allows(&default), "{default:?} as {name} of {kind:?}");
                assert_eq!(key.default_for(kind.name()), Some(default), "{name} is everyone's");
            }
            let config = config(row.name, 0.1);
            let is_line_search = kind.is_line_search();
            assert_eq!(LineSearch::new(&config, 1).is_some(), is_line_search, "{kind:?}");
            assert_eq!(config.optimizer.max_probes().is_some(), is_line_search, "{kind:?}");
        }
        for key in config::KEYS {
            let mut kinds = OptimizerKind::ALL.into_iter();
            assert!(kinds.any(|kind| key.is_used_by(kind.name())), "nobody uses {}", key.name);
        }
    }

    /// The states that a rule says it has are those that a step changes, and what says that it is
    /// plain descent is.
    #[test]
    fn rules_are_what_they_say() {
        for kind in OptimizerKind::ALL {
            let mut optimizer = OptimizerState::new(&config(kind.name(), 0.1), 1);
            let update = optimizer.update(0.1);
            let (mut w, mut states) = (1.0, [0.5; 2]);
            update.apply(&mut w, 0.3, &mut states);
            let n_changed = states.into_iter().filter(|&state| state != 0.5).count();
            assert_eq!(n_changed, kind.n_states(), "{kind:?}");
            let descended = (-0.1_f32).mul_add(0.3, 1.0);
            assert!(update.plain_rate().is_none_or(|rate| rate == 0.1 && w == descended));
        }
        assert!(OptimizerState::new(&config("sgd", 0.1), 1).update(0.1).plain_rate().is_some());
    }
}
