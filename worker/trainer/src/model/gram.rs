//! When a line search finds the first layer's line by the batch's Gram matrix, and in which unit.

/// The largest product of two pixels; also what the bias's input, a one, counts as among pixels.
pub(crate) const PIXEL_ONE: u32 = 255 * 255;

/// Largest configured batch of the Gram form.
pub(crate) const GRAM_BATCH_MAX: usize = 128;

/// Whether the first layer's line is found by the batch's Gram matrix.
pub(crate) fn uses_gram_form(batch_size: usize, n_inputs: usize) -> bool {
    batch_size <= GRAM_BATCH_MAX && batch_size < n_inputs
}
