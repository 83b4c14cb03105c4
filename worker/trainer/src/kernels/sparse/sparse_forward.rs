//! Forward products that leave out zeros: row by row in blocks of inputs, whose weights stay in the
//! cache. The factor with the zeros are samples in compressed rows, or units, of which ReLU left
//! many at zero.

use std::ops::Range;

use super::active::Active;
use super::compressed::{CompressedRows, SampleRows};
use crate::kernels::bits::WORD;
use crate::kernels::dense::product::Start;
use crate::kernels::lanes::Lanes;
use crate::kernels::prefetch::prefetch_line;
use crate::kernels::rows::rows_fit;

/// Weights of the inputs that all rows pass before the next block, of a word of inputs at least.
/// Somewhat more than the first-level cache was fastest, because each block loads and stores every
/// row's sums.
const CACHE_FLOATS: usize = 12 * 1024;

/// Rows whose values are asked for ahead: weights have driven them out of the first-level cache
/// since the last block.
const VALUES_AHEAD: usize = 2;

/// Rows with a value for each column, of which those that are zero are left out: `active` was found
/// in these values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ActiveRows<'a> {
    pub values: &'a [f32],
    /// Distance between rows.
    pub stride: usize,
    pub active: &'a Active,
}

/// The factor with the zeros.
#[derive(Debug)]
pub(crate) enum Source<'a> {
    Units(ActiveRows<'a>),
    Samples {
        /// What the samples were gathered from.
        all: &'a CompressedRows,
        samples: &'a mut SampleRows,
        /// Whether the weight gradient will want the samples by input.
        keeps: bool,
    },
}

/// One panel of sums = start + source x weights; it has `width` columns (a multiple of 16).
#[derive(Debug)]
pub(crate) struct SparseForward<'a> {
    pub source: Source<'a>,
    /// Row-major, one row of `width` an input, at this distance.
    pub weights: &'a [f32],
    pub weights_stride: usize,
    pub width: usize,
    pub start: Start<'a>,
    pub sums: &'a mut [f32],
    pub sums_stride: usize,
}

impl Source<'_> {
    /// For one more product with the same factor; the first one has kept the samples by input.
    pub(crate) fn again(&mut self) -> Source<'_> {
        match self {
            Self::Units(rows) => Source::Units(*rows),
            Self::Samples { all, samples, keeps } => {
                Source::Samples { all, samples, keeps: std::mem::take(keeps) }
            }
        }
    }

    fn active(&self) -> &Active {
        match self {
            Self::Units(rows) => rows.active,
            Self::Samples { samples, .. } => &samples.active,
        }
    }
}

impl SparseForward<'_> {
    /// Panics if an index would leave its slice.
    pub(crate) fn check(&self) {
        let active = self.source.active();
        match &self.source {
            Source::Units(rows) => {
                let n = rows.values.len();
                assert!(rows_fit(active.n_rows(), rows.stride, active.n_cols(), n));
            }
            Source::Samples { all, samples, keeps } => {
                samples.check(all);
                assert!(!keeps || samples.has_room_by_input());
            }
        }
        assert!(self.width.is_multiple_of(16) && self.width > 0);
        assert!(rows_fit(active.n_cols(), self.weights_stride, self.width, self.weights.len()));
        assert!(rows_fit(active.n_rows(), self.sums_stride, self.width, self.sums.len()));
        if let Start::Columns(columns) = self.start {
            assert!(self.width <= columns.len());
        }
    }
}

/// # Safety
/// `check` passed, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(crate) unsafe fn forward<L: Lanes>(p: &mut SparseForward<'_>) {
    let mut col = 0;
    while col < p.width {
        // SAFETY: the columns stay within the width.
        col = unsafe {
            match (p.width - col) / L::N {
                16.. if L::SPARSE_REGISTERS == 16 => columns::<L, 16>(p, col),
                8.. => columns::<L, 8>(p, col),
                4.. => columns::<L, 4>(p, col),
                2.. => columns::<L, 2>(p, col),
                _ => columns::<L, 1>(p, col),
            }
        };
        // Every group of columns meets all values; the first one has kept them.
        if let Source::Samples { keeps, .. } = &mut p.source {
            *keeps = false;
        }
    }
}

/// The columns from `col` on that R registers hold; returns where the next begin.
///
/// # Safety
/// As `forward`; the columns are within the width.
#[inline(always)]
unsafe fn columns<L: Lanes, const R: usize>(p: &mut SparseForward<'_>, col: usize) -> usize {
    if let Source::Samples { samples, .. } = &mut p.source {
        let n = samples.starts.len();
        samples.cursors[..n].copy_from_slice(&samples.starts);
    }
    let (n_rows, n_words) = (p.source.active().n_rows(), p.source.active().row_words());
    let block = usize::max(1, CACHE_FLOATS / (R * L::N * WORD));
    let weights = Weights { first: p.weights.as_ptr().wrapping_add(col), stride: p.weights_stride };
    for begin in (0..n_words).step_by(block) {
        let words = begin..usize::min(begin + block, n_words);
        for row in 0..n_rows {
            // SAFETY: rows and words are those of the bits.
            unsafe { row_of_block::<L, R>(p, weights, col, row, words.clone()) };
        }
    }
    col + R * L::N
}

/// A row's inputs of these words.
///
/// # Safety
/// As `columns`; the row and the words are those of the bits.
#[inline(always)]
unsafe fn row_of_block<L: Lanes, const R: usize>(
    p: &mut SparseForward<'_>,
    weights: Weights,
    col: usize,
    row: usize,
    words: Range<usize>,
) {
    // SAFETY: bits are in range by construction, and `check` compared rows, columns and values with
    // the slices.
    unsafe {
        let active = p.source.active();
        if words.start > 0 && words.clone().all(|word| active.of_row(row, word).0 == 0) {
            return;
        }
        let out = p.sums.as_mut_ptr().add(row * p.sums_stride + col);
        let mut sums = match p.start {
            _ if words.start > 0 => load::<L, R>(out),
            Start::Columns(columns) => load(columns.as_ptr().add(col)),
            Start::Zero => [L::splat(0.0); R],
        };
        match &mut p.source {
            Source::Units(ActiveRows { values, stride, active }) => {
                let values = values.as_ptr().add(row * *stride);
                weights.add_to(&mut sums, (active, row), words, |input| *values.add(input));
            }
            Source::Samples { all, samples, keeps } => {
                let values = all.all_values().as_ptr();
                samples.prefetch_ahead(values, row);
                let SampleRows { active, cursors, by_input, by_input_stride, .. } = &mut **samples;
                let mut at = values.add(cursors[row]);
                let mut next = || {
                    let value = *at;
                    at = at.add(1);
                    value
                };
                if *keeps {
                    let (kept, stride) = (by_input.as_mut_ptr().add(row), *by_input_stride);
                    weights.add_to(&mut sums, (active, row), words, |input| {
                        let value = next();
                        *kept.add(input * stride) = value;
                        value
                    });
                } else {
                    weights.add_to(&mut sums, (active, row), words, |_| next());
                }
                cursors[row] = at.offset_from_unsigned(values);
            }
        }
        for (r, sum) in sums.into_iter().enumerate() {
            sum.store(out.add(r * L::N));
        }
    }
}

/// # Safety
/// R registers can be read there, and the caller enables the instruction set of `L`.
#[inline(always)]
unsafe fn load<L: Lanes, const R: usize>(from: *const f32) -> [L; R] {
    // SAFETY: as the caller promises.
    unsafe {
        let mut registers = [L::splat(0.0); R];
        for (r, register) in registers.iter_mut().enumerate() {
            *register = L::load(from.add(r * L::N));
        }
        registers
    }
}

impl SampleRows {
    /// Asks for values of a row that comes soon.
    #[inline(always)]
    fn prefetch_ahead(&self, values: *const f32, row: usize) {
        let later = usize::min(row + VALUES_AHEAD, self.active.n_rows() - 1);
        let at = values.wrapping_add(self.cursors[later]);
        prefetch_line(at);
        prefetch_line(at.wrapping_add(16));
    }
}

/// Some columns of a panel's weights.
#[derive(Clone, Copy)]
struct Weights {
    first: *const f32,
    stride: usize,
}

impl Weights {
    /// Adds the weights of the inputs that these words of a row have, times the inputs' values.
    ///
    /// # Safety
    /// The row and the words are those of the bits, there are weights for every input, and the caller
    /// enables the instruction set of `L`.
    #[inline(always)]
    unsafe fn add_to<L: Lanes, const R: usize>(
        self,
        sums: &mut [L; R],
        (active, row): (&Active, usize),
        words: Range<usize>,
        mut value: impl FnMut(usize) -> f32,
    ) {
        for word in words {
            // SAFETY: as the caller promises.
            unsafe {
                for bit in active.of_row(row, word) {
                    let input = WORD * word + bit;
                    let x = L::splat(value(input));
                    let weights = self.first.add(input * self.stride);
                    for (r, sum) in sums.iter_mut().enumerate() {
                        *sum = x.fma(L::load(weights.add(r * L::N)), *sum);
                    }
                }
            }
        }
    }
}
