//! Counts a trial's work by the contract's forms, the same on every path.

use trial::{Backtracks, Work};

use crate::config::TrainConfig;
use crate::data::PreparedData;
use crate::model::network::LayerShape;
use crate::optimizers::line_search::Search;
use crate::reference::uses_gram_form;

/// No trial does as much work: a core of 10^12 multiply-adds a second would take 53 days for it.
const MAX_CREDIBLE: u64 = 1 << 62;

/// Counts of the epoch under way.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub(crate) struct EpochWork {
    pub n_backtracks: u64,
    pub grad_samples: u64,
    pub probe_samples: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct WorkCount {
    total: Work,
    epoch: EpochWork,
    /// Steps by their number of refused probes; empty unless the optimizer is a line search.
    histogram: Vec<u64>,
    /// Multiply-adds a sample: of the first layer's weights, and of all above.
    first: u64,
    above: u64,
    first_width: u64,
    n_inputs: u64,
    batch_size: usize,
    gram: bool,
}

impl WorkCount {
    pub(crate) fn new(config: &TrainConfig, data: &PreparedData, shapes: &[LayerShape]) -> Self {
        let max_probes = config.optimizer.max_probes();
        let macs: Vec<u64> = shapes.iter().map(|shape| shape.n_weights() as u64).collect();
        Self {
            total: Work::default(),
            epoch: EpochWork::default(),
            histogram: vec![0; max_probes.map_or(0, |n| n as usize + 1)],
            first: macs[0],
            above: macs[1..].iter().sum(),
            first_width: shapes[0].n_out as u64,
            n_inputs: shapes[0].n_in as u64,
            batch_size: config.batch_size as usize,
            gram: uses_gram_form(config.batch_size as usize, data.n_inputs()),
        }
    }

    pub(crate) fn n_steps(&self) -> u64 {
        self.total.n_steps
    }

    pub(crate) fn epoch(&self) -> &EpochWork {
        &self.epoch
    }

    pub(crate) fn start_epoch(&mut self) {
        self.epoch = EpochWork::default();
    }

    pub(crate) fn count_step(&mut self, data: &PreparedData, rows: &[u32], search: Option<Search>) {
        let n = rows.len() as u64;
        // The first layer's multiply-adds in its own form, of one pass over the batch.
        let n_used = rows.iter().map(|&row| data.train.n_used(row as usize) as u64).sum::<u64>();
        let first_executed = n_used * self.first_width;
        self.total.n_steps += 1;
        self.total.grad_samples += n;
        self.epoch.grad_samples += n;
        // Forward and weight gradient in all layers, input gradient in all but the first.
        self.total.macs_textbook += n * (2 * self.first + 3 * self.above);
        self.total.macs_executed += 2 * first_executed + n * 3 * self.above;
        if let Some(search) = search {
            self.count_search(n, first_executed, search);
        }
    }

    fn count_search(&mut self, n: u64, first_executed: u64, search: Search) {
        let n_probes = u64::from(search.n_probes);
        self.total.probe_samples += n * n_probes;
        self.epoch.probe_samples += n * n_probes;
        self.epoch.n_backtracks += u64::from(search.n_backtracks);
        self.total.macs_textbook += n * n_probes * (self.first + self.above);
        // Gram matrix, its product with the deltas, and the deltas' products; or one product more.
        let line =
            if self.gram { n * n * (self.n_inputs + 2 * self.first_width) } else { first_executed };
        self.total.macs_executed += line + n * n_probes * self.above;
        self.histogram[search.n_backtracks as usize] += 1;
        self.total.steps_without_step += u64::from(search.accepted.is_none());
    }

    /// With the backtracks' statistics.
    pub(crate) fn total(&self) -> Work {
        Work { backtracks: self.backtracks(), ..self.total }
    }

    fn backtracks(&self) -> Option<Backtracks> {
        let n_steps: u64 = self.histogram.iter().sum();
        let bins = || (0_u32..).zip(&self.histogram);
        let n_backtracks: u64 = bins().map(|(n, &steps)| u64::from(n) * steps).sum();
        let max = bins().filter(|&(_, &steps)| steps > 0).last()?.0;
        let mut below = 0;
        let p95 = bins().find(|&(_, &steps)| {
            below += steps;
            u128::from(below) * 20 >= u128::from(n_steps) * 19
        });
        Some(Backtracks { mean: n_backtracks as f64 / n_steps as f64, p95: p95?.0, max })
    }

    /// All counts as a checkpoint keeps them.
    pub(crate) fn counts(&self) -> Vec<u64> {
        let t = &self.total;
        let totals = [
            t.n_steps,
            t.grad_samples,
            t.probe_samples,
            t.macs_textbook,
            t.macs_executed,
            t.steps_without_step,
        ];
        totals.into_iter().chain(self.histogram.iter().copied()).collect()
    }

    /// Whether the counts can be those of this many whole epochs: the exact ones are, and the others
    /// are far from where sums overflow.
    pub(crate) fn is_of_epochs(&self, n_epochs: u32, n_train: usize) -> bool {
        let n_epochs = u64::from(n_epochs);
        let n_steps = n_epochs * n_train.div_ceil(self.batch_size) as u64;
        let is_searching = !self.histogram.is_empty();
        let are_credible = self.counts().iter().all(|&count| count <= MAX_CREDIBLE);
        are_credible
            && self.total.n_steps == n_steps
            && self.total.grad_samples == n_epochs * n_train as u64
            && (!is_searching || self.n_searches() == Some(n_steps))
    }

    fn n_searches(&self) -> Option<u64> {
        self.histogram.iter().try_fold(0_u64, |sum, &n_steps| sum.checked_add(n_steps))
    }

    /// Takes what `counts` gave, of the same length.
    pub(crate) fn restore(&mut self, counts: &[u64]) {
        let (totals, histogram) = counts.split_at(counts.len() - self.histogram.len());
        let [n_steps, grad_samples, probe_samples, macs_textbook, macs_executed, without] = totals
        else {
            unreachable!("the caller read as many counts as there are")
        };
        self.total = Work {
            n_steps: *n_steps,
            grad_samples: *grad_samples,
            probe_samples: *probe_samples,
            macs_textbook: *macs_textbook,
            macs_executed: *macs_executed,
            backtracks: None,
            steps_without_step: *without,
        };
        self.histogram.copy_from_slice(histogram);
    }
}
