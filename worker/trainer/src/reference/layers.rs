//! The layers of the definition as plain rows, and the sums in their order.

use crate::model::network::LayerShape;
use crate::numerics::sum::{LaneSum, N_LANES};

/// One row a sample.
pub(crate) type Rows = Vec<Vec<f32>>;

/// Weights `[in][out]` and bias of a layer, or their gradient.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) shape: LayerShape,
    pub(crate) weights: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

impl Layer {
    pub(crate) fn zeros(shape: LayerShape) -> Self {
        Self { shape, weights: vec![0.0; shape.n_weights()], bias: vec![0.0; shape.n_out] }
    }

    pub(crate) fn weight(&self, input: usize, output: usize) -> f32 {
        self.weights[input * self.shape.n_out + output]
    }
}

/// What a forward pass leaves behind, per layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forward {
    /// What each layer read; the first are the samples.
    pub(crate) inputs: Vec<Rows>,
    /// Before the activation; the last are the logits.
    pub(crate) sums: Vec<Rows>,
}

/// One accumulator, its terms by fused multiply-add in the order given.
pub(crate) fn chain(start: f32, terms: impl Iterator<Item = (f32, f32)>) -> f32 {
    terms.fold(start, |sum, (a, b)| a.mul_add(b, sum))
}

/// Adds terms of a matrix by the column rule: blocks of 16 columns, rows ascending in each.
pub(crate) fn add_columns(
    sum: &mut LaneSum,
    n_rows: usize,
    n_cols: usize,
    term: impl Fn(usize, usize) -> f64,
) {
    for block in (0..n_cols).step_by(N_LANES) {
        for row in 0..n_rows {
            for col in block..usize::min(block + N_LANES, n_cols) {
                sum.add(col, term(row, col));
            }
        }
    }
}

/// Squared norm of layers: ascending, the weights of each before its bias.
pub(crate) fn norm_squared(layers: &[Layer]) -> f64 {
    let square = |x: f32| f64::from(x) * f64::from(x);
    let mut sum = LaneSum::new();
    for layer in layers {
        let LayerShape { n_in, n_out } = layer.shape;
        add_columns(&mut sum, n_in, n_out, |row, col| square(layer.weight(row, col)));
        add_columns(&mut sum, 1, n_out, |_, col| square(layer.bias[col]));
    }
    sum.total()
}

/// All that a search reads of the step's forward and backward pass.
pub(crate) struct SearchedBatch<'a> {
    pub rows: &'a [u32],
    pub labels: &'a [u16],
    pub step: u64,
    pub pass: &'a Forward,
    pub gradients: &'a [Layer],
    /// Gradient of the first layer's sums.
    pub deltas: &'a Rows,
    pub loss: f64,
}
