//! Reports of made-up sweeps, to look at and to measure:
//! `cargo run -p report --example made_up -- usual DIR` writes one with every section,
//! `... -- awkward DIR` those whose figures are hard to draw, one folder each, and
//! `cargo run -p report --profile dist --example made_up -- large DIR` measures 100,000 trials,
//! `... -- wide DIR` 20,000 of few and of very many values on one axis.

#[path = "../tests/all/sample/mod.rs"]
mod sample;

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use sample::{Shape, awkward, input};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [which, folder] = &args[..] else { return Err(USAGE.into()) };
    let folder = Path::new(folder);
    std::fs::create_dir_all(folder)?;
    match &which[..] {
        "usual" => usual(folder),
        "awkward" => all_awkward(folder),
        "large" => measured(&large(), folder),
        "wide" => wide(folder),
        _ => Err(USAGE.into()),
    }
}

const USAGE: &str = "usage: made_up usual|awkward|large|wide FOLDER";

fn usual(folder: &Path) -> Result<(), Box<dyn Error>> {
    for row in report::build(&input(&Shape::usual()), folder)?.short_table {
        println!("{}", row.join("  "));
    }
    Ok(())
}

fn all_awkward(folder: &Path) -> Result<(), Box<dyn Error>> {
    for (name, input) in awkward::sweeps() {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder)?;
        report::build(&input, &folder)?;
        println!("{}", folder.display());
    }
    Ok(())
}

/// With 10 epochs each.
fn measured(shape: &Shape, folder: &Path) -> Result<(), Box<dyn Error>> {
    let input = input(shape);
    let start = Instant::now();
    let built = report::build(&input, folder)?;
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

/// Ten values on an axis, ten thousand, and ten thousand seeds.
fn wide(folder: &Path) -> Result<(), Box<dyn Error>> {
    let shape = |n_rates: u32, n_batch_sizes: u64, n_depths: usize, n_seeds: u32| Shape {
        learning_rates: (1..=n_rates).map(|i| f64::from(i) / f64::from(n_rates)).collect(),
        batch_sizes: (1..=n_batch_sizes).map(|i| 16 * i).collect(),
        depths: (1..=n_depths).collect(),
        n_seeds,
        n_epochs: 2,
        ..Shape::usual()
    };
    for (name, shape) in [
        ("10-rates", shape(10, 200, 5, 1)),
        ("10000-rates", shape(10_000, 1, 1, 1)),
        ("10000-seeds", shape(1, 1, 1, 10_000)),
    ] {
        println!("{name}:");
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder)?;
        measured(&shape, &folder)?;
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
