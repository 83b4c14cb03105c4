//! Measures the report of a made-up sweep of 100,000 trials with 10 epochs each:
//! `cargo run -p report --profile dist --example large`.

#[path = "../tests/sample/mod.rs"]
mod sample;

use std::time::Instant;

use sample::Shape;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let input = sample::input(&large());
    let folder = tempfile::tempdir()?;
    let start = Instant::now();
    let built = report::build(&input, folder.path())?;
    let seconds = start.elapsed().as_secs_f64();
    let mut bytes = [("pages and figures", 0), ("tables", 0)];
    for file in &built.files {
        let is_table = file.extension().is_some_and(|e| e == "parquet" || e == "csv");
        bytes[usize::from(is_table)].1 += file.metadata()?.len();
    }
    println!("{} trials, {seconds:.2} s", built.counts.n_trials);
    for (what, bytes) in bytes {
        println!("{what}: {:.2} MB", bytes as f64 / 1e6);
    }
    Ok(())
}

const OPTIMIZERS: &str = "adagrad adam adamw backtracking lion momentum nesterov rmsprop sgd sls";

/// Ten optimizers, twenty learning rates, twenty batch sizes, five depths, five seeds.
fn large() -> Shape {
    Shape {
        optimizers: OPTIMIZERS.split(' ').collect(),
        learning_rates: (1..=20).map(|i| f64::from(i) / 20.0).collect(),
        batch_sizes: (1..=20).map(|i| 16 * i).collect(),
        depths: (1..=5).collect(),
        n_seeds: 5,
        ..Shape::usual()
    }
}
