//! What this core can do at most, as the measure of what the kernels reach.

use std::time::Instant;

use crate::isa::Isa;
use crate::kernels::Kernels;

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
