//! Kernels that sum: products of two matrices in f64 by the column rule, and exact products of
//! pixels.

use super::lanes::Lanes;
use crate::data::MAX_INPUTS;

const BLOCK: usize = 16;
/// So many products of two pixels, each below 2^16, stay below 2^31.
const EXACT_TERMS: usize = 32_768;
/// Products of pixels that are summed side by side, so that a row is loaded once for several.
const TILE_COLS: usize = 4;

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
    /// Row-major, zeros up to the stride; whole tiles of rows, of which the last may hold anything.
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
        assert!(self.n_rows.next_multiple_of(TILE_COLS) * self.stride <= self.pixels.len());
        assert!(self.n_rows * self.n_rows <= self.products.len());
    }
}

/// # Safety
/// `check` passed, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(super) unsafe fn pixel_products<L: Lanes>(p: &mut PixelProducts<'_>) {
    // SAFETY: as the caller promises.
    unsafe { if L::TILE_ROWS == 8 { pixel_tiles::<L, 4>(p) } else { pixel_tiles::<L, 2>(p) } }
}

/// # Safety
/// As `pixel_products`.
#[inline(always)]
unsafe fn pixel_tiles<L: Lanes, const ROWS: usize>(p: &mut PixelProducts<'_>) {
    for row in (0..p.n_rows).step_by(ROWS) {
        // What is left of the diagonal is known from the other side.
        for col in (row / TILE_COLS * TILE_COLS..p.n_rows).step_by(TILE_COLS) {
            // SAFETY: as the caller promises; tiles begin at multiples of their size.
            let totals = unsafe { pixel_tile::<L, ROWS>(p, row, col) };
            for (i, totals) in (row..p.n_rows).zip(totals) {
                for (j, total) in (col..p.n_rows).zip(totals) {
                    p.products[i * p.n_rows + j] = total;
                    p.products[j * p.n_rows + i] = total;
                }
            }
        }
    }
}

/// # Safety
/// As `pixel_products`.
#[inline(always)]
unsafe fn pixel_tile<L: Lanes, const ROWS: usize>(
    p: &PixelProducts<'_>,
    row: usize,
    col: usize,
) -> [[u32; TILE_COLS]; ROWS] {
    let mut totals = [[0; TILE_COLS]; ROWS];
    for from in (0..p.stride).step_by(EXACT_TERMS) {
        // SAFETY: all rows of the tile have `stride` pixels, as `check` found.
        unsafe {
            let mut sums = [[L::zero_ints(); TILE_COLS]; ROWS];
            let mut at = from;
            while at < usize::min(from + EXACT_TERMS, p.stride) {
                for (i, sums) in sums.iter_mut().enumerate() {
                    let a = p.pixels.as_ptr().add((row + i) * p.stride + at);
                    for (j, sum) in sums.iter_mut().enumerate() {
                        let b = p.pixels.as_ptr().add((col + j) * p.stride + at);
                        *sum = L::add_products(*sum, a, b);
                    }
                }
                at += L::INTS;
            }
            for (totals, sums) in totals.iter_mut().zip(sums) {
                for (total, sum) in totals.iter_mut().zip(sums) {
                    *total += L::total(sum) as u32;
                }
            }
        }
    }
    totals
}
