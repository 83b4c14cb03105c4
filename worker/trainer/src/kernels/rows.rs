//! Rows in a slice, each at the same distance from the one before.

/// Whether `n_rows` rows of `n_cols` elements at this distance lie within this many.
pub(crate) fn rows_fit(n_rows: usize, stride: usize, n_cols: usize, len: usize) -> bool {
    let last = n_rows.saturating_sub(1).checked_mul(stride);
    n_rows == 0 || last.and_then(|last| last.checked_add(n_cols)).is_some_and(|end| end <= len)
}
