//! The search direction: how the first layer's sums move along the step.

use super::panels::padded;
use crate::data::PreparedData;
use crate::kernels::{self, Floats, PixelBlock};
use crate::reference::uses_gram_form;

/// Rows of a symmetric product that are computed before the next ones leave out what they mirror;
/// a multiple of 16.
pub(crate) const MIRRORED_ROWS: usize = 32;

/// The first layer's sums as a function of the step size: sums - eta * slopes.
#[derive(Debug)]
pub(crate) struct SearchDirection {
    /// Before ReLU.
    pub sums: Floats,
    pub(crate) slopes: Floats,
    pub(crate) gram: Option<Gram>,
}

impl SearchDirection {
    pub(crate) fn new(batch_size: usize, data: &PreparedData, stride: usize) -> Self {
        let capacity = padded(batch_size);
        let n_inputs = data.n_inputs();
        let gram = || Gram {
            matrix: Floats::zeros(capacity * capacity),
            deltas: Floats::zeros(stride * capacity),
            delta_products: Floats::zeros(capacity * capacity),
            source: match data.train_bytes {
                Some(_) => {
                    let n_blocks = capacity * PixelBlock::n_of(n_inputs);
                    GramSource::Pixels(vec![PixelBlock::ZEROS; n_blocks])
                }
                None => GramSource::Floats {
                    rows: Floats::zeros(capacity * n_inputs),
                    columns: Floats::zeros(capacity * n_inputs),
                },
            },
        };
        Self {
            sums: Floats::zeros(capacity * stride),
            slopes: Floats::zeros(capacity * stride),
            gram: uses_gram_form(batch_size, n_inputs).then(gram),
        }
    }

    /// Asks for the pixels that the step's Gram matrix reads after the backward pass.
    pub(crate) fn prefetch_pixels(&self, data: &PreparedData, rows: &[u32]) {
        let Some(bytes) = data.train_bytes.as_ref().filter(|_| self.gram.is_some()) else { return };
        let n_inputs = data.n_inputs();
        for &row in rows {
            kernels::prefetch(&bytes[row as usize * n_inputs..][..n_inputs]);
        }
    }
}

/// The batch's Gram matrix K' (inputs and the bias's one) and what it is made from.
#[derive(Debug)]
pub(crate) struct Gram {
    /// Row-major, rows of `padded(n)`.
    pub(crate) matrix: Floats,
    /// The first layer's deltas transposed: `[output][sample]`, rows of `padded(n)`.
    pub(crate) deltas: Floats,
    /// The first layer's deltas times their transpose, likewise.
    pub(crate) delta_products: Floats,
    pub(crate) source: GramSource,
}

#[derive(Debug)]
pub(crate) enum GramSource {
    /// Image by image.
    Pixels(Vec<PixelBlock>),
    /// Samples `[sample][input]` and `[input][sample]`.
    Floats { rows: Floats, columns: Floats },
}
