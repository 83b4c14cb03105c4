//! A layer's gradient and its update: piece by piece, or stored as a whole.

use std::ops::Range;

use super::layer::{Input, Layer};
use super::panels::{Numbers, Panel, Panels, padded, row_stride};
use crate::kernels::{
    ColumnSums, Elements, Finish, Kernels, Product, SparseGradient, Start, Update,
};
use crate::numerics::sum::LaneSum;

/// Samples of which a sparse gradient is applied at once. That of more is stored in between, so that
/// it can be computed from some of them at a time, whose deltas stay in the cache.
const MAX_FUSED: usize = 128;

impl Layer {
    /// Computes the whole gradient.
    pub(crate) fn store_gradient(
        &mut self,
        kernels: &Kernels,
        input: Input<'_>,
        deltas: &[f32],
        n: usize,
    ) {
        for panel in self.panels.iter() {
            let n_in = self.panels.shape.n_in;
            let out = &mut self.gradient.weights[panel.offset..][..n_in * panel.width];
            let rows = GradientRows { panel, rows: 0..n_in, out, finish: Finish::Store };
            gradient_rows(kernels, &self.panels, input, (deltas, n), rows);
        }
        self.bias_gradient(kernels, deltas, n);
    }

    /// Computes the gradient piece by piece and updates at once.
    pub(crate) fn descend(
        &mut self,
        kernels: &Kernels,
        update: Update,
        input: Input<'_>,
        deltas: &[f32],
        n: usize,
    ) {
        let n_in = self.panels.shape.n_in;
        for panel in self.panels.iter() {
            let is_fused = n <= MAX_FUSED || matches!(input, Input::Dense(..));
            if let Some(lr) = update.plain_rate().filter(|_| is_fused) {
                let out = &mut self.current.weights[panel.offset..][..n_in * panel.width];
                let rows =
                    GradientRows { panel, rows: 0..n_in, out, finish: Finish::Descend { lr } };
                gradient_rows(kernels, &self.panels, input, (deltas, n), rows);
                continue;
            }
            let n_rows = self.chunk.len() / panel.width;
            for from in (0..n_in).step_by(n_rows) {
                let rows = from..usize::min(from + n_rows, n_in);
                let chunk = &mut self.chunk[..rows.len() * panel.width];
                let rows = GradientRows { panel, rows, out: chunk, finish: Finish::Store };
                gradient_rows(kernels, &self.panels, input, (deltas, n), rows);
                let at = panel.offset + from * panel.width;
                kernels.update(Elements {
                    update,
                    weights: &mut self.current.weights[at..],
                    gradients: chunk,
                    states: states(&mut self.states, |state| &mut state.weights[at..]),
                });
            }
        }
        self.bias_gradient(kernels, deltas, n);
        self.update_bias(kernels, update);
    }

    /// Updates by the gradient that `store_gradient` left.
    pub(crate) fn descend_stored(&mut self, kernels: &Kernels, update: Update) {
        kernels.update(Elements {
            update,
            weights: &mut self.current.weights,
            gradients: &self.gradient.weights,
            states: states(&mut self.states, |state| &mut state.weights[..]),
        });
        self.update_bias(kernels, update);
    }

    fn update_bias(&mut self, kernels: &Kernels, update: Update) {
        kernels.update(Elements {
            update: update.for_biases(),
            weights: &mut self.current.bias,
            gradients: &self.gradient.bias,
            states: states(&mut self.states, |state| &mut state.bias[..]),
        });
    }

    /// The sum of the deltas, samples ascending: a product with ones.
    fn bias_gradient(&mut self, kernels: &Kernels, deltas: &[f32], n: usize) {
        let n_cols = padded(self.panels.shape.n_out);
        kernels.product(Product {
            n_rows: 1,
            n_cols,
            n_terms: n,
            a: &[1.0],
            a_strides: (0, 0),
            b: deltas,
            b_stride: self.stride(),
            start: Start::Zero,
            result: &mut self.gradient.bias,
            result_stride: n_cols,
            finish: Finish::Store,
        });
    }

    /// Adds the squares of the stored gradient: weights by the column rule, then the bias.
    pub(crate) fn add_squares(&self, kernels: &Kernels, sum: &mut LaneSum) {
        for panel in self.panels.iter() {
            let weights = self.panel(&self.gradient.weights, panel);
            kernels.column_sums(ColumnSums {
                sums: sum.lanes_mut(),
                a: weights,
                b: weights,
                n_rows: self.panels.shape.n_in,
                n_cols: panel.n_cols,
                stride: panel.width,
            });
        }
        let bias = &self.gradient.bias;
        kernels.column_sums(ColumnSums {
            sums: sum.lanes_mut(),
            a: bias,
            b: bias,
            n_rows: 1,
            n_cols: self.panels.shape.n_out,
            stride: padded(self.panels.shape.n_out),
        });
    }
}

/// Rows of a panel's weight gradient, and what becomes of them.
struct GradientRows<'a> {
    panel: Panel,
    rows: Range<usize>,
    out: &'a mut [f32],
    finish: Finish,
}

/// Inputs transposed x deltas, samples ascending.
fn gradient_rows(
    kernels: &Kernels,
    panels: &Panels,
    input: Input<'_>,
    (deltas, n): (&[f32], usize),
    GradientRows { panel, rows, out, finish }: GradientRows<'_>,
) {
    let deltas = &deltas[panel.first_col..];
    let deltas_stride = row_stride(panels.shape.n_out);
    match input {
        Input::Sparse(inputs) => kernels.sparse_gradient(SparseGradient {
            inputs,
            from: rows.start,
            to: rows.end,
            deltas,
            deltas_stride,
            width: panel.width,
            result: out,
            finish,
        }),
        Input::Dense(all, stride) => kernels.product(Product {
            n_rows: rows.len(),
            n_cols: panel.width,
            n_terms: n,
            a: &all[rows.start..],
            a_strides: (1, stride),
            b: deltas,
            b_stride: deltas_stride,
            start: Start::Zero,
            result: out,
            result_stride: panel.width,
            finish,
        }),
    }
}

/// The same piece of both states; empty where the optimizer has none.
fn states<'a>(
    states: &'a mut [Numbers],
    piece: impl Fn(&'a mut Numbers) -> &'a mut [f32],
) -> [&'a mut [f32]; 2] {
    let mut pieces = states.iter_mut().map(piece);
    [(); 2].map(|()| pieces.next().unwrap_or_default())
}
