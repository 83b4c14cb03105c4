//! What the kernels reach, and what this core could: for benchmarks.

use std::ops::Range;
use std::time::Instant;

use crate::isa::Isa;
use crate::kernels::{
    CompressedRows, Elements, Finish, Floats, InputRows, Kernels, PixelProducts, Product,
    SampleRows, SparseForward, SparseGradient, Start,
};
use crate::optimizers::{Rule, Update};

/// The best of so many runs counts, because a core that others disturb is only ever slower.
const N_RUNS: usize = 40;
const N_ROUNDS: usize = 100_000;

/// Peak of f32 multiply-adds by this path on this core, in GFLOP/s: a loop that reads no memory and
/// keeps enough registers under way to fill the units. Takes about 0.1 s.
pub fn peak_gflops(isa: Isa) -> f64 {
    let kernels = Kernels::of(isa);
    let mut peak = 0.0;
    for _ in 0..N_RUNS {
        let start = Instant::now();
        let n_flops = kernels.fma_loop(N_ROUNDS);
        let gflops = n_flops as f64 / start.elapsed().as_secs_f64() / 1e9;
        if gflops > peak {
            peak = gflops;
        }
    }
    peak
}

/// A kernel on made-up data, in the shape that it has in training [256,128,64] on images of 784.
pub struct Workload {
    pub name: &'static str,
    /// Operations of one run; a multiply-add counts two.
    pub n_flops: usize,
    run: Box<dyn FnMut()>,
}

impl Workload {
    pub fn run(&mut self) {
        (self.run)();
    }
}

const N_INPUTS: usize = 784;
const N_OUT: usize = 256;
/// Columns of a dense panel.
const WIDTH: usize = 32;

/// Every kernel that takes a share of a step worth telling, at this batch size.
pub fn workloads(isa: Isa, batch_size: usize) -> Vec<Workload> {
    let kernels = Kernels::of(isa);
    vec![
        sparse_forward(kernels, batch_size),
        sparse_gradient(kernels, batch_size),
        forward(kernels, batch_size),
        descent(kernels, batch_size),
        adam(kernels),
        pixel_products(kernels, batch_size),
    ]
}

/// Values that neither grow nor vanish.
fn numbers(n: usize) -> Floats {
    let mut numbers = Floats::zeros(n);
    numbers.iter_mut().enumerate().for_each(|(i, x)| *x = (i * 7 % 13) as f32 * 1e-3 + 1e-3);
    numbers
}

/// Rows with a fifth of their inputs, in runs as strokes of a pen have them.
fn strokes(n_rows: usize) -> CompressedRows {
    let mut rows = CompressedRows::with_capacity(N_INPUTS, n_rows * N_INPUTS / 4);
    for row in 0..n_rows {
        let is_on = |input: usize| (input + 3 * row) % 28 < 6 && input % 112 > row % 8;
        rows.push((0..N_INPUTS).map(|input| if is_on(input) { 0.5 } else { 0.0 }));
    }
    rows
}

/// Columns of a sparse panel.
const PANEL: usize = 128;

/// The samples of a batch and what their forward pass writes.
struct FirstLayer {
    all: CompressedRows,
    rows: Vec<u32>,
    weights: Floats,
    sums: Floats,
    cursors: Vec<Range<usize>>,
    by_input: InputRows,
}

impl FirstLayer {
    fn new(n: usize) -> Self {
        Self {
            all: strokes(n),
            rows: (0..n as u32).collect(),
            weights: numbers(N_INPUTS * PANEL),
            sums: Floats::zeros(n * PANEL),
            cursors: vec![0..0; n],
            by_input: InputRows::new(N_INPUTS, n, N_INPUTS),
        }
    }

    fn n_flops(&self) -> usize {
        let n_entries: usize = (0..self.rows.len()).map(|row| self.all.row(row).0.len()).sum();
        2 * n_entries * PANEL
    }

    fn forward(&mut self, kernels: &Kernels) {
        kernels.sparse_forward(SparseForward {
            samples: SampleRows { all: &self.all, rows: &self.rows },
            weights: &self.weights,
            width: PANEL,
            sums: &mut self.sums,
            sums_stride: PANEL,
            cursors: &mut self.cursors,
            by_input: Some(&mut self.by_input),
        });
    }
}

/// One panel's sums, and the sorting of the samples' entries.
fn sparse_forward(kernels: &'static Kernels, n: usize) -> Workload {
    let mut first = FirstLayer::new(n);
    let n_flops = first.n_flops();
    Workload { name: "sparse forward", n_flops, run: Box::new(move || first.forward(kernels)) }
}

fn sparse_gradient(kernels: &'static Kernels, n: usize) -> Workload {
    let mut first = FirstLayer::new(n);
    first.forward(kernels);
    let n_flops = first.n_flops();
    let deltas = numbers(n * PANEL);
    let run = move || {
        kernels.sparse_gradient(SparseGradient {
            inputs: &first.by_input,
            from: 0,
            to: N_INPUTS,
            deltas: &deltas,
            deltas_stride: PANEL,
            width: PANEL,
            result: &mut first.weights,
            finish: Finish::Descend { lr: 1e-9 },
        });
    };
    let name = "sparse gradient with descent";
    Workload { name, n_flops, run: Box::new(run) }
}

/// The second layer's sums of one panel.
fn forward(kernels: &'static Kernels, n: usize) -> Workload {
    let (inputs, weights) = (numbers(n * N_OUT), numbers(N_OUT * WIDTH));
    let (bias, mut result) = (numbers(WIDTH), Floats::zeros(n * WIDTH));
    let run = move || {
        kernels.product(Product {
            n_rows: n,
            n_cols: WIDTH,
            n_terms: N_OUT,
            a: &inputs,
            a_strides: (N_OUT, 1),
            a_blocks: None,
            b: &weights,
            b_stride: WIDTH,
            start: Start::Columns(&bias),
            result: &mut result,
            result_stride: WIDTH,
            finish: Finish::Store,
        });
    };
    Workload { name: "dense forward", n_flops: 2 * n * N_OUT * WIDTH, run: Box::new(run) }
}

/// The second layer's gradient of one panel, applied at once.
fn descent(kernels: &'static Kernels, n: usize) -> Workload {
    let (inputs, deltas) = (numbers(n * N_OUT), numbers(n * WIDTH));
    let mut weights = Floats::zeros(N_OUT * WIDTH);
    let run = move || {
        kernels.product(Product {
            n_rows: N_OUT,
            n_cols: WIDTH,
            n_terms: n,
            a: &inputs,
            a_strides: (1, N_OUT),
            a_blocks: None,
            b: &deltas,
            b_stride: WIDTH,
            start: Start::Zero,
            result: &mut weights,
            result_stride: WIDTH,
            finish: Finish::Descend { lr: 1e-9 },
        });
    };
    let name = "dense gradient with descent";
    Workload { name, n_flops: 2 * n * N_OUT * WIDTH, run: Box::new(run) }
}

/// Of one chunk; a division or a root counts one.
fn adam(kernels: &'static Kernels) -> Workload {
    const N: usize = 2048;
    let (mut weights, gradients) = (numbers(N), numbers(N));
    let (mut first, mut second) = (numbers(N), numbers(N));
    let rule = Rule::Adam { a: 1e-9, b1: 0.9, c1: 0.1, b2: 0.999, c2: 0.001, e: 1e-8 };
    let update = Update { rule, l2: None, keep: None };
    let run = move || {
        let states = [&mut first[..], &mut second[..]];
        kernels.update(Elements { update, weights: &mut weights, gradients: &gradients, states });
    };
    Workload { name: "adam", n_flops: 12 * N, run: Box::new(run) }
}

/// The exact Gram matrix of the batch's images, in integers.
fn pixel_products(kernels: &'static Kernels, n: usize) -> Workload {
    let stride = N_INPUTS.next_multiple_of(32);
    let pixels: Vec<i16> =
        (0..n.next_multiple_of(4) * stride).map(|i| (i * 31 % 256) as i16).collect();
    let mut products = vec![0; n * n];
    let run = move || {
        kernels.pixel_products(PixelProducts {
            pixels: &pixels,
            n_rows: n,
            stride,
            products: &mut products,
        });
    };
    let n_flops = n * (n + 1) * N_INPUTS;
    Workload { name: "pixel products", n_flops, run: Box::new(run) }
}
