//! The samples of one step, gathered from the data in the forms that the kernels read.

use super::layer::{Input, Layer};
use super::panels::Numbers;
use crate::data::{Part, PreparedData, Values};
use crate::kernels::{Floats, Kernels, SampleRows, Source};

/// Samples evaluated at once; a multiple of 16, so that lanes of positions go on from chunk to chunk.
pub(crate) const EVALUATION_ROWS: usize = 64;

/// Reused from step to step.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub labels: Vec<u16>,
    /// Rows of the part that was gathered from.
    rows: Vec<u32>,
    inputs: Inputs,
}

/// In the form of the data.
#[derive(Debug)]
enum Inputs {
    Sparse(SampleRows),
    /// Row-major, one row of inputs a sample.
    Dense(Floats),
}

impl Gathered {
    /// Room for `capacity` rows of any part, and to train on `batch_size` of them.
    pub(crate) fn new(data: &PreparedData, capacity: usize, batch_size: usize) -> Self {
        let n_inputs = data.n_inputs();
        Self {
            labels: Vec::with_capacity(capacity),
            rows: Vec::with_capacity(capacity),
            inputs: if data.is_sparse() {
                Inputs::Sparse(SampleRows::new(n_inputs, capacity, batch_size))
            } else {
                Inputs::Dense(Floats::zeros(capacity * n_inputs))
            },
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
        match (&mut self.inputs, &part.values) {
            (Inputs::Sparse(samples), Values::Sparse(all)) => samples.gather(all, &self.rows),
            (Inputs::Dense(out), _) => {
                for (&row, out) in self.rows.iter().zip(out.chunks_exact_mut(part.n_inputs())) {
                    part.write_dense(row as usize, out);
                }
            }
            (Inputs::Sparse(_), Values::Dense(_)) => unreachable!("all parts have one form"),
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
        match (&mut self.inputs, &part.values) {
            (Inputs::Sparse(samples), Values::Sparse(all)) => {
                let source = Source::Samples { all, samples, keeps: is_training };
                layer.sparse_affine(kernels, numbers, source, out);
            }
            (Inputs::Dense(rows), _) => {
                let n = self.labels.len();
                layer.dense_affine(kernels, numbers, (rows, part.n_inputs()), n, out);
            }
            (Inputs::Sparse(_), Values::Dense(_)) => unreachable!("all parts have one form"),
        }
    }

    /// What the first layer's weight gradient reads after `first_sums` in training.
    pub(crate) fn input(&mut self, kernels: &Kernels, n_inputs: usize) -> Input<'_> {
        match &mut self.inputs {
            Inputs::Sparse(samples) => Input::Sparse(samples.by_input(kernels)),
            Inputs::Dense(rows) => Input::Dense(rows, n_inputs),
        }
    }
}

/// The rows that are gathered next. Their values are asked for a few rows at a time, because many
/// requests at once would hold up the step under way.
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

    pub(crate) fn all(&self) -> &[u32] {
        &self.rows
    }

    /// The next ones to ask for, one of `n_shares` equal shares of all.
    pub(crate) fn share(&mut self, n_shares: usize) -> &[u32] {
        let from = self.n_asked;
        self.n_asked = usize::min(from + self.rows.len().div_ceil(n_shares), self.rows.len());
        &self.rows[from..self.n_asked]
    }
}

/// Asks for rows of compressed data; those of the dense form are large and read in order. A row's
/// values are found by its record, which should have come by then.
pub(crate) fn prefetch(part: &Part, rows: &[u32], asked: Asked) {
    let Values::Sparse(all) = &part.values else { return };
    for &row in rows {
        match asked {
            Asked::Records => all.prefetch_record(row as usize),
            Asked::Values => all.prefetch_values(row as usize),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked {
    Records,
    Values,
}
