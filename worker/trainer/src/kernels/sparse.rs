//! The first layer over compressed rows: forward by sample in blocks of inputs, the weight gradient
//! by input over the samples that have it.

use std::ops::Range;

use super::compressed::{Entry, InputRows, SampleRows};
use super::lanes::Lanes;
use super::prefetch_line;
use super::product::{Finish, finish};

/// Weights of the inputs that all samples pass before the next block, and deltas that all inputs
/// pass before the next columns. Somewhat more than the first-level cache was fastest, because each
/// block loads and stores every sample's sums.
const CACHE_FLOATS: usize = 12 * 1024;

/// Samples whose entries are asked for ahead: weights have driven them out of the first-level cache
/// since the last block.
const ENTRIES_AHEAD: usize = 2;

/// One panel of `sums += samples x weights`; both have `width` columns (a multiple of 16).
#[derive(Debug)]
pub(crate) struct SparseForward<'a> {
    pub samples: SampleRows<'a>,
    /// Row-major, one row of `width` an input.
    pub weights: &'a [f32],
    pub width: usize,
    pub sums: &'a mut [f32],
    pub sums_stride: usize,
    /// Scratch: what is left of each sample's entries.
    pub cursors: &'a mut [Range<usize>],
    /// Takes the entries sorted by input, if the weight gradient will want them.
    pub by_input: Option<&'a mut InputRows>,
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
    /// The first row is that of input `from`. Rows of inputs that no sample has stay in a descent.
    pub result: &'a mut [f32],
    pub finish: Finish,
}

impl SparseForward<'_> {
    /// Panics if an index would leave its slice.
    pub(super) fn check(&self) {
        let n = self.samples.rows.len();
        assert!(self.width.is_multiple_of(16) && n <= self.cursors.len());
        assert!(self.samples.n_inputs() * self.width <= self.weights.len());
        assert!(n == 0 || (n - 1) * self.sums_stride + self.width <= self.sums.len());
        assert!(self.width > 0);
    }
}

impl SparseGradient<'_> {
    /// Panics if an index would leave its slice.
    pub(super) fn check(&self) {
        let n = self.inputs.n_samples();
        assert!(self.width.is_multiple_of(16));
        assert!(self.from <= self.to && self.to <= self.inputs.n_inputs());
        assert!(n == 0 || (n - 1) * self.deltas_stride + self.width <= self.deltas.len());
        assert!((self.to - self.from) * self.width <= self.result.len());
    }
}

/// # Safety
/// `check` passed, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(super) unsafe fn forward<L: Lanes>(p: &mut SparseForward<'_>) {
    let mut col = 0;
    // Every group of columns meets all entries; the first one passes them on.
    if let Some(by_input) = p.by_input.take() {
        let filling = by_input.fill(p.samples);
        // SAFETY: the width is not 0, and every entry comes once.
        col = unsafe { forward_group::<L>(p, 0, |input, entry| filling.push(input, entry)) };
    }
    while col < p.width {
        // SAFETY: the columns stay within the width.
        col = unsafe { forward_group::<L>(p, col, |_, _| ()) };
    }
}

/// As many columns from `col` on as registers and width allow; returns where the next begin.
/// `meet` gets each input and its entry.
#[inline(always)]
unsafe fn forward_group<L: Lanes>(
    p: &mut SparseForward<'_>,
    col: usize,
    meet: impl FnMut(usize, Entry),
) -> usize {
    // SAFETY: as `forward`.
    unsafe {
        match (p.width - col) / L::N {
            16.. if L::SPARSE_REGISTERS == 16 => forward_columns::<L, 16>(p, col, meet),
            8.. => forward_columns::<L, 8>(p, col, meet),
            4.. => forward_columns::<L, 4>(p, col, meet),
            _ => forward_columns::<L, 1>(p, col, meet),
        }
    }
}

#[inline(always)]
unsafe fn forward_columns<L: Lanes, const R: usize>(
    p: &mut SparseForward<'_>,
    col: usize,
    mut meet: impl FnMut(usize, Entry),
) -> usize {
    let (inputs, values) = p.samples.entries();
    let n_inputs = p.samples.n_inputs();
    let block = usize::max(1, CACHE_FLOATS / (R * L::N));
    let n_samples = p.samples.rows.len();
    let cursors = &mut p.cursors[..n_samples];
    p.samples.write_ranges(cursors);
    // Locals, because what a pointer leads to is loaded again after every store.
    let (width, weights) = (p.width, p.weights.as_ptr().wrapping_add(col));
    let mut block_end = 0;
    while block_end < n_inputs {
        block_end = usize::min(block_end + block, n_inputs);
        for sample in 0..n_samples {
            let Range { start: mut cursor, end } = cursors[sample];
            let later = cursors[usize::min(sample + ENTRIES_AHEAD, n_samples - 1)].start;
            prefetch_line(inputs.as_ptr().wrapping_add(later));
            prefetch_line(values.as_ptr().wrapping_add(later));
            prefetch_line(values.as_ptr().wrapping_add(later + 16));
            // SAFETY: entries are in range by construction, and `check` compared samples, inputs
            // and columns with the slices.
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
                    let value = *values.get_unchecked(cursor);
                    meet(input, Entry { sample: sample as u32, value });
                    let x = L::splat(value);
                    let weights = weights.add(input * width);
                    for (r, sum) in sums.iter_mut().enumerate() {
                        *sum = x.fma(L::load(weights.add(r * L::N)), *sum);
                    }
                    cursor += 1;
                }
                for (r, sum) in sums.into_iter().enumerate() {
                    sum.store(row.add(r * L::N));
                }
            }
            cursors[sample].start = cursor;
        }
    }
    col + R * L::N
}

/// # Safety
/// `check` passed, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(super) unsafe fn gradient<L: Lanes>(p: &mut SparseGradient<'_>) {
    let mut col = 0;
    // Fewer columns of a large batch, so that its deltas stay in the cache.
    let fits = |registers: usize| p.inputs.n_samples() * registers * L::N <= CACHE_FLOATS;
    let (fits_16, fits_8) = (L::SPARSE_REGISTERS == 16 && fits(16), fits(8));
    while col < p.width {
        // SAFETY: the columns stay within the width.
        col = unsafe {
            match (p.width - col) / L::N {
                16.. if fits_16 => gradient_columns::<L, 16>(p, col),
                8.. if fits_8 => gradient_columns::<L, 8>(p, col),
                4.. => gradient_columns::<L, 4>(p, col),
                _ => gradient_columns::<L, 1>(p, col),
            }
        };
    }
}

#[inline(always)]
unsafe fn gradient_columns<L: Lanes, const R: usize>(
    p: &mut SparseGradient<'_>,
    col: usize,
) -> usize {
    for input in p.from..p.to {
        // SAFETY: entries are in range by construction, and `check` compared samples, inputs and
        // columns with the slices.
        unsafe {
            let entries = p.inputs.of(input);
            if entries.is_empty() && matches!(p.finish, Finish::Descend { .. }) {
                continue;
            }
            let mut sums = [L::splat(0.0); R];
            for &Entry { sample, value } in entries {
                let x = L::splat(value);
                let deltas = p.deltas.as_ptr().add(sample as usize * p.deltas_stride + col);
                for (r, sum) in sums.iter_mut().enumerate() {
                    *sum = x.fma(L::load(deltas.add(r * L::N)), *sum);
                }
            }
            let row = p.result.as_mut_ptr().add((input - p.from) * p.width + col);
            for (r, sum) in sums.into_iter().enumerate() {
                finish(p.finish, sum, row.add(r * L::N));
            }
        }
    }
    col + R * L::N
}
