//! How a layer's numbers lie in memory: panels of columns, each row-major, so that a kernel walks
//! them without gaps.

use crate::kernels::Floats;
use crate::model::network::LayerShape;

/// Columns per cache line; every panel's width is a multiple.
pub(crate) const LINE: usize = 16;
/// Panel width of a dense first layer: that of the widest register tile.
const DENSE_WIDTH: usize = 32;
/// Panel width of layers that leave out zeros: what the sparse kernels hold at most in registers.
const SPARSE_WIDTH: usize = 256;
/// Panel width of transposed weights: half of that, so that more of them fit into the cache.
pub(crate) const TRANSPOSED_WIDTH: usize = 128;

/// Rounded up to whole cache lines.
pub(crate) fn padded(n: usize) -> usize {
    n.next_multiple_of(LINE)
}

/// Distance between rows of `n` columns. Never four cache lines or a multiple: columns of many rows
/// would meet in few sets of the first-level cache and drive each other out.
pub(crate) fn row_stride(n: usize) -> usize {
    let n_lines = n.div_ceil(LINE);
    LINE * if n_lines.is_multiple_of(4) { n_lines + 1 } else { n_lines }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Panels {
    pub shape: LayerShape,
    /// Width of every panel but the last, which may be narrower.
    full_width: usize,
}

/// One panel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panel {
    pub first_col: usize,
    /// Columns that are outputs; the rest up to `width` is padding.
    pub n_cols: usize,
    pub width: usize,
    /// Where its first row begins.
    pub offset: usize,
}

impl Panels {
    pub(crate) fn new(shape: LayerShape, is_sparse: bool) -> Self {
        Self { shape, full_width: if is_sparse { SPARSE_WIDTH } else { DENSE_WIDTH } }
    }

    /// Panels of the transposed weights of a layer.
    pub(crate) fn transposed(LayerShape { n_in, n_out }: LayerShape) -> Self {
        let shape = LayerShape { n_in: n_out, n_out: n_in };
        Self { shape, full_width: TRANSPOSED_WIDTH }
    }

    /// Numbers in all panels, padding included.
    pub(crate) fn len(&self) -> usize {
        self.shape.n_in * padded(self.shape.n_out)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Panel> + use<> {
        let Self { shape, full_width } = *self;
        (0..shape.n_out).step_by(full_width).map(move |first_col| {
            let n_cols = usize::min(full_width, shape.n_out - first_col);
            Panel { first_col, n_cols, width: padded(n_cols), offset: shape.n_in * first_col }
        })
    }
}

/// A number for each weight and bias of a layer: the weights, a gradient, a state.
#[derive(Clone, Debug)]
pub(crate) struct Numbers {
    pub weights: Floats,
    pub bias: Floats,
}

impl Numbers {
    pub(crate) fn zeros(panels: &Panels) -> Self {
        Self { weights: Floats::zeros(panels.len()), bias: Floats::zeros(panels.shape.n_out) }
    }

    /// Copies to logical order: weights `[in][out]`, then the bias.
    pub(crate) fn read(&self, panels: &Panels, out: &mut [f32]) {
        let LayerShape { n_in, n_out } = panels.shape;
        for panel in panels.iter() {
            for row in 0..n_in {
                let from = &self.weights[panel.offset + row * panel.width..][..panel.n_cols];
                out[row * n_out + panel.first_col..][..panel.n_cols].copy_from_slice(from);
            }
        }
        out[n_in * n_out..].copy_from_slice(&self.bias[..n_out]);
    }

    /// Copies from logical order.
    pub(crate) fn write(&mut self, panels: &Panels, from: &[f32]) {
        let LayerShape { n_in, n_out } = panels.shape;
        for panel in panels.iter() {
            for row in 0..n_in {
                let to = &mut self.weights[panel.offset + row * panel.width..][..panel.n_cols];
                to.copy_from_slice(&from[row * n_out + panel.first_col..][..panel.n_cols]);
            }
        }
        self.bias[..n_out].copy_from_slice(&from[n_in * n_out..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logical_order_survives_the_panels() {
        for is_sparse in [false, true] {
            for n_out in [1, 15, 16, 17, 32, 33, 64, 100, 256, 257, 300] {
                let shape = LayerShape { n_in: 3, n_out };
                let panels = Panels::new(shape, is_sparse);
                let logical: Vec<f32> = (0..4 * n_out).map(|i| i as f32).collect();
                let mut numbers = Numbers::zeros(&panels);
                numbers.write(&panels, &logical);
                let mut back = vec![0.0; logical.len()];
                numbers.read(&panels, &mut back);
                assert_eq!(back, logical);
                let last = panels.iter().last().unwrap();
                assert_eq!(last.offset + shape.n_in * last.width, panels.len());
            }
        }
    }
}
