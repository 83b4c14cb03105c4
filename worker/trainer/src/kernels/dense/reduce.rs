//! The kernel that sums products of two matrices in f64 by the column rule.

use crate::kernels::lanes::Lanes;

const BLOCK: usize = 16;

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
    pub(crate) fn check(&self) {
        assert!(self.stride.is_multiple_of(BLOCK) && self.n_cols <= self.stride);
        let n = self.n_rows * self.stride;
        assert!(n <= self.a.len() && n <= self.b.len());
    }
}

/// # Safety
/// `check` passed, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(crate) unsafe fn column_sums<L: Lanes>(p: &mut ColumnSums<'_>) {
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
