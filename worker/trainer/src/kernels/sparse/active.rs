//! Which numbers of a batch's rows are not zero, as bits by row and by column, so that a kernel
//! passes over the zeros without looking at them.

use crate::kernels::bits::WORD;
use crate::kernels::lanes::Lanes;
use crate::kernels::rows::rows_fit;

/// Rows are samples, columns the units of a layer. A bit says that the number is not zero. No row
/// below `n_rows` has a bit outside the columns, and after `turn` no column one outside the rows, so
/// that kernels need not look at every bit.
#[derive(Debug)]
pub(crate) struct Active {
    n_rows: usize,
    n_cols: usize,
    /// `[word][row]`, with room for `max_rows` rows: bit b of word w is column 64 w + b.
    by_row: Vec<u64>,
    max_rows: usize,
    /// `[word][column]`, with room for `max_cols` columns: bit b of word w is row 64 w + b.
    by_col: Vec<u64>,
    max_cols: usize,
    /// Whether `turn` filled `by_col` since `by_row` changed.
    is_turned: bool,
}

/// Looks for the numbers of `rows` that are not zero.
#[derive(Debug)]
pub(crate) struct FindActive<'a> {
    pub rows: &'a [f32],
    pub stride: usize,
    pub n_rows: usize,
    pub n_cols: usize,
    pub active: &'a mut Active,
}

impl Active {
    /// With room for this many rows and columns.
    pub(crate) fn new(n_rows: usize, n_cols: usize) -> Self {
        let (max_rows, max_cols) = (n_rows.next_multiple_of(WORD), n_cols.next_multiple_of(WORD));
        Self {
            n_rows: 0,
            n_cols: 0,
            by_row: vec![0; max_rows * max_cols / WORD],
            max_rows,
            by_col: vec![0; max_rows * max_cols / WORD],
            max_cols,
            is_turned: false,
        }
    }

    /// No rows, of this many columns each.
    pub(crate) fn clear(&mut self, n_cols: usize) {
        assert!(n_cols <= self.max_cols, "more than there is room for");
        (self.n_rows, self.n_cols, self.is_turned) = (0, n_cols, false);
    }

    /// Appends a row, whose bits lie within the columns.
    pub(crate) fn push_row(&mut self, bits: &[u64]) {
        assert!(self.n_rows < self.max_rows, "more than there is room for");
        assert_eq!(bits.len(), self.row_words());
        let words = self.by_row[self.n_rows..].iter_mut().step_by(self.max_rows);
        words.zip(bits).for_each(|(word, &bits)| *word = bits);
        self.n_rows += 1;
        self.is_turned = false;
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.n_rows
    }

    pub(crate) fn n_cols(&self) -> usize {
        self.n_cols
    }

    pub(crate) fn is_turned(&self) -> bool {
        self.is_turned
    }

    /// Words of each row.
    pub(crate) fn row_words(&self) -> usize {
        self.n_cols.div_ceil(WORD)
    }

    /// Words of each column.
    pub(crate) fn col_words(&self) -> usize {
        self.n_rows.div_ceil(WORD)
    }

    /// Columns 64 `word` and on of a row.
    ///
    /// # Safety
    /// The row is below `n_rows`, the word below `row_words`.
    #[inline(always)]
    pub(crate) unsafe fn of_row(&self, row: usize, word: usize) -> Bits {
        // SAFETY: as the caller promises.
        Bits(unsafe { *self.by_row.get_unchecked(word * self.max_rows + row) })
    }

    /// Rows 64 `word` and on of a column.
    ///
    /// # Safety
    /// The column is below `n_cols`, the word below `col_words`.
    #[inline(always)]
    pub(crate) unsafe fn of_col(&self, col: usize, word: usize) -> Bits {
        // SAFETY: as the caller promises.
        Bits(unsafe { *self.by_col.get_unchecked(word * self.max_cols + col) })
    }
}

/// The places of a word's bits, ascending.
#[derive(Clone, Copy)]
pub(crate) struct Bits(pub u64);

impl Iterator for Bits {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        let place = self.0.trailing_zeros() as usize;
        let has_one = self.0 != 0;
        self.0 &= self.0.wrapping_sub(1);
        has_one.then_some(place)
    }
}

impl FindActive<'_> {
    /// Panics if an index would leave its slice.
    pub(crate) fn check(&self) {
        let padded = self.n_cols.next_multiple_of(16);
        assert!(padded <= self.stride);
        assert!(rows_fit(self.n_rows, self.stride, padded, self.rows.len()));
        let Active { max_rows, max_cols, .. } = *self.active;
        assert!(self.n_rows <= max_rows && self.n_cols <= max_cols, "more than there is room for");
    }
}

/// # Safety
/// `check` passed, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(crate) unsafe fn find<L: Lanes>(p: &mut FindActive<'_>) {
    let FindActive { n_rows, n_cols, .. } = *p;
    (p.active.n_rows, p.active.n_cols, p.active.is_turned) = (n_rows, n_cols, false);
    for word in 0..p.active.row_words() {
        let first = word * WORD;
        let n = usize::min(WORD, n_cols - first);
        let words = &mut p.active.by_row[word * p.active.max_rows..][..n_rows];
        for (row, word) in words.iter_mut().enumerate() {
            let mut bits = 0;
            for col in (0..n).step_by(L::N) {
                // SAFETY: `check` found room for the columns rounded up to 16.
                let part = unsafe {
                    let at = p.rows.as_ptr().add(row * p.stride + first + col);
                    L::load(at).nonzero_bits()
                };
                bits |= part << col;
            }
            *word = bits & (u64::MAX >> (WORD - n));
        }
    }
}

/// Fills the bits by column from those by row.
///
/// # Safety
/// The caller enables the instruction set of `L`.
#[inline(always)]
pub(crate) unsafe fn turn<L: Lanes>(active: &mut Active) {
    let Active { n_rows, max_rows, max_cols, .. } = *active;
    active.is_turned = true;
    for rows in 0..active.col_words() {
        for cols in 0..active.row_words() {
            let square = &mut active.by_row[cols * max_rows + rows * WORD..][..WORD];
            // What an earlier, larger batch left.
            square[usize::min(WORD, n_rows - rows * WORD)..].fill(0);
            let turned = &mut active.by_col[rows * max_cols + cols * WORD..][..WORD];
            // SAFETY: as the caller promises; both are squares.
            unsafe { L::transpose_bits(square, turned) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;
    use crate::kernels::{Floats, Kernels};

    /// A batch, then a smaller one, of which the first one's bits must not be left.
    #[test]
    fn every_path_finds_what_is_not_zero_by_row_and_by_column() {
        let value = |row: usize, col: usize| match (row * 37 + col * 11 + row * col) % 7 {
            0 => f32::NAN,
            1 => -1e-45,
            2 => f32::INFINITY,
            3 => -0.0,
            _ => 0.0,
        };
        for isa in Isa::available() {
            let kernels = Kernels::of(isa);
            for n_cols in [1_usize, 16, 63, 64, 65, 200] {
                let stride = n_cols.next_multiple_of(16) + 16;
                let mut active = Active::new(130, n_cols);
                for n_rows in [130, 64, 33, 1] {
                    let mut rows = Floats::zeros(n_rows * stride);
                    for (row, out) in rows.chunks_exact_mut(stride).enumerate() {
                        // What lies beside the columns is not theirs.
                        out.fill(1.0);
                        (0..n_cols).for_each(|col| out[col] = value(row, col));
                    }
                    let rows = &rows[..];
                    let p = FindActive { rows, stride, n_rows, n_cols, active: &mut active };
                    kernels.find_active(p);
                    assert!(!active.is_turned());
                    kernels.turn(&mut active);
                    for (row, col) in (0..n_rows).flat_map(|row| (0..n_cols).map(move |c| (row, c)))
                    {
                        // SAFETY: row and column are inside.
                        let (by_row, by_col) = unsafe {
                            (active.of_row(row, col / WORD), active.of_col(col, row / WORD))
                        };
                        let expected = value(row, col) != 0.0;
                        assert_eq!(by_row.0 >> (col % WORD) & 1 == 1, expected, "{row} {col}");
                        assert_eq!(by_col.0 >> (row % WORD) & 1 == 1, expected, "{row} {col}");
                        let outside = n_cols - col / WORD * WORD;
                        assert!(outside >= WORD || by_row.0 >> outside == 0);
                        let outside = n_rows - row / WORD * WORD;
                        assert!(outside >= WORD || by_col.0 >> outside == 0);
                    }
                }
            }
        }
    }

    #[test]
    fn bits_are_visited_in_order() {
        assert_eq!(Bits(0).count(), 0);
        assert_eq!(Bits(1 << 63 | 0b1010).collect::<Vec<_>>(), [1, 3, 63]);
        assert_eq!(Bits(u64::MAX).collect::<Vec<_>>(), (0..64).collect::<Vec<_>>());
    }
}
