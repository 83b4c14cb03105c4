//! The probes of a line search: the first layer's sums move along a line, so a probe computes the
//! layers above alone.

use super::PlainNetwork;
use crate::kernels::Update;
use crate::model::gram::{PIXEL_ONE, uses_gram_form};
use crate::numerics::sum::LaneSum;
use crate::optimizers::OptimizerState;
use crate::optimizers::line_search::Search;
use crate::reference::layers::{Forward, Rows, SearchedBatch, add_columns, chain, norm_squared};

impl PlainNetwork {
    /// The update to take, the gradient's squared norm, and what the search did.
    pub(super) fn search(
        &self,
        batch: &SearchedBatch<'_>,
        optimizer: &mut OptimizerState,
    ) -> (Option<Update>, f64, Search) {
        let (slopes, norm) = self.line(batch);
        let search = optimizer.search().expect("callers have a line search");
        let (eta, search) = search.run(batch.loss, norm, |eta| self.probe(batch, &slopes, eta));
        (eta.map(|eta| optimizer.update(eta)), norm, search)
    }

    /// How the first layer's sums move along the negative gradient, and its squared norm.
    pub(super) fn line(&self, batch: &SearchedBatch<'_>) -> (Rows, f64) {
        if uses_gram_form(self.batch_size, self.data.n_inputs()) {
            let gram = self.gram(batch);
            let first = gram_norm_squared(&gram, batch.deltas);
            (product(&gram, batch.deltas), first + norm_squared(&batch.gradients[1..]))
        } else {
            let skips_zeros = self.data.is_sparse();
            let slopes = self.affine(&batch.gradients[0], &batch.pass.inputs[0], skips_zeros);
            (slopes, norm_squared(batch.gradients))
        }
    }

    /// K': products of the batch's samples, plus one for the bias. Pixels are multiplied exactly.
    fn gram(&self, batch: &SearchedBatch<'_>) -> Rows {
        let n_inputs = self.data.n_inputs();
        let samples = &batch.pass.inputs[0];
        let element = |i: usize, j: usize| match &self.data.train_bytes {
            Some(bytes) => {
                let pixels = |i: usize| &bytes[batch.rows[i] as usize * n_inputs..][..n_inputs];
                let pairs = pixels(i).iter().zip(pixels(j));
                let exact: u32 = pairs.map(|(&a, &b)| u32::from(a) * u32::from(b)).sum();
                (exact + PIXEL_ONE) as f32 * (1.0 / PIXEL_ONE as f32)
            }
            None => chain(0.0, samples[i].iter().zip(&samples[j]).map(|(&a, &b)| (a, b))) + 1.0,
        };
        let n = batch.rows.len();
        (0..n).map(|i| (0..n).map(|j| element(i, j)).collect()).collect()
    }

    /// The batch's loss at a step size, with the step's dropout masks.
    pub(super) fn probe(&self, batch: &SearchedBatch<'_>, slopes: &Rows, eta: f32) -> f64 {
        let mut layers = self.layers.clone();
        for (layer, gradient) in layers.iter_mut().zip(batch.gradients).skip(1) {
            let pairs = layer.weights.iter_mut().zip(&gradient.weights);
            for (w, &g) in pairs.chain(layer.bias.iter_mut().zip(&gradient.bias)) {
                *w = (-eta).mul_add(g, *w);
            }
        }
        let mut sums = batch.pass.sums[0].clone();
        for (row, slopes) in sums.iter_mut().zip(slopes) {
            for (z, &slope) in row.iter_mut().zip(slopes) {
                *z = (-eta).mul_add(slope, *z);
            }
        }
        let start = Forward { inputs: Vec::new(), sums: vec![sums] };
        let pass = self.forward_from(&layers, start, Some(batch.step));
        let (loss_sum, ..) = self.loss(pass.sums.last().expect("there is a layer"), batch.labels);
        loss_sum / batch.labels.len() as f64
    }
}

/// gram x deltas from +0, samples ascending.
fn product(gram: &Rows, deltas: &Rows) -> Rows {
    let n_out = deltas[0].len();
    let element = |row: &[f32], output: usize| {
        chain(0.0, row.iter().zip(deltas).map(|(&k, d)| (k, d[output])))
    };
    gram.iter().map(|row| (0..n_out).map(|output| element(row, output)).collect()).collect()
}

/// Squared norm of the first layer's gradient without that gradient: the sum of K' times the
/// products of the deltas (Goodfellow, arXiv 1510.01799).
fn gram_norm_squared(gram: &Rows, deltas: &Rows) -> f64 {
    let n = deltas.len();
    let mut sum = LaneSum::new();
    add_columns(&mut sum, n, n, |i, j| {
        let pairs = deltas[i].iter().zip(&deltas[j]);
        let product = chain(0.0, pairs.map(|(&a, &b)| (a, b)));
        f64::from(gram[i][j]) * f64::from(product)
    });
    let total = sum.total();
    if total > 0.0 { total } else { 0.0 }
}
