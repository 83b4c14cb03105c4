//! One layer's share of a step, by the kernels.

use super::panels::{LINE, Numbers, Panel, Panels, row_stride};
use crate::kernels::{
    Active, ActiveRows, ByInput, FindActive, Finish, Floats, Kernels, Mask, Product, Source,
    SparseForward, Start, Transpose,
};
use crate::model::network::LayerShape;

/// Rows of a weight gradient that are computed, then applied while they are in the first-level cache.
const CHUNK_FLOATS: usize = 2048;

/// What a weight gradient reads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a> {
    /// Samples or units, whose zeros are left out.
    Sparse(ByInput<'a>),
    /// All inputs of the samples, row-major with this stride.
    Dense(&'a [f32], usize),
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
    /// Rows of a gradient on their way to the update.
    pub chunk: Floats,
}

/// Scratch that the layers share.
#[derive(Debug)]
pub(crate) struct Scratch {
    /// The deltas that are not zero.
    pub active: Active,
    /// A panel of weights transposed.
    pub weights: Floats,
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
        row_stride(self.panels.shape.n_out)
    }

    /// out = source x numbers + bias.
    pub(crate) fn sparse_affine(
        &self,
        kernels: &Kernels,
        numbers: &Numbers,
        mut source: Source<'_>,
        out: &mut [f32],
    ) {
        for panel in self.panels.iter() {
            kernels.sparse_forward(SparseForward {
                source: source.again(),
                weights: self.panel(&numbers.weights, panel),
                weights_stride: panel.width,
                width: panel.width,
                start: Start::Columns(&numbers.bias[panel.first_col..]),
                sums: &mut out[panel.first_col..],
                sums_stride: self.stride(),
            });
        }
    }

    /// out = rows x numbers + bias; the rows come with their stride.
    pub(crate) fn dense_affine(
        &self,
        kernels: &Kernels,
        numbers: &Numbers,
        (a, a_stride): (&[f32], usize),
        n: usize,
        out: &mut [f32],
    ) {
        for panel in self.panels.iter() {
            kernels.product(Product {
                n_rows: n,
                n_cols: panel.width,
                n_terms: self.panels.shape.n_in,
                a,
                a_strides: (a_stride, 1),
                b: self.panel(&numbers.weights, panel),
                b_stride: panel.width,
                start: Start::Columns(&numbers.bias[panel.first_col..]),
                result: &mut out[panel.first_col..],
                result_stride: self.stride(),
                finish: Finish::Store,
            });
        }
    }

    pub(super) fn panel<'a>(&self, numbers: &'a [f32], panel: Panel) -> &'a [f32] {
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
        let stride = self.stride();
        kernels.find_active(FindActive {
            rows: deltas,
            stride,
            n_rows: n,
            n_cols: n_out,
            active: &mut scratch.active,
        });
        let rows = ActiveRows { values: deltas, stride, active: &scratch.active };
        let transposed = Panels::transposed(self.panels.shape);
        let out_stride = row_stride(n_in);
        for to in transposed.iter() {
            let to_stride = row_stride(to.width);
            let weights = &mut scratch.weights[..n_out * to_stride];
            for from in self.panels.iter() {
                kernels.transpose(Transpose {
                    from: &self.panel(&self.current.weights, from)[to.first_col * from.width..],
                    from_stride: from.width,
                    n_rows: to.n_cols,
                    n_cols: from.n_cols,
                    to: &mut weights[from.first_col * to_stride..],
                    to_stride,
                });
            }
            kernels.sparse_forward(SparseForward {
                source: Source::Units(rows),
                weights,
                weights_stride: to_stride,
                width: to.width,
                start: Start::Zero,
                sums: &mut out[to.first_col..],
                sums_stride: out_stride,
            });
        }
        kernels.mask(Mask { inputs, scale, out: &mut out[..n * out_stride] });
    }
}

/// Numbers of all layers to logical order.
pub(crate) fn read(layers: &[Layer], numbers: impl Fn(&Layer) -> &Numbers, mut out: &mut [f32]) {
    for layer in layers {
        let (first, rest) = out.split_at_mut(layer.panels.shape.n_parameters());
        numbers(layer).read(&layer.panels, first);
        out = rest;
    }
}

/// Numbers of all layers from logical order.
pub(crate) fn write(
    layers: &mut [Layer],
    numbers: impl Fn(&mut Layer) -> &mut Numbers,
    mut from: &[f32],
) {
    for layer in layers {
        let (first, rest) = from.split_at(layer.panels.shape.n_parameters());
        let panels = layer.panels;
        numbers(layer).write(&panels, first);
        from = rest;
    }
}
