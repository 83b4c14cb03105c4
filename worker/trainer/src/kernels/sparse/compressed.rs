//! Rows without their zeros: of a whole data set, and of a batch as the sparse kernels read it. What
//! is built here is in range by construction, so that kernels need not look at every value.

use super::active::{Active, Bits};
use super::sparse_gradient::ByInput;
use crate::kernels::Kernels;
use crate::kernels::bits::WORD;
use crate::kernels::buffer::Floats;
use crate::kernels::pages::vec_in_huge_pages;
use crate::kernels::prefetch::prefetch;

/// The non-zero inputs of many rows.
#[derive(Debug)]
pub(crate) struct CompressedRows {
    n_inputs: usize,
    /// A row's record: where its values lie, then a bit for each input.
    records: Vec<u64>,
    /// Row by row, inputs ascending.
    values: Vec<f32>,
}

/// Bits of a record's first word that hold the number of values; those above hold their start.
const LENGTH_BITS: u32 = 20;

/// Where a row's values begin and end.
fn place(record: &[u64]) -> (usize, usize) {
    let start = (record[0] >> LENGTH_BITS) as usize;
    (start, start + (record[0] & ((1 << LENGTH_BITS) - 1)) as usize)
}

impl CompressedRows {
    /// With room for this many rows and values.
    pub(crate) fn with_capacity(n_inputs: usize, n_rows: usize, n_values: usize) -> Self {
        assert!(n_inputs < 1 << LENGTH_BITS, "a row's length fits into its record");
        let records = vec_in_huge_pages(n_rows * (1 + n_inputs.div_ceil(WORD)));
        Self { n_inputs, records, values: vec_in_huge_pages(n_values) }
    }

    /// Appends a row with a value for each input.
    pub(crate) fn push(&mut self, row: impl Iterator<Item = f32>) {
        let start = self.values.len();
        let n_words = self.record_words();
        let mut bits = vec![0; n_words - 1];
        row.take(self.n_inputs).enumerate().for_each(|(input, value)| {
            if value != 0.0 {
                bits[input / WORD] |= 1 << (input % WORD);
                self.values.push(value);
            }
        });
        self.records.push((start as u64) << LENGTH_BITS | (self.values.len() - start) as u64);
        self.records.extend(bits);
    }

    fn record_words(&self) -> usize {
        1 + self.n_inputs.div_ceil(WORD)
    }

    fn record(&self, row: usize) -> &[u64] {
        let n = self.record_words();
        &self.records[row * n..][..n]
    }

    /// The values of a row that are not zero.
    pub(crate) fn values(&self, row: usize) -> &[f32] {
        let (start, end) = place(self.record(row));
        &self.values[start..end]
    }

    /// The values of all rows.
    pub(crate) fn all_values(&self) -> &[f32] {
        &self.values
    }

    /// The inputs that have them, ascending.
    pub(crate) fn inputs(&self, row: usize) -> impl Iterator<Item = usize> {
        let words = self.record(row)[1..].iter().enumerate();
        words.flat_map(|(word, &bits)| Bits(bits).map(move |bit| WORD * word + bit))
    }

    /// Asks for a row's record, without which its values are not found.
    pub(crate) fn prefetch_record(&self, row: usize) {
        prefetch(self.record(row));
    }

    pub(crate) fn prefetch_values(&self, row: usize) {
        prefetch(self.values(row));
    }
}

/// A batch of compressed rows, its samples.
#[derive(Debug)]
pub(crate) struct SampleRows {
    pub(crate) active: Active,
    /// Where each sample's values begin.
    pub(crate) starts: Vec<usize>,
    /// The furthest end of any.
    values_end: usize,
    /// Scratch of the forward pass: what it has come to.
    pub(crate) cursors: Vec<usize>,
    /// `[input][sample]`: written by the forward pass where a bit is set, for the weight gradient.
    pub(crate) by_input: Floats,
    pub(crate) by_input_stride: usize,
}

impl SampleRows {
    /// With room for `capacity` samples, and to train on `batch_size` of them.
    pub(crate) fn new(n_inputs: usize, capacity: usize, batch_size: usize) -> Self {
        // An odd number of cache lines: the first ones of all inputs spread over all sets.
        let by_input_stride = 16 * (batch_size.div_ceil(16) | 1);
        Self {
            active: Active::new(capacity, n_inputs),
            starts: Vec::with_capacity(capacity),
            values_end: 0,
            cursors: vec![0; capacity],
            by_input: Floats::zeros(n_inputs * by_input_stride),
            by_input_stride,
        }
    }

    /// Takes these rows.
    pub(crate) fn gather(&mut self, all: &CompressedRows, rows: &[u32]) {
        self.starts.clear();
        self.values_end = 0;
        self.active.clear(all.n_inputs);
        for &row in rows {
            let record = all.record(row as usize);
            let (start, end) = place(record);
            self.starts.push(start);
            self.values_end = self.values_end.max(end);
            self.active.push_row(&record[1..]);
        }
    }

    /// Panics if the samples could lead out of these rows.
    pub(crate) fn check(&self, all: &CompressedRows) {
        assert!(self.values_end <= all.values.len() && self.active.n_cols() == all.n_inputs);
    }

    /// Whether the samples by input have room.
    pub(crate) fn has_room_by_input(&self) -> bool {
        let n_inputs = self.by_input.len() / self.by_input_stride;
        self.active.n_rows() <= self.by_input_stride && self.active.n_cols() <= n_inputs
    }

    /// What the weight gradient reads, after a forward pass that kept it.
    pub(crate) fn by_input(&mut self, kernels: &Kernels) -> ByInput<'_> {
        kernels.turn(&mut self.active);
        ByInput {
            active: &self.active,
            values: &self.by_input,
            sample_stride: 1,
            input_stride: self.by_input_stride,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;
    use crate::kernels::{Source, SparseForward, Start};

    /// The bits have room for 128 inputs then, but the samples by input for 65 alone.
    #[test]
    #[should_panic(expected = "has_room_by_input")]
    fn samples_of_more_inputs_than_they_have_room_for_are_refused() {
        let mut all = CompressedRows::with_capacity(100, 1, 100);
        all.push((0..100).map(|_| 1.0));
        let mut samples = SampleRows::new(65, 1, 1);
        samples.gather(&all, &[0]);
        let (weights, mut sums) = (Floats::zeros(100 * 16), Floats::zeros(16));
        Kernels::of(Isa::Portable).sparse_forward(SparseForward {
            source: Source::Samples { all: &all, samples: &mut samples, keeps: true },
            weights: &weights,
            weights_stride: 16,
            width: 16,
            start: Start::Zero,
            sums: &mut sums,
            sums_stride: 16,
        });
    }
}
