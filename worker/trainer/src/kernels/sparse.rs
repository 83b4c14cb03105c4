//! The first layer over compressed rows: forward by sample in blocks of inputs, the weight gradient
//! by input over the samples that have it.

use super::lanes::Lanes;

/// Weights of the inputs that all samples pass before the next block; somewhat more than the
/// first-level cache was fastest, because each block loads and stores every sample's sums.
const BLOCK_FLOATS: usize = 12 * 1024;

/// The non-zero inputs of a batch, by sample.
#[derive(Debug)]
pub(crate) struct SampleRows {
    /// Sample i has `starts[i]..starts[i + 1]`; inputs ascend.
    starts: Vec<usize>,
    inputs: Vec<u16>,
    values: Vec<f32>,
}

impl SampleRows {
    pub(crate) fn with_capacity(n_samples: usize, n_values: usize) -> Self {
        let mut starts = Vec::with_capacity(n_samples + 1);
        starts.push(0);
        let (inputs, values) = (Vec::with_capacity(n_values), Vec::with_capacity(n_values));
        Self { starts, inputs, values }
    }

    pub(crate) fn clear(&mut self) {
        self.starts.truncate(1);
        self.inputs.clear();
        self.values.clear();
    }

    /// Appends a sample, its inputs ascending.
    pub(crate) fn push(&mut self, inputs: &[u16], values: &[f32]) {
        self.inputs.extend_from_slice(inputs);
        self.values.extend_from_slice(values);
        self.starts.push(self.inputs.len());
    }
}

/// The same by input.
#[derive(Debug)]
pub(crate) struct InputRows {
    /// Input k has `starts[k]..starts[k + 1]`; samples ascend.
    starts: Vec<u32>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    sample: u32,
    value: f32,
}

impl InputRows {
    pub(crate) fn with_capacity(n_inputs: usize, n_values: usize) -> Self {
        Self { starts: vec![0; n_inputs + 1], entries: Vec::with_capacity(n_values) }
    }

    /// A counting sort: stable, so samples stay ascending.
    pub(crate) fn sort_from(&mut self, rows: &SampleRows) {
        let Self { starts, entries } = self;
        starts.fill(0);
        for &input in &rows.inputs {
            starts[usize::from(input) + 1] += 1;
        }
        // First one place to the left of where each input begins, because filling moves it on.
        let mut begin = 0;
        for start in &mut starts[1..] {
            begin += std::mem::replace(start, begin);
        }
        entries.resize(rows.inputs.len(), Entry::default());
        for (sample, range) in rows.starts.windows(2).enumerate() {
            let range = range[0]..range[1];
            for (&input, &value) in rows.inputs[range.clone()].iter().zip(&rows.values[range]) {
                let next = &mut starts[usize::from(input) + 1];
                entries[*next as usize] = Entry { sample: sample as u32, value };
                *next += 1;
            }
        }
    }
}

/// One panel of `sums += samples x weights`; both have `width` columns (a multiple of 16).
#[derive(Debug)]
pub(crate) struct SparseForward<'a> {
    pub samples: &'a SampleRows,
    /// Row-major, one row of `width` an input.
    pub weights: &'a [f32],
    pub width: usize,
    pub sums: &'a mut [f32],
    pub sums_stride: usize,
    /// Scratch: where each sample's walk stands.
    pub cursors: &'a mut [usize],
}

/// What becomes of a row of the weight gradient.
#[derive(Debug)]
pub(crate) enum RowSink<'a> {
    /// Written for every input of the range, the first one at index 0.
    Store(&'a mut [f32]),
    /// w = fma(-lr, g, w) for the inputs that a sample has; `weights` begin at input 0.
    Descend { weights: &'a mut [f32], lr: f32 },
}

/// Rows of the weight gradient of one panel, inputs `from..to`.
#[derive(Debug)]
pub(crate) struct SparseGradient<'a> {
    pub inputs: &'a InputRows,
    pub from: usize,
    pub to: usize,
    /// Of the panel's columns: begins at its first.
    pub deltas: &'a [f32],
    pub deltas_stride: usize,
    pub width: usize,
    pub sink: RowSink<'a>,
}

impl SparseForward<'_> {
    /// Panics if an index would leave its slice.
    pub(super) fn check(&self) {
        let SampleRows { starts, inputs, values } = self.samples;
        let n = starts.len() - 1;
        assert!(self.width.is_multiple_of(16) && n <= self.cursors.len());
        assert!(starts.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(starts[n] <= inputs.len() && inputs.len() == values.len());
        let n_inputs = self.weights.len() / self.width;
        // The largest of all rather than a search for one too large: that is a vector loop.
        let largest = inputs.iter().fold(0, |largest, &input| u16::max(largest, input));
        assert!(inputs.is_empty() || usize::from(largest) < n_inputs);
        assert!(n == 0 || (n - 1) * self.sums_stride + self.width <= self.sums.len());
    }
}

impl SparseGradient<'_> {
    /// Panics if an index would leave its slice.
    pub(super) fn check(&self) {
        let InputRows { starts, entries } = self.inputs;
        assert!(self.width.is_multiple_of(16) && self.from <= self.to && self.to < starts.len());
        assert!(starts[self.from..=self.to].windows(2).all(|pair| pair[0] <= pair[1]));
        let used = &entries[starts[self.from] as usize..starts[self.to] as usize];
        let largest =
            used.iter().fold(0, |largest, entry| u32::max(largest, entry.sample)) as usize;
        let end = largest * self.deltas_stride + self.width;
        assert!(used.is_empty() || end <= self.deltas.len());
        match &self.sink {
            RowSink::Store(rows) => assert!((self.to - self.from) * self.width <= rows.len()),
            RowSink::Descend { weights, .. } => assert!(self.to * self.width <= weights.len()),
        }
    }
}

/// # Safety
/// `check` passed, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(super) unsafe fn forward<L: Lanes>(p: &mut SparseForward<'_>) {
    let mut col = 0;
    // SAFETY: the columns stay within the width.
    unsafe {
        if L::SPARSE_REGISTERS == 16 {
            while col + 16 * L::N <= p.width {
                forward_columns::<L, 16>(p, col);
                col += 16 * L::N;
            }
        }
        while col + 8 * L::N <= p.width {
            forward_columns::<L, 8>(p, col);
            col += 8 * L::N;
        }
        while col + 4 * L::N <= p.width {
            forward_columns::<L, 4>(p, col);
            col += 4 * L::N;
        }
        while col < p.width {
            forward_columns::<L, 1>(p, col);
            col += L::N;
        }
    }
}

#[inline(always)]
unsafe fn forward_columns<L: Lanes, const R: usize>(p: &mut SparseForward<'_>, col: usize) {
    let SampleRows { starts, inputs, values } = p.samples;
    let n = starts.len() - 1;
    let n_inputs = p.weights.len() / p.width;
    let block = usize::max(1, BLOCK_FLOATS / (R * L::N));
    p.cursors[..n].copy_from_slice(&starts[..n]);
    let mut block_end = 0;
    while block_end < n_inputs {
        block_end = usize::min(block_end + block, n_inputs);
        for sample in 0..n {
            let mut cursor = p.cursors[sample];
            let end = starts[sample + 1];
            // SAFETY: `check` compared every start, input and column with its slice.
            unsafe {
                if cursor == end || usize::from(*inputs.get_unchecked(cursor)) >= block_end {
                    continue;
                }
                let row = p.sums.as_mut_ptr().add(sample * p.sums_stride + col);
                let mut sums = [L::splat(0.0); R];
                for (r, sum) in sums.iter_mut().enumerate() {
                    *sum = L::load(row.add(r * L::N));
                }
                while cursor < end {
                    let input = usize::from(*inputs.get_unchecked(cursor));
                    if input >= block_end {
                        break;
                    }
                    let x = L::splat(*values.get_unchecked(cursor));
                    let weights = p.weights.as_ptr().add(input * p.width + col);
                    for (r, sum) in sums.iter_mut().enumerate() {
                        *sum = x.fma(L::load(weights.add(r * L::N)), *sum);
                    }
                    cursor += 1;
                }
                for (r, sum) in sums.into_iter().enumerate() {
                    sum.store(row.add(r * L::N));
                }
            }
            p.cursors[sample] = cursor;
        }
    }
}

/// # Safety
/// `check` passed, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(super) unsafe fn gradient<L: Lanes>(p: &mut SparseGradient<'_>) {
    let mut col = 0;
    // SAFETY: the columns stay within the width.
    unsafe {
        if L::SPARSE_REGISTERS == 16 {
            while col + 16 * L::N <= p.width {
                gradient_columns::<L, 16>(p, col);
                col += 16 * L::N;
            }
        }
        while col + 8 * L::N <= p.width {
            gradient_columns::<L, 8>(p, col);
            col += 8 * L::N;
        }
        while col + 4 * L::N <= p.width {
            gradient_columns::<L, 4>(p, col);
            col += 4 * L::N;
        }
        while col < p.width {
            gradient_columns::<L, 1>(p, col);
            col += L::N;
        }
    }
}

#[inline(always)]
unsafe fn gradient_columns<L: Lanes, const R: usize>(p: &mut SparseGradient<'_>, col: usize) {
    let InputRows { starts, entries } = p.inputs;
    for input in p.from..p.to {
        let (from, to) = (starts[input] as usize, starts[input + 1] as usize);
        if from == to && matches!(p.sink, RowSink::Descend { .. }) {
            continue;
        }
        // SAFETY: `check` compared every start, sample, row and column with its slice.
        unsafe {
            let mut sums = [L::splat(0.0); R];
            for entry in from..to {
                let Entry { sample, value } = *entries.get_unchecked(entry);
                let x = L::splat(value);
                let deltas = p.deltas.as_ptr().add(sample as usize * p.deltas_stride + col);
                for (r, sum) in sums.iter_mut().enumerate() {
                    *sum = x.fma(L::load(deltas.add(r * L::N)), *sum);
                }
            }
            match &mut p.sink {
                RowSink::Store(rows) => {
                    let row = rows.as_mut_ptr().add((input - p.from) * p.width + col);
                    for (r, sum) in sums.into_iter().enumerate() {
                        sum.store(row.add(r * L::N));
                    }
                }
                RowSink::Descend { weights, lr } => {
                    let row = weights.as_mut_ptr().add(input * p.width + col);
                    let rate = L::splat(-*lr);
                    for (r, sum) in sums.into_iter().enumerate() {
                        let weight = row.add(r * L::N);
                        rate.fma(sum, L::load(weight)).store(weight);
                    }
                }
            }
        }
    }
}
