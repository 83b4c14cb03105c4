//! Transposition, eight by eight elements at a time.

use crate::kernels::lanes::Lanes;

/// to\[col\]\[row\] = from\[row\]\[col\]; elements of `to` beside them stay.
#[derive(Debug)]
pub(crate) struct Transpose<'a> {
    pub from: &'a [f32],
    pub from_stride: usize,
    pub n_rows: usize,
    pub n_cols: usize,
    pub to: &'a mut [f32],
    pub to_stride: usize,
}

impl Transpose<'_> {
    /// Panics if an index would leave its slice.
    pub(crate) fn check(&self) {
        if self.n_rows * self.n_cols > 0 {
            assert!((self.n_rows - 1) * self.from_stride + self.n_cols <= self.from.len());
            assert!((self.n_cols - 1) * self.to_stride + self.n_rows <= self.to.len());
        }
    }
}

/// # Safety
/// `check` passed, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(crate) unsafe fn transpose<L: Lanes>(p: &mut Transpose<'_>) {
    let (full_rows, full_cols) = (p.n_rows / 8 * 8, p.n_cols / 8 * 8);
    for row in (0..full_rows).step_by(8) {
        for col in (0..full_cols).step_by(8) {
            // SAFETY: the block is inside both, as `check` found.
            unsafe {
                let from = p.from.as_ptr().add(row * p.from_stride + col);
                let to = p.to.as_mut_ptr().add(col * p.to_stride + row);
                L::transpose_8x8(from, p.from_stride, to, p.to_stride);
            }
        }
    }
    for row in 0..p.n_rows {
        let first = if row < full_rows { full_cols } else { 0 };
        for col in first..p.n_cols {
            p.to[col * p.to_stride + row] = p.from[row * p.from_stride + col];
        }
    }
}
