//! Dense products by register tiles: each element of the result stays in its register while the
//! inner index ascends.

use crate::kernels::lanes::Lanes;

/// Where the accumulators begin.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start<'a> {
    Zero,
    /// One value a column, for all rows.
    Columns(&'a [f32]),
}

/// What becomes of a sum.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Finish {
    Store,
    /// It is a gradient: result = fma(-lr, sum, result).
    Descend {
        lr: f32,
    },
}

/// result\[m\]\[n\] = start + sum over k of a(m, k) * b\[k\]\[n\], k ascending.
#[derive(Debug)]
pub(crate) struct Product<'a> {
    pub n_rows: usize,
    /// A multiple of 16.
    pub n_cols: usize,
    /// Terms of each sum.
    pub n_terms: usize,
    pub a: &'a [f32],
    /// Distances in `a` from row to row and from term to term.
    pub a_strides: (usize, usize),
    pub b: &'a [f32],
    /// Distance in `b` from term to term.
    pub b_stride: usize,
    pub start: Start<'a>,
    pub result: &'a mut [f32],
    pub result_stride: usize,
    pub finish: Finish,
}

impl Product<'_> {
    /// Panics if an index would leave its slice.
    pub(crate) fn check(&self) {
        let Self { n_rows, n_cols, n_terms, .. } = *self;
        assert!(n_cols.is_multiple_of(16));
        let last = |n: usize, stride: usize| n.saturating_sub(1) * stride;
        if n_rows * n_cols == 0 {
            return;
        }
        assert!(last(n_rows, self.result_stride) + n_cols <= self.result.len());
        if n_terms > 0 {
            let (row, term) = self.a_strides;
            assert!(last(n_rows, row) + last(n_terms, term) < self.a.len());
            assert!(last(n_terms, self.b_stride) + n_cols <= self.b.len());
        }
        if let Start::Columns(columns) = self.start {
            assert!(n_cols <= columns.len());
        }
    }
}

/// # Safety
/// `check` passed, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(crate) unsafe fn product<L: Lanes>(p: &mut Product<'_>) {
    let mut col = 0;
    // SAFETY: tiles stay within n_rows and n_cols, which `check` compared with the slices.
    unsafe {
        while col + 2 * L::N <= p.n_cols {
            rows::<L, 2>(p, col);
            col += 2 * L::N;
        }
        while col < p.n_cols {
            rows::<L, 1>(p, col);
            col += L::N;
        }
    }
}

#[inline(always)]
unsafe fn rows<L: Lanes, const REGISTERS: usize>(p: &mut Product<'_>, col: usize) {
    let mut row = 0;
    // SAFETY: as `product`.
    unsafe {
        if L::TILE_ROWS == 8 {
            while row + 8 <= p.n_rows {
                tile::<L, 8, REGISTERS>(p, row, col);
                row += 8;
            }
        }
        while row + 4 <= p.n_rows {
            tile::<L, 4, REGISTERS>(p, row, col);
            row += 4;
        }
        while row < p.n_rows {
            tile::<L, 1, REGISTERS>(p, row, col);
            row += 1;
        }
    }
}

#[inline(always)]
unsafe fn tile<L: Lanes, const ROWS: usize, const REGISTERS: usize>(
    p: &mut Product<'_>,
    row: usize,
    col: usize,
) {
    let (row_stride, term_stride) = p.a_strides;
    // SAFETY: as `product`: rows row..row + ROWS and columns col..col + REGISTERS * N are inside.
    unsafe {
        let result = p.result.as_mut_ptr().add(row * p.result_stride + col);
        let mut sums = start_sums::<L, ROWS, REGISTERS>(p.start, col);
        let mut a = p.a.as_ptr().wrapping_add(row * row_stride);
        let mut b = p.b.as_ptr().wrapping_add(col);
        for _ in 0..p.n_terms {
            let mut right = [L::splat(0.0); REGISTERS];
            for (r, right) in right.iter_mut().enumerate() {
                *right = L::load(b.add(r * L::N));
            }
            for (m, sums) in sums.iter_mut().enumerate() {
                let left = L::splat(*a.add(m * row_stride));
                for (sum, right) in sums.iter_mut().zip(right) {
                    *sum = left.fma(right, *sum);
                }
            }
            a = a.wrapping_add(term_stride);
            b = b.wrapping_add(p.b_stride);
        }
        for (m, sums) in sums.into_iter().enumerate() {
            for (r, sum) in sums.into_iter().enumerate() {
                finish(p.finish, sum, result.add(m * p.result_stride + r * L::N));
            }
        }
    }
}

/// # Safety
/// As `product`: the tile's columns are inside.
#[inline(always)]
unsafe fn start_sums<L: Lanes, const ROWS: usize, const REGISTERS: usize>(
    start: Start<'_>,
    col: usize,
) -> [[L; REGISTERS]; ROWS] {
    // SAFETY: as `product`.
    unsafe {
        let mut row = [L::splat(0.0); REGISTERS];
        if let Start::Columns(columns) = start {
            for (r, sum) in row.iter_mut().enumerate() {
                *sum = L::load(columns.as_ptr().add(col + r * L::N));
            }
        }
        [row; ROWS]
    }
}

/// # Safety
/// N elements at `result` are valid, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(crate) unsafe fn finish<L: Lanes>(finish: Finish, sum: L, result: *mut f32) {
    // SAFETY: as the caller promises.
    unsafe {
        match finish {
            Finish::Store => sum.store(result),
            Finish::Descend { lr } => L::splat(-lr).fma(sum, L::load(result)).store(result),
        }
    }
}
