//! What accuracy costs, and which axes matter.

use report::input::State;
use trial::known::VALID_ACCURACY;
use trial::{Ending, Value};

use super::{line, page, report, score, with_accuracies};
use crate::sample::{Shape, input, parameter};

#[test]
fn costs_to_a_target_count_whole_epochs_of_the_seeds_that_reach_it() {
    let shape = Shape {
        optimizers: vec!["backtracking"],
        learning_rates: vec![0.1],
        batch_sizes: vec![32],
        depths: vec![1],
        n_seeds: 2,
        n_epochs: 3,
    };
    let mut input = input(&shape);
    for (trial, accuracies) in input.trials.iter_mut().zip([[0.96, 0.97, 0.975], [0.9, 0.95, 0.96]])
    {
        let State::Done(done) = &mut trial.state else { unreachable!() };
        done.ending = Ending::Completed { best_epoch: 3, test_accuracy: None, collapsed: false };
        for (epoch, accuracy) in done.history.iter_mut().zip(accuracies) {
            epoch[VALID_ACCURACY] = accuracy;
        }
        for (timing, cpu_s) in done.timings.iter_mut().zip([1.0, 0.5, 7.0]) {
            timing.cpu_s = cpu_s;
        }
    }
    // Two epochs: 2 x 50,000 gradients, 2 x 55,000 probes, 1.5 s; the other seed does not get there.
    let page = page(&input);
    assert_eq!(
        line(&page, "| 97 % |"),
        "| 97 % | backtracking | *best* | 1 / 2 | 2.0 | 0.10 | 0.21 | 1.50 |"
    );
    assert!(page.contains("No seed of an optimizer's best point reaches 98 %"));
}

#[test]
fn slower_points_of_equal_accuracy_are_not_on_the_front() {
    // The same correct answers, but their sum in this order is greater by a last bit; line searches
    // take longer here.
    let page = page(&with_accuracies([0.978, 0.9787, 0.978], [0.978, 0.978, 0.9787]));
    assert!(page.contains("\n1 point on the front"), "{page}");
    assert!(!page[page.find("on the front").unwrap()..].contains("\n| backtracking | 97.82 % |"));
}

#[test]
fn a_border_is_named_only_beyond_the_scatter_of_seeds() {
    let shape = Shape {
        optimizers: vec!["sgd"],
        learning_rates: vec![0.1],
        depths: vec![1],
        n_epochs: 1,
        ..Shape::usual()
    };
    let of_batch_32 = |shares: [f64; 3]| {
        let mut input = input(&shape);
        let others = [0.960, 0.961, 0.962].into_iter().cycle().take(6);
        for (trial, share) in input.trials.iter_mut().zip(shares.into_iter().chain(others)) {
            score(trial, share, 0.1);
        }
        page(&input)
    };
    let remark = "- **sgd**: the best batch size is the lowest of the axis (32)";
    assert!(of_batch_32([0.964, 0.965, 0.966]).contains(remark));
    // The same lead of 0.4 pt with an sd of 2 pt.
    assert!(!of_batch_32([0.945, 0.965, 0.985]).contains(remark));
}

/// The page of three points that differ in one key, of which the one at `best` is the best.
fn page_of_axis(name: &'static str, values: [Value; 3], best: usize) -> String {
    let shape = Shape {
        optimizers: vec!["sgd"],
        learning_rates: vec![0.1],
        depths: vec![1],
        n_epochs: 5,
        ..Shape::usual()
    };
    let mut input = input(&shape);
    input.layout.parameters[2] = parameter(name);
    input.axes[2].name = name;
    input.axes[2].values = values.to_vec();
    input.heatmaps.clear();
    for (i, trial) in input.trials.iter_mut().enumerate() {
        trial.values[2] = Some(values[i / 3].clone());
        score(trial, if i / 3 == best { 0.97 } else { 0.9 } + 0.001 * (i % 3) as f64, 0.1);
    }
    page(&input)
}

#[test]
fn no_value_is_asked_for_that_cannot_be_or_changes_nothing() {
    let numbers = |values: [f64; 3]| values.map(Value::Number);
    let counts = |values: [u64; 3]| values.map(Value::Count);
    for (name, values, best, is_named) in [
        ("momentum", numbers([0.0, 0.5, 0.9]), 0, false),
        ("momentum", numbers([0.1, 0.5, 0.9]), 0, true),
        ("momentum", numbers([0.0, 0.5, 0.9]), 2, true),
        ("label_smoothing", numbers([0.0, 0.1, 0.2]), 0, false),
        ("dropout", numbers([0.0, 0.1, 0.2]), 0, false),
        // 50,000 rows train.
        ("batch_size", counts([4, 600, 50_000]), 2, false),
        ("batch_size", counts([4, 600, 49_999]), 2, true),
        ("batch_size", counts([1, 2, 4]), 0, false),
        ("max_probes", counts([1, 10, 1_000]), 2, false),
        // Five epochs.
        ("patience", counts([1, 2, 4]), 2, false),
        ("patience", counts([1, 2, 3]), 2, true),
    ] {
        let remark = "may be better still";
        let found = page_of_axis(name, values.clone(), best).contains(remark);
        assert_eq!(found, is_named, "{name} of {values:?}");
    }
}

#[test]
fn an_error_of_nothing_is_drawn_as_half_a_row_and_the_captions_say_so() {
    let note = "An error of 0, which a log axis cannot show, is drawn as half a row of those that \
        validate (1 %), and so is any below that.";
    let of = |shares: [f64; 3]| {
        let mut input = with_accuracies(shares, [0.9; 3]);
        input.data.n_valid = 50;
        let (_, files) = crate::built::build(&input);
        let page = crate::built::text(&files, "report.md").to_string();
        (page, crate::built::text(&files, "convergence.svg").to_string())
    };
    let (page, figure) = of([1.0; 3]);
    // Convergence by epochs and work, by time, and accuracy against time.
    assert_eq!(page.matches(note).count(), 3, "{page}");
    assert!(!figure.contains(">0.001</text>"), "{figure}");
    let (page, _) = of([0.98; 3]);
    assert!(!page.contains("half a row"), "one wrong row is an error that is there");
}

#[test]
fn tiny_costs_keep_two_significant_digits() {
    let mut input = with_accuracies([0.97; 3], [0.96; 3]);
    for trial in &mut input.trials {
        let State::Done(done) = &mut trial.state else { unreachable!() };
        done.timings[0].cpu_s = 0.003_14;
        (done.work.grad_samples, done.work.probe_samples) = (600, 40);
    }
    let (built, page) = report(&input);
    assert!(line(&page, "| backtracking | 1.0 |").contains("| 0.00064 |"), "samples in millions");
    assert!(line(&page, "| backtracking | 1.0 |").contains("| 0.0031 |"), "CPU seconds");
    assert!(page.contains("(0.00064 M samples, 0.0031 CPU s)"), "{page}");
    assert!(line(&page, "| backtracking | 97.00 % |").ends_with("| 0.0031 |"), "the front");
    assert_eq!(built.short_table[1][4], "0.0031");
}

#[test]
fn who_sets_the_budget_keeps_its_score_though_a_seed_spends_more() {
    let mut input = with_accuracies([0.97; 3], [0.96; 3]);
    for (index, trial) in input.trials.iter_mut().enumerate() {
        let State::Done(done) = &mut trial.state else { unreachable!() };
        done.timings[0].cpu_s = [1.0, 2.0, 3.0, 9.0, 9.0, 9.0][index];
    }
    let page = page(&input);
    assert!(line(&page, "| backtracking | 1.0 |").ends_with("| 97.00 % |"));
    assert!(line(&page, "| sgd | 1.0 |").ends_with("| – |"));
}

/// Learning rate and seed alone matter: half a decade of error a rate, a tenth of it a seed.
#[test]
fn importance_splits_the_spread_of_a_full_grid_and_declines_a_gap() {
    let shape = Shape { optimizers: vec!["sgd"], depths: vec![1], n_seeds: 2, ..Shape::usual() };
    let mut input = input(&Shape { learning_rates: vec![0.01, 0.1], n_epochs: 1, ..shape });
    for trial in &mut input.trials {
        let is_small = trial.values[1] == Some(Value::Number(0.01));
        let exponent = if is_small { -1.0 } else { -1.5 } + 0.05 * f64::from(trial.seed);
        score(trial, 1.0 - 10.0_f64.powf(exponent), 0.1);
    }
    // Six deviations of 0.25 squared from the rates, as many of 0.025 squared from the seeds.
    let share = |x: f64| format!("{:.0} %", 100.0 * x / (0.0625 + 0.000_625));
    let whole = page(&input);
    assert_eq!(
        line(&whole, "| sgd, all points"),
        format!(
            "| sgd, all points (6 points) | {} | 0 % | 0 % | {} |",
            share(0.0625),
            share(0.000_625)
        )
    );
    input.trials.pop();
    let gap = page(&input);
    assert!(line(&gap, "- sgd: not computed: unbalanced").len() > 20);
    assert!(!gap.contains("| sgd, all points"), "{gap}");
}
