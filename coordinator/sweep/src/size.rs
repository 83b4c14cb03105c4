//! Size: refuses networks that no trainer would train, and tells what memory the others need.

use trainer::{Elements, MAX_ELEMENTS, TrainConfig};
use trial::Scale;

use super::plan::Plan;
use crate::file::problem::{Problem, Span};
use crate::space::points::Configs;

/// What the trainer would refuse, at the key that `span` finds the place of.
pub(crate) fn check(
    config: &TrainConfig,
    n_inputs: u32,
    n_classes: u32,
    span: impl Fn(&str) -> Span,
) -> Result<(), Problem> {
    trainer::check_size(config, n_inputs as usize, n_classes as usize).map_err(|error| {
        let (key, message, help) = match error.of {
            Elements::Weights => {
                ("hidden", "the network is too large to train", "use fewer or narrower layers")
            }
            Elements::Activations => (
                "batch_size",
                "the batches are too large to train",
                "use smaller batches or narrower layers",
            ),
        };
        let label = format!("{} {}, the limit is {MAX_ELEMENTS}", error.n, error.of.name());
        Problem::at(span(key), message, label).help(help)
    })
}

impl Plan {
    /// Estimated bytes that a slot needs for the largest point.
    pub fn slot_bytes(&self) -> u64 {
        let mut configs = Configs::new(&self.points);
        let (n_inputs, n_classes) = (self.facts.n_inputs as usize, self.facts.n_classes as usize);
        let bytes = |point| {
            let config = configs.config(point, self.seeds[0]);
            let config = config.expect("planning built every point's configuration");
            trainer::slot_bytes(&config, n_inputs, n_classes)
        };
        (0..self.points.len()).map(bytes).max().unwrap_or(0)
    }

    /// Estimated bytes of the data in a worker, which all its slots share: as it came, and prepared.
    pub fn data_bytes(&self) -> u64 {
        let n_rows = f64::from(self.facts.n_train_rows) + f64::from(self.facts.n_test_rows);
        let n_values = n_rows * f64::from(self.facts.n_inputs);
        let share = self.facts.nonzero_share;
        let is_unit = self.split.scale == Scale::Unit;
        // A value with its position, or all values.
        let prepared = if is_unit && share <= 0.5 { 6.0 * share } else { 4.0 };
        let raw = if is_unit { 2.0 } else { 1.0 };
        ((raw + prepared) * n_values) as u64
    }
}
