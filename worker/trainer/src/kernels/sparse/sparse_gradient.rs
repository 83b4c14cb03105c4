//! Weight gradients that leave out zeros: input by input over the samples that have it.

use std::ops::Range;

use super::active::Active;
use crate::kernels::bits::WORD;
use crate::kernels::dense::product::{Finish, finish};
use crate::kernels::lanes::Lanes;
use crate::kernels::rows::rows_fit;

/// Deltas that all inputs pass before the next columns.
const CACHE_FLOATS: usize = 12 * 1024;

/// Words of samples whose deltas all inputs pass before the next samples.
const BLOCK_WORDS: usize = 1;

/// What a layer read, by input; its bits were turned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByInput<'a> {
    pub active: &'a Active,
    pub values: &'a [f32],
    /// Distances between samples and between inputs.
    pub sample_stride: usize,
    pub input_stride: usize,
}

/// Rows of the weight gradient of one panel, inputs `from..to`.
#[derive(Debug)]
pub(crate) struct SparseGradient<'a> {
    pub inputs: ByInput<'a>,
    pub from: usize,
    pub to: usize,
    /// Deltas of the panel's columns: begins at its first.
    pub deltas: &'a [f32],
    pub deltas_stride: usize,
    pub width: usize,
    /// The first row is that of input `from`. Rows of inputs that no sample has stay in a descent.
    pub result: &'a mut [f32],
    pub finish: Finish,
}

impl SparseGradient<'_> {
    /// Panics if an index would leave its slice.
    pub(crate) fn check(&self) {
        let ByInput { active, values, sample_stride, input_stride } = self.inputs;
        let (n, n_inputs) = (active.n_rows(), active.n_cols());
        assert!(active.is_turned(), "old bits by input may lie outside");
        let last_sample = n.saturating_sub(1).checked_mul(sample_stride);
        let room = last_sample.and_then(|last| values.len().checked_sub(last)).expect("values fit");
        assert!(n == 0 || rows_fit(n_inputs, input_stride, 1, room));
        assert!(self.width.is_multiple_of(16));
        assert!(self.from <= self.to && self.to <= n_inputs);
        assert!(rows_fit(n, self.deltas_stride, self.width, self.deltas.len()));
        assert!(rows_fit(self.to - self.from, self.width, self.width, self.result.len()));
    }
}

/// # Safety
/// `check` passed, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(crate) unsafe fn gradient<L: Lanes>(p: &mut SparseGradient<'_>) {
    let n_words = p.inputs.active.col_words();
    let mut end = match p.finish {
        Finish::Store => usize::min(BLOCK_WORDS, n_words),
        Finish::Descend { .. } => n_words,
    };
    // SAFETY: the words are within those of a column.
    unsafe {
        block::<L, false>(p, 0..end);
        // Sums that are stored can wait for more samples.
        while end < n_words {
            let words = end..usize::min(end + BLOCK_WORDS, n_words);
            end = words.end;
            block::<L, true>(p, words);
        }
    }
}

/// The samples of these words; `GOES_ON` adds them to sums that are stored.
///
/// # Safety
/// As `gradient`; the words are within those of a column.
#[inline(always)]
unsafe fn block<L: Lanes, const GOES_ON: bool>(p: &mut SparseGradient<'_>, words: Range<usize>) {
    // As many columns as let the block's deltas stay in the cache.
    let n_samples = usize::min(p.inputs.active.n_rows(), WORD * words.len());
    let fits = |registers: usize| n_samples * registers * L::N <= CACHE_FLOATS;
    let (fits_16, fits_8) = (L::SPARSE_REGISTERS == 16 && fits(16), fits(8));
    let mut col = 0;
    while col < p.width {
        let words = words.clone();
        // SAFETY: the columns stay within the width.
        col = unsafe {
            match (p.width - col) / L::N {
                16.. if fits_16 => columns::<L, 16, GOES_ON>(p, col, words),
                8.. if fits_8 => columns::<L, 8, GOES_ON>(p, col, words),
                4.. => columns::<L, 4, GOES_ON>(p, col, words),
                2.. => columns::<L, 2, GOES_ON>(p, col, words),
                _ => columns::<L, 1, GOES_ON>(p, col, words),
            }
        };
    }
}

/// The columns from `col` on that R registers hold; returns where the next begin.
///
/// # Safety
/// As `block`; the columns are within the width.
#[inline(always)]
unsafe fn columns<L: Lanes, const R: usize, const GOES_ON: bool>(
    p: &mut SparseGradient<'_>,
    col: usize,
    words: Range<usize>,
) -> usize {
    let ByInput { active, values, sample_stride, input_stride } = p.inputs;
    let (deltas, deltas_stride) = (p.deltas.as_ptr().wrapping_add(col), p.deltas_stride);
    // Rows without a sample stay as they are.
    let skips = GOES_ON || matches!(p.finish, Finish::Descend { .. });
    for input in p.from..p.to {
        // SAFETY: bits are in range by construction, and `check` compared samples, inputs and
        // columns with the slices.
        unsafe {
            if skips && words.clone().all(|word| active.of_col(input, word).0 == 0) {
                continue;
            }
            let values = values.as_ptr().add(input * input_stride);
            let row = p.result.as_mut_ptr().add((input - p.from) * p.width + col);
            let mut sums = [L::splat(0.0); R];
            if GOES_ON {
                for (r, sum) in sums.iter_mut().enumerate() {
                    *sum = L::load(row.add(r * L::N));
                }
            }
            for word in words.clone() {
                for bit in active.of_col(input, word) {
                    let sample = WORD * word + bit;
                    let x = L::splat(*values.add(sample * sample_stride));
                    let deltas = deltas.add(sample * deltas_stride);
                    for (r, sum) in sums.iter_mut().enumerate() {
                        *sum = x.fma(L::load(deltas.add(r * L::N)), *sum);
                    }
                }
            }
            for (r, sum) in sums.into_iter().enumerate() {
                finish(p.finish, sum, row.add(r * L::N));
            }
        }
    }
    col + R * L::N
}
