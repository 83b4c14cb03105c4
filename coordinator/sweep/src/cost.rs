//! Estimates what a trial costs, before any is measured: to start the longest first and to divide
//! the time that is left.

use trainer::OptimizerKind;
use trial::{Scale, Value};

use super::plan::Plan;

/// Probes per step that a line search is taken to need.
const PROBES: f64 = 1.5;
/// Batches up to this size evaluate probes by the Gram matrix of the batch.
const GRAM_BATCH: f64 = 128.0;

impl Plan {
    /// Estimated multiply-adds of a whole trial of a point: training, validation and test.
    pub fn cost_macs(&self, point: usize) -> f64 {
        let n_inputs = f64::from(self.facts.n_inputs);
        let is_sparse = self.split.scale == Scale::Unit && self.facts.nonzero_share <= 0.5;
        let n_read = if is_sparse { n_inputs * self.facts.nonzero_share } else { n_inputs };
        let sizes = self.layer_sizes(point);
        let first = n_read * sizes[0];
        let upper: f64 = sizes.windows(2).map(|pair| pair[0] * pair[1]).sum();
        let n_weights = n_inputs * sizes[0] + upper;
        let batch = self.points.count(point, "batch_size") as f64;
        let optimizer = self.optimizer(point);

        let forward = first + upper;
        // Gradients of the weights, then those of the inputs but for the first layer's.
        let backward = first + upper + upper;
        let probes = match optimizer.is_line_search() {
            false => 0.0,
            // Products of pixels are of small integers, some four to one multiply-add.
            true if batch <= GRAM_BATCH => batch * (n_read / 4.0 + sizes[0]) + PROBES * upper,
            true => first + PROBES * upper,
        };
        let update = n_weights * optimizer.state_passes() / batch;
        let n_train = f64::from(self.split.n_train);
        let n_valid = f64::from(self.split.n_valid);
        let epoch = n_train * (forward + backward + probes + update) + n_valid * forward;
        self.points.count(point, "epochs") as f64 * epoch
            + f64::from(self.facts.n_test_rows) * forward
    }

    /// Outputs of each layer, the classes last.
    fn layer_sizes(&self, point: usize) -> Vec<f64> {
        let sizes = self.points.hidden(point).iter().copied().chain([self.facts.n_classes]);
        sizes.map(f64::from).collect()
    }

    pub(crate) fn optimizer(&self, point: usize) -> OptimizerKind {
        let kind = match self.points.value(point, "optimizer") {
            Some(Value::Text(name)) => OptimizerKind::from_name(name),
            _ => None,
        };
        kind.expect("every point has a known optimizer")
    }
}
