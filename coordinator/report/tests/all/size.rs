//! What a report costs when one axis takes very many values: no more than with few.

use std::time::{Duration, Instant};

use crate::built::{Files, build, text};
use crate::sample::{Shape, input};

/// 4,000 trials.
fn shape(n_rates: u32, n_batch_sizes: u64, n_depths: usize) -> Shape {
    Shape {
        learning_rates: (1..=n_rates).map(|i| f64::from(i) / f64::from(n_rates)).collect(),
        batch_sizes: (1..=n_batch_sizes).map(|i| 16 * i).collect(),
        depths: (1..=n_depths).collect(),
        n_seeds: 1,
        n_epochs: 2,
        ..Shape::usual()
    }
}

/// The shorter of two times, so that a busy machine decides less.
fn timed(shape: &Shape) -> (Files, Duration) {
    let input = input(shape);
    assert_eq!(input.trials.len(), 4_000);
    let once = || {
        let start = Instant::now();
        let files = build(&input).1;
        (files, start.elapsed())
    };
    let (files, first) = once();
    (files, first.min(once().1))
}

fn bytes_of_pages_and_figures(files: &Files) -> usize {
    let is_page = |name: &str| name.ends_with(".md") || name.ends_with(".svg");
    files.iter().filter(|(name, _)| is_page(name)).map(|(_, bytes)| bytes.len()).sum()
}

#[test]
fn many_values_on_one_axis_cost_no_more_than_few() {
    let (few, time_of_few) = timed(&shape(10, 40, 5));
    let (many, time_of_many) = timed(&shape(2_000, 1, 1));
    // Measured: two thirds of it. Work that grows with the square of the values takes several times.
    assert!(time_of_many < 3 * time_of_few, "{time_of_many:?} against {time_of_few:?}");
    let (n_few, n_many) = (bytes_of_pages_and_figures(&few), bytes_of_pages_and_figures(&many));
    assert!(n_many < 2 * n_few, "{n_many} against {n_few} bytes");
    let page = text(&many, "report.md");
    assert!(page.contains("Shown: 16 of 2,000 values, spread evenly. The range is that of all."));
    assert!(page.contains("Shown: 200 of 2,000 learning rates, spread evenly."), "the figure");
    assert!(page.contains("Shown: 12 of 2,000 first steps, spread evenly."), "line searches");
}
