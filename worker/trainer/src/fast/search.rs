//! The line search on the fast kernels: how the first layer's sums move along the step, and the
//! probes above it.

use super::panels::padded;
use super::{FastNetwork, Weights};
use crate::fast::search_direction::{Gram, GramSource, MIRRORED_ROWS, SearchDirection};
use crate::kernels::{
    Axpy, ColumnSums, Finish, Floats, PixelBlock, PixelGram, Product, Start, Transpose,
};
use crate::model::network::Batch;
use crate::numerics::sum::LaneSum;
use crate::optimizers::OptimizerState;
use crate::optimizers::line_search::Search;

/// The rest of the last block stays zero.
fn copy_pixels(image: &[u8], blocks: &mut [PixelBlock]) {
    let (whole, rest) = image.as_chunks();
    for (block, pixels) in blocks.iter_mut().zip(whole) {
        block.0 = *pixels;
    }
    if let Some(last) = blocks.get_mut(whole.len()) {
        last.0[..rest.len()].copy_from_slice(rest);
    }
}

impl FastNetwork {
    /// Searches from the batch's loss and takes the step: the gradient's squared norm, and what the
    /// search did.
    pub(super) fn search(
        &mut self,
        batch: Batch<'_>,
        loss: f64,
        optimizer: &mut OptimizerState,
    ) -> (f64, Search) {
        let mut line = self.line.take().expect("line searches have one");
        let (kernels, n) = (self.kernels, self.batch.len());
        let is_gram = line.gram.is_some();
        self.each_layer(usize::from(is_gram), |layer, input, deltas| {
            layer.store_gradient(kernels, input, deltas, n);
        });
        let norm_squared = match &mut line.gram {
            Some(gram) => {
                self.fill_gram(gram, batch.rows);
                let first = self.gram_norm_squared(gram);
                self.gram_slopes(gram, &mut line.slopes);
                first + self.norm_squared(1)
            }
            None => {
                let first = &self.layers[0];
                let numbers = (first, &first.gradient);
                let slopes = &mut line.slopes;
                self.batch.first_sums(kernels, &self.data.train, numbers, false, slopes);
                self.norm_squared(0)
            }
        };
        let search = optimizer.search().expect("the caller asked");
        let probe = |eta| self.probe(&line, eta, batch.step);
        let (eta, search) = search.run(loss, norm_squared, probe);
        self.line = Some(line);
        if let Some(update) = eta.map(|eta| optimizer.update(eta)) {
            if is_gram {
                let input = self.batch.input(kernels, self.data.n_inputs());
                self.layers[0].descend(kernels, update, input, &self.deltas[0], n);
            }
            let stored = &mut self.layers[usize::from(is_gram)..];
            stored.iter_mut().for_each(|layer| layer.descend_stored(kernels, update));
        }
        (norm_squared, search)
    }

    /// The batch's loss at a step size, with the step's dropout masks.
    fn probe(&mut self, line: &SearchDirection, eta: f32, step: u64) -> f64 {
        let n = self.batch.len();
        let used = n * self.layers[0].stride();
        let out = &mut self.outputs[0][..used];
        let (base, slope) = (&line.sums[..], &line.slopes[..]);
        self.kernels.axpy(Axpy { base, slope, eta, out });
        self.activate(0, Some(step));
        for layer in &mut self.layers[1..] {
            let Some(probe) = &mut layer.probe else { continue };
            for (base, slope, out) in [
                (&layer.current.weights, &layer.gradient.weights, &mut probe.weights),
                (&layer.current.bias, &layer.gradient.bias, &mut probe.bias),
            ] {
                self.kernels.axpy(Axpy { base, slope, eta, out });
            }
        }
        self.forward_above(Weights::Probe, Some(step));
        let (loss_sum, _) = self.batch_loss();
        loss_sum / n as f64
    }

    fn fill_gram(&self, gram: &mut Gram, rows: &[u32]) {
        let (n, n_inputs) = (rows.len(), self.data.n_inputs());
        let width = padded(n);
        match (&mut gram.source, &self.data.train_bytes) {
            (GramSource::Pixels(pixels), Some(bytes)) => {
                let n_blocks = PixelBlock::n_of(n_inputs);
                for (&row, blocks) in rows.iter().zip(pixels.chunks_exact_mut(n_blocks)) {
                    copy_pixels(&bytes[row as usize * n_inputs..][..n_inputs], blocks);
                }
                let (gram, gram_stride) = (&mut gram.matrix[..], width);
                let p = PixelGram { pixels, n_images: n, n_blocks, gram, gram_stride };
                self.kernels.pixel_gram(p);
            }
            (GramSource::Floats { rows: dense, columns }, _) => {
                for (&row, out) in rows.iter().zip(dense.chunks_exact_mut(n_inputs)) {
                    self.data.train.write_dense(row as usize, out);
                }
                self.kernels.transpose(Transpose {
                    from: dense,
                    from_stride: n_inputs,
                    n_rows: n,
                    n_cols: n_inputs,
                    to: columns,
                    to_stride: width,
                });
                self.kernels.product(Product {
                    n_rows: n,
                    n_cols: width,
                    n_terms: n_inputs,
                    a: dense,
                    a_strides: (n_inputs, 1),
                    b: columns,
                    b_stride: width,
                    start: Start::Zero,
                    result: &mut gram.matrix,
                    result_stride: width,
                    finish: Finish::Store,
                });
                gram.matrix[..n * width].iter_mut().for_each(|k| *k += 1.0);
            }
            (GramSource::Pixels(_), None) => unreachable!("the source follows the data"),
        }
    }

    /// Squared norm of the first layer's gradient: the sum of K' times the deltas' products.
    fn gram_norm_squared(&mut self, gram: &mut Gram) -> f64 {
        let n = self.batch.len();
        let (width, stride) = (padded(n), self.layers[0].stride());
        let n_out = self.layers[0].panels.shape.n_out;
        self.kernels.transpose(Transpose {
            from: &self.deltas[0],
            from_stride: stride,
            n_rows: n,
            n_cols: n_out,
            to: &mut gram.deltas,
            to_stride: width,
        });
        self.delta_products(gram);
        let mut sum = LaneSum::new();
        self.kernels.column_sums(ColumnSums {
            sums: sum.lanes_mut(),
            a: &gram.matrix,
            b: &gram.delta_products,
            n_rows: n,
            n_cols: n,
            stride: width,
        });
        let total = sum.total();
        if total > 0.0 { total } else { 0.0 }
    }

    /// The first layer's deltas times their transpose: the upper half, and the lower from it, because
    /// either factor may come first.
    fn delta_products(&self, gram: &mut Gram) {
        let Gram { deltas: transposed, delta_products: products, .. } = gram;
        let n = self.batch.len();
        let (width, stride) = (padded(n), self.layers[0].stride());
        for from in (0..n).step_by(MIRRORED_ROWS) {
            let to = usize::min(from + MIRRORED_ROWS, n);
            self.kernels.product(Product {
                n_rows: to - from,
                n_cols: width - from,
                n_terms: self.layers[0].panels.shape.n_out,
                a: &self.deltas[0][from * stride..],
                a_strides: (stride, 1),
                b: &transposed[from..],
                b_stride: width,
                start: Start::Zero,
                result: &mut products[from * width + from..],
                result_stride: width,
                finish: Finish::Store,
            });
            if to == n {
                break;
            }
            let (upper, lower) = products.split_at_mut(to * width);
            self.kernels.transpose(Transpose {
                from: &upper[from * width + to..],
                from_stride: width,
                n_rows: to - from,
                n_cols: n - to,
                to: &mut lower[from..],
                to_stride: width,
            });
        }
    }

    /// slopes = K' x deltas, samples ascending.
    fn gram_slopes(&self, gram: &Gram, slopes: &mut Floats) {
        let n = self.batch.len();
        let stride = self.layers[0].stride();
        self.kernels.product(Product {
            n_rows: n,
            n_cols: padded(self.layers[0].panels.shape.n_out),
            n_terms: n,
            a: &gram.matrix,
            a_strides: (padded(n), 1),
            b: &self.deltas[0],
            b_stride: stride,
            start: Start::Zero,
            result: slopes,
            result_stride: stride,
            finish: Finish::Store,
        });
    }
}
