//! The kernels of every path in GFLOP/s, beside the peak that the same core reaches in the same
//! process: `cargo bench -p trainer`. Criterion writes GFLOP/s as `Gelem/s`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use trainer::{Isa, peak_gflops, workloads};

fn kernels(criterion: &mut Criterion) {
    for isa in Isa::available() {
        println!("{}: the peak of this core is {:.1} GFLOP/s", isa.name(), peak_gflops(isa));
        let mut group = criterion.benchmark_group(isa.name());
        for batch_size in [32, 128] {
            for mut workload in workloads(isa, batch_size) {
                group.throughput(Throughput::Elements(workload.n_flops as u64));
                group.bench_function(BenchmarkId::new(workload.name, batch_size), |bencher| {
                    bencher.iter(|| workload.run());
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, kernels);
criterion_main!(benches);
