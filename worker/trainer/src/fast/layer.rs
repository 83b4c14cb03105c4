//! One layer's share of a step, by the kernels.

use std::ops::Range;

use super::panels::{LINE, Numbers, Panel, Panels, padded, row_stride};
use crate::kernels::{
    Finish, Floats, InputRows, Kernels, Mask, Product, SampleRows, SparseForward, Start, Transpose,
};
use crate::network::LayerShape;

/// Rows of a weight gradient that are computed, then applied while they are in the first-level cache.
const CHUNK_FLOATS: usize = 2048;

/// What a weight gradient reads: the samples, or the layer below's output.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a> {
    Sparse(&'a InputRows),
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
    /// Rows of a gradient on their way to the update.
    pub chunk: Floats,
}

/// Scratch that the layers share.
#[derive(Debug)]
pub(crate) struct Scratch {
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
        row_stride(self.panels.shape.n_out)
    }

    /// out = samples x numbers + bias; `by_input` takes the samples' entries.
    pub(crate) fn sparse_affine(
        &self,
        kernels: &Kernels,
        numbers: &Numbers,
        (samples, cursors): (SampleRows<'_>, &mut [Range<usize>]),
        mut by_input: Option<&mut InputRows>,
        out: &mut [f32],
    ) {
        let stride = self.stride();
        for row in out.chunks_exact_mut(stride).take(samples.rows.len()) {
            row[..numbers.bias.len()].copy_from_slice(&numbers.bias);
        }
        for panel in self.panels.iter() {
            kernels.sparse_forward(SparseForward {
                samples,
                weights: self.panel(&numbers.weights, panel),
                width: panel.width,
                sums: &mut out[panel.first_col..],
                sums_stride: stride,
                cursors,
                by_input: by_input.take(),
            });
        }
    }

    /// out = rows x numbers + bias; the rows come with their stride.
    pub(crate) fn affine(
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
                a_blocks: None,
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
        let (width, sample_stride) = (padded(n), row_stride(n));
        kernels.transpose(Transpose {
            from: deltas,
            from_stride: self.stride(),
            n_rows: n,
            n_cols: n_out,
            to: &mut scratch.deltas,
            to_stride: sample_stride,
        });
        for (index, group) in self.panels.groups().enumerate() {
            kernels.product(Product {
                n_rows: n_in,
                n_cols: width,
                n_terms: group.n_cols,
                a: &self.current.weights[group.offset..],
                a_strides: (group.width, 1),
                a_blocks: Some((group.width, n_in * group.width)),
                b: &scratch.deltas[group.first_col * sample_stride..],
                b_stride: sample_stride,
                start: if index == 0 { Start::Zero } else { Start::Result },
                result: &mut scratch.products,
                result_stride: sample_stride,
                finish: Finish::Store,
            });
        }
        let stride = row_stride(n_in);
        kernels.transpose(Transpose {
            from: &scratch.products,
            from_stride: sample_stride,
            n_rows: n_in,
            n_cols: n,
            to: out,
            to_stride: stride,
        });
        kernels.mask(Mask { inputs, scale, out: &mut out[..n * stride] });
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
