//! Size: what a plan's trials and their data take, estimated before anything runs.

use trial::{Load, Scale};

use super::plan::Plan;

impl Plan {
    /// Estimated multiply-adds of a whole trial of a point.
    pub fn cost_macs(&self, point: usize) -> f64 {
        let n_inputs = f64::from(self.facts.n_inputs);
        let is_sparse = self.split.scale == Scale::Unit && self.facts.nonzero_share <= 0.5;
        let load = Load {
            shape: self.facts.shape(),
            n_train: self.split.n_train,
            n_valid: self.split.n_valid,
            n_test: self.facts.n_test_rows,
            n_read: if is_sparse { n_inputs * self.facts.nonzero_share } else { n_inputs },
        };
        (self.interface.cost_macs)(&|name| self.points.value(point, name), &load)
    }

    /// Estimated bytes that a slot needs for the largest point.
    pub fn slot_bytes(&self) -> u64 {
        let bytes = |point| {
            let hyperparameters = self.points.hyperparameters(point, self.seeds[0]);
            (self.interface.slot_bytes)(&hyperparameters, self.facts.shape())
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
