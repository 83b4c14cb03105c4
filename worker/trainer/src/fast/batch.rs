//! The samples of one step, gathered from the data in the forms that the kernels read.

use super::layer::Input;
use crate::data::{Part, Values};
use crate::kernels::{self, Floats, InputRows, SampleRows};

/// Samples evaluated at once; a multiple of 16, so that lanes of positions go on from chunk to chunk.
pub(crate) const EVALUATION_ROWS: usize = 64;

/// Reused from step to step.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub labels: Vec<u8>,
    /// Of the part that was gathered from.
    rows: Vec<u32>,
    /// Sorted for a step's gradient; unused by dense data.
    by_input: InputRows,
    /// Row-major, one row of inputs a sample; unused by sparse data.
    dense: Floats,
}

impl Gathered {
    /// Room for `capacity` rows of any of the parts.
    pub(crate) fn new(n_inputs: usize, capacity: usize, parts: [&Part; 3]) -> Self {
        let (mut n_entries, mut n_dense) = (0, 0);
        for part in parts {
            match &part.values {
                Values::Sparse(rows) => n_entries = n_entries.max(capacity * rows.longest()),
                Values::Dense(_) => n_dense = capacity * n_inputs,
            }
        }
        Self {
            labels: Vec::with_capacity(capacity),
            rows: Vec::with_capacity(capacity),
            by_input: InputRows::with_capacity(n_inputs, n_entries),
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

    /// What the first layer reads, `part` being what was gathered from.
    pub(crate) fn input<'a>(&'a self, part: &'a Part) -> Input<'a> {
        match &part.values {
            Values::Sparse(all) => {
                let samples = SampleRows { all, rows: &self.rows };
                Input::Sparse { samples, by_input: &self.by_input }
            }
            Values::Dense(_) => Input::Rows(&self.dense, part.n_inputs()),
        }
    }

    /// Sorts the samples' inputs by input, for the weight gradient.
    pub(crate) fn sort_by_input(&mut self, part: &Part) {
        if let Values::Sparse(all) = &part.values {
            self.by_input.sort_from(SampleRows { all, rows: &self.rows });
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
