//! The search for a step size along the negative gradient, by Armijo's test on the batch's loss.

pub mod backtracking;
pub mod sls;

use crate::config::TrainConfig;
use crate::optimizers::definition::SearchStart;

/// Room for rounding in the test, as a share of the loss.
const SLACK: f64 = 1.0 / (1 << 20) as f64;
const SLS_FALLBACK_STEP: f64 = 1e-6;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LineSearch {
    armijo_c: f64,
    shrink: f64,
    max_probes: u32,
    step_size: f64,
    memory: Memory,
}

/// What a search knows of the steps before.
#[derive(Clone, Debug, PartialEq)]
enum Memory {
    /// Nothing: each step starts here.
    Forgets { start: f64 },
    /// The last step size, growing.
    Grows { factor: f64, cap: f64 },
}

impl LineSearch {
    /// `None` if the optimizer is not a line search.
    pub(crate) fn new(config: &TrainConfig, batches_per_epoch: usize) -> Option<Self> {
        let start = config.learning_rate;
        let number = |name| config.optimizer.number(name);
        let memory = match config.optimizer.kind().definition().search? {
            SearchStart::LearningRate => Memory::Forgets { start },
            SearchStart::LastStep => {
                let factor = libm::exp2(1.0 / batches_per_epoch as f64);
                Memory::Grows { factor, cap: number("max_step")? }
            }
        };
        Some(Self {
            armijo_c: number("armijo_c")?,
            shrink: number("shrink")?,
            max_probes: config.optimizer.max_probes()?,
            step_size: start,
            memory,
        })
    }

    /// The least and the largest step that can be accepted.
    pub(crate) fn step_range(&self) -> (f64, f64) {
        // An infinite step is never accepted.
        let rounded = |step: f64| match step as f32 {
            step if step.is_finite() => f64::from(step),
            _ => f64::from(f32::MAX),
        };
        match self.memory {
            Memory::Forgets { start } => {
                let least = (1..self.max_probes).fold(start, |step, _| step * self.shrink);
                (rounded(least), rounded(start))
            }
            // It goes on from the step before, so that there is no least one.
            Memory::Grows { cap, .. } => (0.0, rounded(cap)),
        }
    }

    pub(crate) fn step_size(&self) -> f64 {
        self.step_size
    }

    pub(crate) fn set_step_size(&mut self, step_size: f64) {
        self.step_size = step_size;
    }

    /// Searches from the batch's loss f and the gradient's squared norm; `probe` gives the loss at
    /// a step size. The step to take, if any, and what the search did.
    pub(crate) fn run(
        &mut self,
        f: f64,
        norm_squared: f64,
        mut probe: impl FnMut(f32) -> f64,
    ) -> (Option<f64>, Search) {
        let mut search = Search { accepted: None, n_probes: 0, n_backtracks: 0 };
        if norm_squared == 0.0 {
            return (None, search);
        }
        self.step_size = match self.memory {
            Memory::Forgets { start } => start,
            Memory::Grows { factor, cap } => {
                let grown = self.step_size * factor;
                if cap < grown { cap } else { grown }
            }
        };
        while search.n_probes < self.max_probes {
            let rounded = self.step_size as f32;
            search.n_probes += 1;
            if self.accepts(f, norm_squared, rounded.into(), probe(rounded)) {
                search.accepted = Some(rounded);
                return (Some(self.step_size), search);
            }
            search.n_backtracks += 1;
            self.step_size *= self.shrink;
        }
        let fallback = matches!(self.memory, Memory::Grows { .. }).then_some(SLS_FALLBACK_STEP);
        (fallback, search)
    }

    /// Armijo's test; NaN and infinity fail it.
    fn accepts(&self, f: f64, norm_squared: f64, eta: f64, f_new: f64) -> bool {
        f_new.is_finite() && f_new <= f - self.armijo_c * eta * norm_squared + SLACK * f
    }
}

/// What a line search did in a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Search {
    /// The step size as used; `None` when every probe was refused.
    pub accepted: Option<f32>,
    pub n_probes: u32,
    pub n_backtracks: u32,
}

#[cfg(test)]
mod tests {
    use trial::Value;

    use super::*;
    use crate::optimizers::tests::config;
    use crate::testing;

    /// Searches on f(w) = L/2 w^2 at w = 1, where Armijo accepts iff eta <= 2 (1 - c) / L (but for
    /// the slack, far smaller than the margins here).
    fn search(search: &mut LineSearch, curvature: f64) -> (Option<f64>, Search) {
        let loss = |eta: f32| {
            let w = 1.0 - f64::from(eta) * curvature;
            curvature / 2.0 * w * w
        };
        search.run(curvature / 2.0, curvature * curvature, loss)
    }

    #[test]
    fn backtracking_accepts_exactly_what_theory_accepts() {
        for armijo_c in [1e-4, 0.1, 0.5, 0.9] {
            for curvature in [0.3, 1.0, 7.0, 100.0] {
                let changes = [("learning_rate", 1.0), ("armijo_c", armijo_c), ("shrink", 0.7)];
                let changes = changes.map(|(name, x)| (name, Value::Number(x)));
                let config = testing::config(testing::optimizer("backtracking"), &changes);
                let (accepted, told) = search(&mut LineSearch::new(&config, 1).unwrap(), curvature);
                let (mut eta, mut n_backtracks) = (1.0, 0);
                while eta > 2.0 * (1.0 - armijo_c) / curvature {
                    eta *= 0.7;
                    n_backtracks += 1;
                }
                assert_eq!((accepted, told.n_backtracks), (Some(eta), n_backtracks));
            }
        }
    }

    #[test]
    fn sls_grows_up_to_its_cap_and_remembers() {
        let mut sls = LineSearch::new(&config("sls", 0.5), 2).unwrap();
        let taken: Vec<f64> = (0..12).filter_map(|_| search(&mut sls, 0.1).0).collect();
        assert!((taken[1] - 1.0).abs() < 1e-12, "it doubles in two steps: {taken:?}");
        assert_eq!(taken[11], 10.0);
    }

    #[test]
    fn when_every_probe_fails_backtracking_stays_and_sls_falls_back() {
        for (name, expected) in [("backtracking", None), ("sls", Some(SLS_FALLBACK_STEP))] {
            let mut line_search = LineSearch::new(&config(name, 1.0), 1).unwrap();
            let (step, told) = line_search.run(1.0, 1.0, |_| f64::NAN);
            assert_eq!(step, expected);
            assert_eq!(told.accepted, None);
            assert_eq!(told.n_probes, line_search.max_probes);
            assert_eq!(told.n_backtracks, line_search.max_probes);
        }
    }

    #[test]
    fn no_gradient_means_no_probe() {
        let mut line_search = LineSearch::new(&config("sls", 1.0), 1).unwrap();
        let (step, told) = line_search.run(1.0, 0.0, |_| unreachable!("nothing to search"));
        assert_eq!((step, told.n_probes), (None, 0));
    }
}
