//! Sweeps whose figures are hard to draw.

use report::input::{Input, State};
use sweep::Objective;
use trial::known::VALID_ACCURACY;
use trial::{Ending, Value};

use super::{Shape, input};

const LONG: &str = "backtracking-with-a-name-that-somebody-made-far-too-long-for-any-axis";

/// Each with a name for its folder.
pub(crate) fn sweeps() -> Vec<(&'static str, Input)> {
    let usual = Shape::usual;
    let rates = |n: i32| (0..n).map(|i| 1e-3 * 2.0_f64.powi(i)).collect::<Vec<_>>();
    let one = Shape {
        optimizers: vec!["sgd"],
        learning_rates: vec![0.1],
        batch_sizes: vec![32],
        depths: vec![1],
        n_seeds: 1,
        ..usual()
    };
    let one_rate =
        Shape { learning_rates: vec![0.1], batch_sizes: vec![32], depths: vec![2], ..usual() };
    let nine = Shape {
        optimizers: vec![
            "adam",
            "adamw",
            "backtracking",
            "lion",
            "momentum",
            "nesterov",
            "rmsprop",
            "sgd",
            "strong-wolfe",
        ],
        ..usual()
    };
    let long = Shape { optimizers: vec![LONG, "sgd"], ..usual() };
    let wide = Shape {
        learning_rates: rates(12),
        batch_sizes: (4..12).map(|i| 1 << i).collect(),
        ..usual()
    };
    let mut diverged = input(&usual());
    for trial in &mut diverged.trials {
        if let State::Done(done) = &mut trial.state {
            done.ending = Ending::Diverged { step: 3, last_finite_loss: None };
            done.history.clear();
            done.timings.clear();
        }
    }
    vec![
        ("usual", input(&usual())),
        ("one-point", input(&one)),
        ("one-rate", input(&one_rate)),
        ("wide", input(&wide)),
        ("nine-optimizers", input(&nine)),
        ("long-names", with_long_widths(input(&long))),
        ("all-diverged", diverged),
        ("outliers", with_outliers(input(&usual()))),
        ("partial", partial(input(&usual()))),
        ("loss", Input { metric: Objective::VALID_LOSS, ..input(&usual()) }),
    ]
}

/// Thirty hidden layers, and a heatmap that names them all.
fn with_long_widths(mut input: Input) -> Input {
    for trial in &mut input.trials {
        if let Some(Value::Widths(widths)) = &mut trial.values[3] {
            *widths = widths.iter().copied().cycle().take(30 + widths.len()).collect();
        }
    }
    for axis in &mut input.axes {
        if axis.name == "depth" {
            axis.name = "hidden";
        }
    }
    input.heatmaps[0].y = "hidden";
    input
}

/// Two of five trials open.
fn partial(mut input: Input) -> Input {
    for (index, trial) in input.trials.iter_mut().enumerate() {
        if index % 5 > 2 {
            trial.state = State::Open;
        }
    }
    input
}

/// One point with a large error, one that took very long.
fn with_outliers(mut input: Input) -> Input {
    for trial in &mut input.trials[..3] {
        let State::Done(done) = &mut trial.state else { continue };
        for epoch in &mut done.history {
            epoch[VALID_ACCURACY] = 0.4;
        }
    }
    for trial in &mut input.trials[30..33] {
        let State::Done(done) = &mut trial.state else { continue };
        for timing in &mut done.timings {
            timing.cpu_s *= 200.0;
        }
    }
    input
}
