//! One layer's share of a step, by the kernels.

use std::ops::Range;

use super::panels::{LINE, Numbers, Panel, Panels, padded};
use crate::kernels::{
    ColumnSums, Elements, Finish, Floats, InputRows, Kernels, Mask, Product, SampleRows,
    SparseForward, SparseGradient, Start, Transpose,
};
use crate::network::LayerShape;
use crate::optimizers::Update;
use crate::sum::LaneSum;

/// Rows of a weight gradient that are computed, then applied while they are in the first-level cache.
const CHUNK_FLOATS: usize = 2048;

/// What a layer reads: the samples, or the layer below's output.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a> {
    Sparse {
        samples: SampleRows<'a>,
        by_input: &'a InputRows,
    },
    /// Row-major with this stride.
    Rows(&'a [f32], usize),
}

/// A layer's weights and all that belongs to them, in panels.
#[derive(Debug)]
pub(crate) struct Layer {
    pub panels: Panels,
    pub current: Numbers,
    /// Filled when the gradient is needed as a whole.
    pub gradient: Numbers,
    /// The optimizer's.
    pub states: Vec<Numbers>,
    /// Weights of a probe; in a line search alone.
    pub probe: Option<Numbers>,
    chunk: Floats,
}

/// Scratch that the layers share.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub cursors: Vec<Range<usize>>,
    /// Deltas `[output][sample]`.
    pub deltas: Floats,
    /// Their product with the weights, `[input][sample]`.
    pub products: Floats,
}

impl Layer {
    pub(crate) fn new(panels: Panels, n_states: usize, is_searched: bool) -> Self {
        let zeros = Numbers::zeros(&panels);
        let widest = panels.iter().map(|panel| panel.width).max().unwrap_or(LINE);
        Self {
            panels,
            gradient: zeros.clone(),
            states: vec![zeros.clone(); n_states],
            probe: is_searched.then(|| zeros.clone()),
            current: zeros,
            chunk: Floats::zeros(CHUNK_FLOATS.max(widest)),
        }
    }

    /// Distance between the rows of this layer's output.
    pub(crate) fn stride(&self) -> usize {
        padded(self.panels.shape.n_out)
    }

    /// out = input x numbers + bias.
    pub(crate) fn affine(
        &self,
        kernels: &Kernels,
        numbers: &Numbers,
        input: Input<'_>,
        n: usize,
        out: &mut [f32],
        cursors: &mut [Range<usize>],
    ) {
        let stride = self.stride();
        let (a, a_stride) = match input {
            Input::Sparse { samples, .. } => {
                for row in out.chunks_exact_mut(stride).take(n) {
                    row.copy_from_slice(&numbers.bias);
                }
                for panel in self.panels.iter() {
                    kernels.sparse_forward(SparseForward {
                        samples,
                        weights: self.panel(&numbers.weights, panel),
                        width: panel.width,
                        sums: &mut out[panel.first_col..],
                        sums_stride: stride,
                        cursors,
                    });
                }
                return;
            }
            Input::Rows(rows, stride) => (rows, stride),
        };
        for panel in self.panels.iter() {
            kernels.product(Product {
                n_rows: n,
                n_cols: panel.width,
                n_terms: self.panels.shape.n_in,
                a,
                a_strides: (a_stride, 1),
                a_blocks: None,
                b: self.panel(&numbers.weights, panel),
                b_stride: panel.width,
                start: Start::Columns(&numbers.bias[panel.first_col..]),
                result: &mut out[panel.first_col..],
                result_stride: stride,
                finish: Finish::Store,
            });
        }
    }

    fn panel<'a>(&self, numbers: &'a [f32], panel: Panel) -> &'a [f32] {
        &numbers[panel.offset..][..self.panels.shape.n_in * panel.width]
    }

    /// The gradient of what this layer read: +0 where that was not positive, else deltas x weights
    /// transposed, times `scale` if units were dropped.
    pub(crate) fn input_gradient(
        &self,
        kernels: &Kernels,
        deltas: &[f32],
        (inputs, out): (&[f32], &mut [f32]),
        n: usize,
        scale: Option<f32>,
        scratch: &mut Scratch,
    ) {
        let LayerShape { n_in, n_out } = self.panels.shape;
        let width = padded(n);
        kernels.transpose(Transpose {
            from: deltas,
            from_stride: self.stride(),
            n_rows: n,
            n_cols: n_out,
            to: &mut scratch.deltas,
            to_stride: width,
        });
        for (index, group) in self.panels.groups().enumerate() {
            kernels.product(Product {
                n_rows: n_in,
                n_cols: width,
                n_terms: group.n_cols,
                a: &self.current.weights[group.offset..],
                a_strides: (group.width, 1),
                a_blocks: Some((group.width, n_in * group.width)),
                b: &scratch.deltas[group.first_col * width..],
                b_stride: width,
                start: if index == 0 { Start::Zero } else { Start::Result },
                result: &mut scratch.products,
                result_stride: width,
                finish: Finish::Store,
            });
        }
        let stride = padded(n_in);
        kernels.transpose(Transpose {
            from: &scratch.products,
            from_stride: width,
            n_rows: n_in,
            n_cols: n,
            to: out,
            to_stride: stride,
        });
        kernels.mask(Mask { inputs, scale, out: &mut out[..n * stride] });
    }

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
            if let Some(lr) = update.plain_rate() {
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
                update_numbers(
                    kernels,
                    update,
                    &mut self.current.weights[at..],
                    chunk,
                    states(&mut self.states, |state| &mut state.weights[at..]),
                );
            }
        }
        self.bias_gradient(kernels, deltas, n);
        self.update_bias(kernels, update);
    }

    /// Updates by the gradient that `store_gradient` left.
    pub(crate) fn descend_stored(&mut self, kernels: &Kernels, update: Update) {
        update_numbers(
            kernels,
            update,
            &mut self.current.weights,
            &self.gradient.weights,
            states(&mut self.states, |state| &mut state.weights[..]),
        );
        self.update_bias(kernels, update);
    }

    fn update_bias(&mut self, kernels: &Kernels, update: Update) {
        update_numbers(
            kernels,
            update.for_biases(),
            &mut self.current.bias,
            &self.gradient.bias,
            states(&mut self.states, |state| &mut state.bias[..]),
        );
    }

    /// The sum of the deltas, samples ascending: a product with ones.
    fn bias_gradient(&mut self, kernels: &Kernels, deltas: &[f32], n: usize) {
        let stride = self.stride();
        kernels.product(Product {
            n_rows: 1,
            n_cols: stride,
            n_terms: n,
            a: &[1.0],
            a_strides: (0, 0),
            a_blocks: None,
            b: deltas,
            b_stride: stride,
            start: Start::Zero,
            result: &mut self.gradient.bias,
            result_stride: stride,
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
            stride: self.stride(),
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
    let deltas_stride = padded(panels.shape.n_out);
    match input {
        Input::Sparse { by_input, .. } => kernels.sparse_gradient(SparseGradient {
            inputs: by_input,
            from: rows.start,
            to: rows.end,
            deltas,
            deltas_stride,
            width: panel.width,
            result: out,
            finish,
        }),
        Input::Rows(all, stride) => kernels.product(Product {
            n_rows: rows.len(),
            n_cols: panel.width,
            n_terms: n,
            a: &all[rows.start..],
            a_strides: (1, stride),
            a_blocks: None,
            b: deltas,
            b_stride: deltas_stride,
            start: Start::Zero,
            result: out,
            result_stride: panel.width,
            finish,
        }),
    }
}

fn update_numbers(
    kernels: &Kernels,
    update: Update,
    weights: &mut [f32],
    gradients: &[f32],
    states: [&mut [f32]; 2],
) {
    kernels.update(Elements { update, weights, gradients, states });
}

/// The same piece of both states; empty where the optimizer has none.
fn states<'a>(
    states: &'a mut [Numbers],
    piece: impl Fn(&'a mut Numbers) -> &'a mut [f32],
) -> [&'a mut [f32]; 2] {
    let mut pieces = states.iter_mut().map(piece);
    [(); 2].map(|()| pieces.next().unwrap_or_default())
}
