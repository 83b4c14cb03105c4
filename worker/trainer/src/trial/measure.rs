//! What the kernels reach, and what this core could: for benchmarks.

use std::time::Instant;

use crate::isa::Isa;
use crate::kernels::{
    Active, ActiveRows, ByInput, CompressedRows, Elements, FindActive, Finish, Floats, Kernels,
    PixelBlock, PixelGram, Product, SampleRows, Source, SparseForward, SparseGradient, Start,
    Update,
};
use crate::numerics::rng::{Purpose, draw};
use crate::optimizers::adam::ADAM;

/// The best of this many runs counts, because a core that others disturb is only ever slower.
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

/// A kernel on made-up data, in the shape that it has in training (`[256, 128, 64]`) on images of 784.
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
/// Outputs of the second layer, too one panel.
const N_SECOND: usize = 128;
/// Distances between rows of both layers' outputs, odd numbers of cache lines.
const STRIDE: usize = N_OUT + 16;
const SECOND_STRIDE: usize = N_SECOND + 16;
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
        unit_forward(kernels, batch_size),
        unit_gradient(kernels, batch_size),
        adam(kernels),
        pixel_gram(kernels, batch_size),
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
    let mut rows = CompressedRows::with_capacity(N_INPUTS, n_rows, n_rows * N_INPUTS / 4);
    for row in 0..n_rows {
        let is_on = |input: usize| (input + 3 * row) % 28 < 6 && input % 112 > row % 8;
        rows.push((0..N_INPUTS).map(|input| if is_on(input) { 0.5 } else { 0.0 }));
    }
    rows
}

/// The samples of a batch and what their forward pass writes.
struct FirstLayer {
    all: CompressedRows,
    samples: SampleRows,
    weights: Floats,
    bias: Floats,
    sums: Floats,
    n_flops: usize,
}

impl FirstLayer {
    fn new(n: usize) -> Self {
        let all = strokes(n);
        let rows: Vec<u32> = (0..n as u32).collect();
        let mut samples = SampleRows::new(N_INPUTS, n, n);
        samples.gather(&all, &rows);
        let n_values: usize = (0..n).map(|row| all.values(row).len()).sum();
        Self {
            all,
            samples,
            weights: numbers(N_INPUTS * N_OUT),
            bias: numbers(N_OUT),
            sums: Floats::zeros(n * STRIDE),
            n_flops: 2 * n_values * N_OUT,
        }
    }

    fn forward(&mut self, kernels: &Kernels) {
        kernels.sparse_forward(SparseForward {
            source: Source::Samples { all: &self.all, samples: &mut self.samples, keeps: true },
            weights: &self.weights,
            weights_stride: N_OUT,
            width: N_OUT,
            start: Start::Columns(&self.bias),
            sums: &mut self.sums,
            sums_stride: STRIDE,
        });
    }
}

/// One panel's sums, and the samples by input.
fn sparse_forward(kernels: &'static Kernels, n: usize) -> Workload {
    let mut first = FirstLayer::new(n);
    let n_flops = first.n_flops;
    Workload { name: "samples forward", n_flops, run: Box::new(move || first.forward(kernels)) }
}

/// One panel's gradient, applied at once, and the bits by input.
fn sparse_gradient(kernels: &'static Kernels, n: usize) -> Workload {
    let mut first = FirstLayer::new(n);
    first.forward(kernels);
    let n_flops = first.n_flops;
    let deltas = numbers(n * STRIDE);
    let run = move || {
        kernels.sparse_gradient(SparseGradient {
            inputs: first.samples.by_input(kernels),
            from: 0,
            to: N_INPUTS,
            deltas: &deltas,
            deltas_stride: STRIDE,
            width: N_OUT,
            result: &mut first.weights,
            finish: Finish::Descend { lr: 1e-9 },
        });
    };
    let name = "samples gradient with descent";
    Workload { name, n_flops, run: Box::new(run) }
}

/// Units of a batch, about half of them zero without order, and which are not.
struct Units {
    values: Floats,
    active: Active,
    n_active: usize,
}

impl Units {
    fn new(kernels: &Kernels, n: usize) -> Self {
        let mut values = numbers(n * STRIDE);
        let mut n_active = 0;
        for (row, values) in (0..).zip(values.chunks_exact_mut(STRIDE)) {
            for (col, x) in (0..).zip(&mut values[..N_OUT]) {
                let is_active = draw(0, Purpose::Dropout, [0, 0, row, col])[0] >> 31 == 1;
                n_active += usize::from(is_active);
                if !is_active {
                    *x = 0.0;
                }
            }
        }
        let mut active = Active::new(n, N_OUT);
        kernels.find_active(FindActive {
            rows: &values,
            stride: STRIDE,
            n_rows: n,
            n_cols: N_OUT,
            active: &mut active,
        });
        kernels.turn(&mut active);
        Self { values, active, n_active }
    }

    fn rows(&self) -> ActiveRows<'_> {
        ActiveRows { values: &self.values, stride: STRIDE, active: &self.active }
    }

    fn by_input(&self) -> ByInput<'_> {
        ByInput {
            active: &self.active,
            values: &self.values,
            sample_stride: STRIDE,
            input_stride: 1,
        }
    }
}

/// The second layer's sums.
fn unit_forward(kernels: &'static Kernels, n: usize) -> Workload {
    let units = Units::new(kernels, n);
    let (weights, bias) = (numbers(N_OUT * N_SECOND), numbers(N_SECOND));
    let mut sums = Floats::zeros(n * SECOND_STRIDE);
    let n_flops = 2 * units.n_active * N_SECOND;
    let run = move || {
        kernels.sparse_forward(SparseForward {
            source: Source::Units(units.rows()),
            weights: &weights,
            weights_stride: N_SECOND,
            width: N_SECOND,
            start: Start::Columns(&bias),
            sums: &mut sums,
            sums_stride: SECOND_STRIDE,
        });
    };
    Workload { name: "units forward", n_flops, run: Box::new(run) }
}

/// The second layer's gradient, applied at once.
fn unit_gradient(kernels: &'static Kernels, n: usize) -> Workload {
    let units = Units::new(kernels, n);
    let deltas = numbers(n * SECOND_STRIDE);
    let mut weights = Floats::zeros(N_OUT * N_SECOND);
    let n_flops = 2 * units.n_active * N_SECOND;
    let run = move || {
        kernels.sparse_gradient(SparseGradient {
            inputs: units.by_input(),
            from: 0,
            to: N_OUT,
            deltas: &deltas,
            deltas_stride: SECOND_STRIDE,
            width: N_SECOND,
            result: &mut weights,
            finish: Finish::Descend { lr: 1e-9 },
        });
    };
    Workload { name: "units gradient with descent", n_flops, run: Box::new(run) }
}

/// A dense first layer's sums of one panel.
fn forward(kernels: &'static Kernels, n: usize) -> Workload {
    let (inputs, weights) = (numbers(n * N_INPUTS), numbers(N_INPUTS * WIDTH));
    let (bias, mut result) = (numbers(WIDTH), Floats::zeros(n * WIDTH));
    let run = move || {
        kernels.product(Product {
            n_rows: n,
            n_cols: WIDTH,
            n_terms: N_INPUTS,
            a: &inputs,
            a_strides: (N_INPUTS, 1),
            b: &weights,
            b_stride: WIDTH,
            start: Start::Columns(&bias),
            result: &mut result,
            result_stride: WIDTH,
            finish: Finish::Store,
        });
    };
    Workload { name: "dense forward", n_flops: 2 * n * N_INPUTS * WIDTH, run: Box::new(run) }
}

/// A dense first layer's gradient of one panel, applied at once.
fn descent(kernels: &'static Kernels, n: usize) -> Workload {
    let (inputs, deltas) = (numbers(n * N_INPUTS), numbers(n * WIDTH));
    let mut weights = Floats::zeros(N_INPUTS * WIDTH);
    let run = move || {
        kernels.product(Product {
            n_rows: N_INPUTS,
            n_cols: WIDTH,
            n_terms: n,
            a: &inputs,
            a_strides: (1, N_INPUTS),
            b: &deltas,
            b_stride: WIDTH,
            start: Start::Zero,
            result: &mut weights,
            result_stride: WIDTH,
            finish: Finish::Descend { lr: 1e-9 },
        });
    };
    let name = "dense gradient with descent";
    Workload { name, n_flops: 2 * n * N_INPUTS * WIDTH, run: Box::new(run) }
}

/// The work of one chunk; a division or a root counts one.
fn adam(kernels: &'static Kernels) -> Workload {
    const N: usize = 2048;
    let (mut weights, gradients) = (numbers(N), numbers(N));
    let (mut first, mut second) = (numbers(N), numbers(N));
    let scalars = [-1e-9, 0.9, 0.1, 0.999, 0.001, 1e-8];
    let update = Update { rule: &ADAM.rule, scalars, l2: None, keep: None };
    let run = move || {
        let states = [&mut first[..], &mut second[..]];
        kernels.update(Elements { update, weights: &mut weights, gradients: &gradients, states });
    };
    Workload { name: "adam", n_flops: 12 * N, run: Box::new(run) }
}

/// The Gram matrix of the batch's images, in integers.
fn pixel_gram(kernels: &'static Kernels, n: usize) -> Workload {
    let n_blocks = PixelBlock::n_of(N_INPUTS);
    let block = |i: usize| PixelBlock(std::array::from_fn(|k| (i * 31 + k * 17) as u8));
    let pixels: Vec<_> = (0..n.next_multiple_of(4) * n_blocks).map(block).collect();
    let mut gram = numbers(n * n);
    let run = move || {
        let (gram, gram_stride) = (&mut gram[..], n);
        kernels.pixel_gram(PixelGram { pixels: &pixels, n_images: n, n_blocks, gram, gram_stride });
    };
    let n_flops = n * (n + 1) * N_INPUTS;
    Workload { name: "pixel gram", n_flops, run: Box::new(run) }
}
