//! What the report says, on sweeps whose scores are set by hand.

mod confirm;
mod costs;
mod diverged;
mod recompute;
mod verdicts;

use report::Built;
use report::input::{Input, State, Trial};
use sweep::{Compare, Phase};
use trial::Ending;
use trial::known::{VALID_ACCURACY, VALID_LOSS};

use crate::built::{build, text};
use crate::sample::{Shape, input};

const GRID: [[f64; 3]; 2] = [[0.980, 0.981, 0.982], [0.950, 0.960, 0.970]];
const FRESH: [[f64; 3]; 2] = [[0.970, 0.972, 0.974], [0.960, 0.961, 0.962]];

/// One point of each of two optimizers with three seeds, trained for one epoch: backtracking comes
/// first in row order, then sgd; accuracies in seed order.
fn with_accuracies(backtracking: [f64; 3], sgd: [f64; 3]) -> Input {
    let shape = Shape {
        learning_rates: vec![0.1],
        batch_sizes: vec![32],
        depths: vec![1],
        n_epochs: 1,
        ..Shape::usual()
    };
    let mut input = input(&shape);
    input.hypotheses.truncate(1);
    input.hypotheses[0].compare = Compare::Matched;
    let all = backtracking.into_iter().chain(sgd);
    for (trial, accuracy) in input.trials.iter_mut().zip(all) {
        score(trial, accuracy, 0.1);
    }
    input
}

/// Selected by `grid`; the best points' trials with fresh seeds are still to come.
fn not_yet_confirmed([backtracking, sgd]: [[f64; 3]; 2]) -> Input {
    let mut input = with_accuracies(backtracking, sgd);
    input.hypotheses[0].compare = Compare::Best;
    input.confirm_seeds = vec![1_000_001, 1_000_002, 1_000_003];
    input
}

/// Selected by `grid` and confirmed with three seeds more.
fn confirmed(grid: [[f64; 3]; 2], fresh: [[f64; 3]; 2]) -> Input {
    let mut input = not_yet_confirmed(grid);
    let mut trials = Vec::new();
    for (point, shares) in input.trials.chunks(3).zip(fresh) {
        trials.extend_from_slice(point);
        trials.extend((1_000_001..).zip(point).zip(shares).map(|((seed, trial), share)| {
            let id = trial.id.to_string().chars().rev().collect::<String>().parse().unwrap();
            let mut trial = Trial { id, seed, phase: Phase::Confirm, ..trial.clone() };
            score(&mut trial, share, 0.1);
            trial
        }));
    }
    input.trials = trials;
    input
}

/// Sets the figures of every epoch; on the test files one point less.
fn score(trial: &mut Trial, accuracy: f64, loss: f64) {
    let State::Done(done) = &mut trial.state else { unreachable!("sample trials are done") };
    for epoch in &mut done.history {
        epoch[VALID_ACCURACY] = accuracy;
        epoch[VALID_LOSS] = loss;
    }
    let test_accuracy = Some(accuracy - 0.01);
    done.ending = Ending::Completed { best_epoch: 1, test_accuracy, collapsed: false };
}

fn report(input: &Input) -> (Built, String) {
    let (built, files) = build(input);
    (built, text(&files, "report.md").to_string())
}

fn page(input: &Input) -> String {
    report(input).1
}

fn line<'p>(page: &'p str, start: &str) -> &'p str {
    page.lines()
        .find(|line| line.starts_with(start))
        .unwrap_or_else(|| panic!("no line begins with {start:?} in\n{page}"))
}
