//! The samples of one step, gathered from the data in the forms that the kernels read.

use crate::data::Part;
use crate::kernels::{self, Floats, InputRows, SampleRows};

/// Samples evaluated at once; a multiple of 16, so that lanes of positions go on from chunk to chunk.
pub(crate) const EVALUATION_ROWS: usize = 64;

/// Reused from step to step.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub labels: Vec<u8>,
    pub samples: Samples,
}

#[derive(Debug)]
pub(crate) enum Samples {
    Sparse {
        by_sample: SampleRows,
        by_input: InputRows,
    },
    /// Row-major, one row of inputs a sample.
    Dense(Floats),
}

impl Gathered {
    /// Room for `capacity` rows of any of the parts.
    pub(crate) fn new(n_inputs: usize, capacity: usize, parts: [&Part; 3]) -> Self {
        let most = |part: &Part| {
            let of_row = |row| part.nonzeros(row).map(|(inputs, _)| inputs.len());
            (0..part.len()).map(of_row).max().flatten()
        };
        let samples = match parts.into_iter().filter_map(most).max() {
            Some(most) => Samples::Sparse {
                by_sample: SampleRows::with_capacity(capacity, capacity * most),
                by_input: InputRows::with_capacity(n_inputs, capacity * most),
            },
            None => Samples::Dense(Floats::zeros(capacity * n_inputs)),
        };
        Self { labels: Vec::with_capacity(capacity), samples }
    }

    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    pub(crate) fn gather(&mut self, part: &Part, rows: impl Iterator<Item = usize> + Clone) {
        self.labels.clear();
        self.labels.extend(rows.clone().map(|row| part.labels[row]));
        match &mut self.samples {
            Samples::Sparse { by_sample, .. } => {
                by_sample.clear();
                for row in rows {
                    let (inputs, values) = part.nonzeros(row).expect("all parts are sparse");
                    by_sample.push(inputs, values);
                }
            }
            Samples::Dense(all) => {
                let n_inputs = part.n_inputs();
                for (row, out) in rows.zip(all.chunks_exact_mut(n_inputs)) {
                    part.write_dense(row, out);
                }
            }
        }
    }

    /// Sorts the samples' inputs by input, for the weight gradient.
    pub(crate) fn sort_by_input(&mut self) {
        if let Samples::Sparse { by_sample, by_input } = &mut self.samples {
            by_input.sort_from(by_sample);
        }
    }
}

/// Asks for rows that will be gathered next; those of the dense form are large and read in order.
pub(crate) fn prefetch(part: &Part, rows: impl Iterator<Item = usize>) {
    for row in rows {
        if let Some((inputs, values)) = part.nonzeros(row) {
            kernels::prefetch(inputs);
            kernels::prefetch(values);
        }
    }
}
