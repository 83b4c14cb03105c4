//! The samples of one step, gathered from the data in the forms that the kernels read.

use std::ops::Range;

use super::layer::{Input, Layer};
use super::panels::Numbers;
use crate::data::{Part, PreparedData, Values};
use crate::kernels::{self, Floats, InputRows, Kernels, SampleRows};

/// Samples evaluated at once; a multiple of 16, so that lanes of positions go on from chunk to chunk.
pub(crate) const EVALUATION_ROWS: usize = 64;

/// Reused from step to step.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub labels: Vec<u16>,
    /// Of the part that was gathered from.
    rows: Vec<u32>,
    /// Of a training batch; unused by dense data.
    by_input: InputRows,
    /// Scratch of the sparse kernels.
    cursors: Vec<Range<usize>>,
    /// Row-major, one row of inputs a sample; unused by sparse data.
    dense: Floats,
}

impl Gathered {
    /// Room for `capacity` rows of any part, and to train on `batch_size` of them.
    pub(crate) fn new(data: &PreparedData, capacity: usize, batch_size: usize) -> Self {
        let n_inputs = data.n_inputs();
        let (by_input, n_dense) = match &data.train.values {
            Values::Sparse(rows) => (InputRows::new(n_inputs, batch_size, rows.longest()), 0),
            Values::Dense(_) => (InputRows::new(0, 0, 0), capacity * n_inputs),
        };
        Self {
            labels: Vec::with_capacity(capacity),
            rows: Vec::with_capacity(capacity),
            by_input,
            cursors: vec![0..0; capacity],
            dense: Floats::zeros(n_dense),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    pub(crate) fn gather(&mut self, part: &Part, rows: impl Iterator<Item = u32>) {
        self.rows.clear();
        self.rows.extend(rows);
        self.labels.clear();
        self.labels.extend(self.rows.iter().map(|&row| part.labels[row as usize]));
        if let Values::Dense(_) = part.values {
            for (&row, out) in self.rows.iter().zip(self.dense.chunks_exact_mut(part.n_inputs())) {
                part.write_dense(row as usize, out);
            }
        }
    }

    /// out = the samples x numbers + bias, `part` being what was gathered from. In training the
    /// samples are made ready for the weight gradient, too.
    pub(crate) fn first_sums(
        &mut self,
        kernels: &Kernels,
        part: &Part,
        (layer, numbers): (&Layer, &Numbers),
        is_training: bool,
        out: &mut [f32],
    ) {
        match &part.values {
            Values::Sparse(all) => {
                let samples = SampleRows { all, rows: &self.rows };
                let by_input = is_training.then_some(&mut self.by_input);
                layer.sparse_affine(kernels, numbers, (samples, &mut self.cursors), by_input, out);
            }
            Values::Dense(_) => {
                layer.affine(kernels, numbers, (&self.dense, part.n_inputs()), self.len(), out);
            }
        }
    }

    /// What the first layer's weight gradient reads after `first_sums` in training.
    pub(crate) fn input<'a>(&'a self, part: &Part) -> Input<'a> {
        match part.values {
            Values::Sparse(_) => Input::Sparse(&self.by_input),
            Values::Dense(_) => Input::Rows(&self.dense, part.n_inputs()),
        }
    }
}

/// The rows that are gathered next: asked for a few at a time, because many requests at once would
/// hold up the step under way.
#[derive(Debug)]
pub(crate) struct Upcoming {
    rows: Vec<u32>,
    n_asked: usize,
}

impl Upcoming {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { rows: Vec::with_capacity(capacity), n_asked: 0 }
    }

    pub(crate) fn announce(&mut self, rows: impl Iterator<Item = u32>) {
        self.rows.clear();
        self.rows.extend(rows);
        self.n_asked = 0;
    }

    /// The next ones to ask for, one of `n_shares` equal shares of all.
    pub(crate) fn share(&mut self, n_shares: usize) -> &[u32] {
        let from = self.n_asked;
        self.n_asked = usize::min(from + self.rows.len().div_ceil(n_shares), self.rows.len());
        &self.rows[from..self.n_asked]
    }
}

/// Asks for rows of compressed data; those of the dense form are large and read in order.
pub(crate) fn prefetch(part: &Part, rows: &[u32]) {
    for &row in rows {
        if let Some((inputs, values)) = part.nonzeros(row as usize) {
            kernels::prefetch(inputs);
            kernels::prefetch(values);
        }
    }
}
