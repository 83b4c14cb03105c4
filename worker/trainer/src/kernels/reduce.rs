//! Kernels that sum: products of two matrices in f64 by the column rule, and exact products of
//! pixels.

use super::lanes::Lanes;
use crate::data::MAX_INPUTS;

const BLOCK: usize = 16;
/// So many products of two pixels, each below 2^16, stay below 2^31.
const EXACT_TERMS: usize = 32_768;

/// Adds a\[r\]\[c\] * b\[r\]\[c\] to the 16 sums: blocks of 16 columns, rows ascending in each.
#[derive(Debug)]
pub(crate) struct ColumnSums<'a> {
    pub sums: &'a mut [f64; BLOCK],
    pub a: &'a [f32],
    pub b: &'a [f32],
    pub n_rows: usize,
    /// Columns that count; those up to the stride are padding.
    pub n_cols: usize,
    /// Distance from row to row, a multiple of 16.
    pub stride: usize,
}

impl ColumnSums<'_> {
    /// Panics if an index would leave its slice.
    pub(super) fn check(&self) {
        assert!(self.stride.is_multiple_of(BLOCK) && self.n_cols <= self.stride);
        let n = self.n_rows * self.stride;
        assert!(n <= self.a.len() && n <= self.b.len());
    }
}

/// # Safety
/// `check` passed, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(super) unsafe fn column_sums<L: Lanes>(p: &mut ColumnSums<'_>) {
    // SAFETY: rows and columns are inside, as `check` found.
    unsafe {
        let mut sums = L::load_sums(p.sums.as_ptr());
        let mut col = 0;
        while col + BLOCK <= p.n_cols {
            for row in 0..p.n_rows {
                let at = row * p.stride + col;
                sums = L::add_to_sums(sums, p.a.as_ptr().add(at), p.b.as_ptr().add(at));
            }
            col += BLOCK;
        }
        let n_last = p.n_cols - col;
        if n_last > 0 {
            for row in 0..p.n_rows {
                // Padding may hold anything, and zeros add nothing.
                let (mut a, mut b) = ([0.0_f32; BLOCK], [0.0_f32; BLOCK]);
                let at = row * p.stride + col;
                a[..n_last].copy_from_slice(&p.a[at..at + n_last]);
                b[..n_last].copy_from_slice(&p.b[at..at + n_last]);
                sums = L::add_to_sums(sums, a.as_ptr(), b.as_ptr());
            }
        }
        L::store_sums(sums, p.sums.as_mut_ptr());
    }
}

/// Exact products of all pairs of rows of pixels.
#[derive(Debug)]
pub(crate) struct PixelProducts<'a> {
    /// Row-major, zeros up to the stride.
    pub pixels: &'a [i16],
    pub n_rows: usize,
    /// A multiple of 32.
    pub stride: usize,
    /// Entry (i, j) at `i * n_rows + j`.
    pub products: &'a mut [u32],
}

impl PixelProducts<'_> {
    /// Panics if an index would leave its slice.
    pub(super) fn check(&self) {
        // Then every product of two rows fits into u32.
        assert!(self.stride.is_multiple_of(32) && self.stride <= MAX_INPUTS);
        assert!(self.n_rows * self.stride <= self.pixels.len());
        assert!(self.n_rows * self.n_rows <= self.products.len());
    }
}

/// # Safety
/// `check` passed, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(super) unsafe fn pixel_products<L: Lanes>(p: &mut PixelProducts<'_>) {
    let n = p.n_rows;
    for i in 0..n {
        for j in i..n {
            let mut total = 0_u32;
            let mut from = 0;
            while from < p.stride {
                let to = usize::min(from + EXACT_TERMS, p.stride);
                // SAFETY: both rows have `stride` pixels, as `check` found.
                unsafe {
                    let a = p.pixels.as_ptr().add(i * p.stride);
                    let b = p.pixels.as_ptr().add(j * p.stride);
                    let mut sums = L::zero_ints();
                    let mut at = from;
                    while at < to {
                        sums = L::add_products(sums, a.add(at), b.add(at));
                        at += L::INTS;
                    }
                    total += L::total(sums) as u32;
                }
                from = to;
            }
            p.products[i * n + j] = total;
            p.products[j * n + i] = total;
        }
    }
}
