//! Which point is the best, and what is said of claims and pairs. Expected statistics come from
//! scipy 1.17.1 (`scipy.stats.ttest_1samp` and its `confidence_interval`).

use report::input::{State, Trial};
use sweep::{Axis, Compare, Condition, Filter, Hypothesis, Objective};
use trial::known::{GRADIENT_NORM, TRAIN_LOSS};
use trial::{Ending, Value};

use super::{line, page, score, with_accuracies};
use crate::sample::{Shape, input, parameter};

#[test]
fn steady_differences_hold() {
    let page = page(&with_accuracies([0.970, 0.972, 0.974], [0.960, 0.961, 0.962]));
    assert_eq!(
        line(&page, "1. **backtracking"),
        "1. **backtracking beats sgd**: *holds*; effect +1.10 pt, interval +0.85 pt to +1.35 pt, \
         p = 0.003, 3 seeds; 1 matched point: 1 won, 0 equal, 0 lost."
    );
    assert_eq!(
        line(&page, "| backtracking − sgd |"),
        "| backtracking − sgd | 1 | 3 | +1.10 pt | +0.85 pt to +1.35 pt | 0.003 | 1 / 0 / 0 | backtracking |"
    );
    assert!(page.contains("| 2 | 97.20 % | 96.10 % | +1.10 pt |"), "the second seed's values");
}

#[test]
fn scattered_differences_are_not_distinguishable() {
    let page = page(&with_accuracies([0.970, 0.980, 0.990], [0.960, 0.960, 0.960]));
    assert_eq!(
        line(&page, "1. **backtracking"),
        "1. **backtracking beats sgd**: *not distinguishable*; effect +2.00 pt, interval -0.48 pt to \
         +4.48 pt, p = 0.074, 3 seeds; 1 matched point: 1 won, 0 equal, 0 lost."
    );
    assert!(line(&page, "| backtracking − sgd |").ends_with("*not distinguishable* |"));
}

#[test]
fn a_claim_that_points_the_wrong_way_does_not_hold() {
    let page = page(&with_accuracies([0.960, 0.961, 0.962], [0.970, 0.972, 0.974]));
    assert!(line(&page, "1. **backtracking").contains("*does not hold*; effect -1.10 pt"));
    assert!(line(&page, "| backtracking − sgd |").ends_with("| sgd |"));
}

#[test]
fn holm_counts_every_hypothesis_of_the_file() {
    let learning_rates: Vec<f64> = (1..=20).map(|i| 0.01 * f64::from(i)).collect();
    let shape = Shape {
        learning_rates: learning_rates.clone(),
        batch_sizes: vec![32],
        depths: vec![1],
        n_epochs: 1,
        ..Shape::usual()
    };
    let mut input = input(&shape);
    let shares = [[0.970, 0.972, 0.974], [0.960, 0.961, 0.962]];
    for (i, trial) in input.trials.iter_mut().enumerate() {
        score(trial, shares[i / 60][i % 3], 0.1);
    }
    let mut first = input.hypotheses[1].clone();
    input.hypotheses = Vec::new();
    for rate in learning_rates {
        let of_rate = Condition { name: "learning_rate", values: vec![Value::Number(rate)] };
        for side in [&mut first.better, &mut first.than] {
            side.conditions.truncate(1);
            side.conditions.push(of_rate.clone());
        }
        input.hypotheses.push(first.clone());
    }
    // 20 x 0.00274 is above 0.05.
    let page = page(&input);
    assert!(line(&page, "7. **backtracking").contains("*not distinguishable*"));
    assert!(line(&page, "7. **backtracking").contains("p = 0.055"));
    assert!(page.contains("corrected by Holm over all of them. An effect"), "{page}");
}

/// A build that refused less recorded them.
#[test]
fn holm_counts_the_same_comparison_once() {
    let mut input = with_accuracies([0.970, 0.972, 0.974], [0.960, 0.961, 0.962]);
    let same = input.hypotheses[0].clone();
    let mut reversed = Hypothesis { claim: "the reverse".into(), ..same.clone() };
    std::mem::swap(&mut reversed.better, &mut reversed.than);
    let best = Hypothesis { compare: Compare::Best, ..same.clone() };
    let margin = Hypothesis { margin: 0.001, ..same.clone() };
    input.hypotheses.extend([reversed, best, margin]);
    input.hypotheses.extend(std::iter::repeat_n(same, 19));
    let page = page(&input);
    for n in [1, 3, 4, 5, 23] {
        assert!(line(&page, &format!("{n}. **backtracking")).contains("*holds*; effect +1.10 pt"));
        assert!(line(&page, &format!("{n}. **backtracking")).contains("p = 0.003"));
    }
    assert!(line(&page, "2. **the reverse").contains("*does not hold*; effect -1.10 pt"));
    assert!(page.contains("over all of them, where the same comparison counts once."), "{page}");
}

#[test]
fn a_tie_goes_to_the_lower_loss_and_then_to_the_first_row() {
    let mut input = with_accuracies([0.97; 3], [0.97; 3]);
    assert!(page(&input).contains("**Best configuration: backtracking.**"));
    for trial in &mut input.trials[3..] {
        score(trial, 0.97, 0.09);
    }
    assert!(page(&input).contains("**Best configuration: sgd.**"));
}

#[test]
fn a_point_that_misses_a_seed_is_not_the_best() {
    let mut input = with_accuracies([0.99, 0.99, 0.99], [0.97, 0.97, 0.97]);
    input.trials[1].state = State::Open;
    let page = page(&input);
    assert!(page.contains("**Best configuration so far: sgd.**"));
    assert!(line(&page, "1. **backtracking").contains("no pair of points has all its results"));
}

#[test]
fn an_axis_that_one_side_does_not_use_is_no_hindrance() {
    let mut input = with_accuracies([0.970, 0.972, 0.974], [0.960, 0.961, 0.962]);
    input.layout.parameters.push(parameter("armijo_c"));
    let values = vec![Value::Number(0.1), Value::Number(0.2)];
    input.axes.push(Axis { name: "armijo_c", values });
    let mut more: Vec<Trial> = input.trials[..3].to_vec();
    for (index, trial) in input.trials.iter_mut().enumerate() {
        trial.values.push((index < 3).then_some(Value::Number(0.1)));
    }
    for (trial, accuracy) in more.iter_mut().zip([0.972, 0.974, 0.976]) {
        score(trial, accuracy, 0.1);
        trial.values.push(Some(Value::Number(0.2)));
    }
    input.trials.splice(3..3, more);
    // Both points of the line search stand against the one of sgd, as their mean.
    let page = page(&input);
    assert!(line(&page, "1. **backtracking").contains("effect +1.20 pt"));
    assert!(line(&page, "1. **backtracking").contains("1 matched point"));
}

#[test]
fn trials_that_went_the_same_way_are_counted() {
    let mut input = with_accuracies([0.97; 3], [0.97; 3]);
    let State::Done(source) = input.trials[0].state.clone() else { unreachable!() };
    for trial in &mut input.trials {
        let State::Done(done) = &mut trial.state else { unreachable!() };
        done.history.clone_from(&source.history);
    }
    let State::Done(done) = &mut input.trials[4].state else { unreachable!() };
    done.history[0][TRAIN_LOSS] += 1e-15;
    let State::Done(done) = &mut input.trials[5].state else { unreachable!() };
    done.history[0][GRADIENT_NORM] += 1e-7;
    assert!(
        page(&input)
            .contains("2 of 3 pairs of trials have losses and accuracies equal to the last bit")
    );
    // One that diverged after the same epochs went another way.
    let State::Done(done) = &mut input.trials[3].state else { unreachable!() };
    done.ending = Ending::Diverged { step: 2_000, last_finite_loss: None };
    assert!(page(&input).contains("1 of 3 pairs of trials have losses and accuracies equal"));
}

#[test]
fn a_diverged_seed_counts_as_chance() {
    let mut input = with_accuracies([0.97; 3], [0.96; 3]);
    let State::Done(done) = &mut input.trials[3].state else { unreachable!() };
    done.ending = Ending::Diverged { step: 1, last_finite_loss: None };
    // (0.96 + 0.96 + 0.1135) / 3
    let page = page(&input);
    assert!(line(&page, "| 2 | sgd |").contains("| 67.78 % |"), "{}", line(&page, "| 2 | sgd |"));
    assert!(page.contains("0 against 1 trials diverged and count as chance"));
}

#[test]
fn no_test_figure_decides_anything() {
    let mut one = with_accuracies([0.97; 3], [0.97; 3]);
    let mut other = one.clone();
    for (index, (a, b)) in one.trials.iter_mut().zip(&mut other.trials).enumerate() {
        let set = |trial: &mut Trial, share: f64| {
            let State::Done(done) = &mut trial.state else { unreachable!() };
            let test_accuracy = Some(share);
            done.ending = Ending::Completed { best_epoch: 1, test_accuracy, collapsed: false };
        };
        set(a, if index < 3 { 0.9 } else { 0.8 });
        set(b, if index < 3 { 0.8 } else { 0.9 });
    }
    let without = |page: &str| page.replace("90.00", "T").replace("80.00", "T");
    assert_eq!(without(&page(&one)), without(&page(&other)));
}

#[test]
fn one_seed_gives_an_effect_and_no_verdict() {
    let mut input = with_accuracies([0.97; 3], [0.96; 3]);
    input.trials.retain(|trial| trial.seed == 1);
    input.metric = Objective::VALID_ACCURACY;
    let page = page(&input);
    assert!(line(&page, "1. **backtracking").contains(
        "*not distinguishable*; effect +1.00 pt with 1 seed, which gives neither interval nor p"
    ));
}

#[test]
fn sides_may_name_several_values() {
    let mut input = input(&Shape { n_epochs: 1, ..Shape::usual() });
    let values = |depths: &[u64]| {
        let values = depths.iter().map(|d| Value::Count(*d)).collect();
        Filter { conditions: vec![Condition { name: "depth", values }] }
    };
    input.hypotheses = vec![Hypothesis {
        claim: "more than one layer".into(),
        better: values(&[2, 3]),
        than: values(&[1]),
        compare: Compare::Matched,
        margin: 0.0,
    }];
    // 2 optimizers x 5 rates x 3 batch sizes, the two depths averaged within each.
    assert!(line(&page(&input), "1. **more than").contains("30 matched points"));
}

#[test]
fn equal_counts_of_correct_answers_are_a_tie_in_any_order_of_the_seeds() {
    // The order of summation changes the last bit of the mean.
    let (first, second) = ([0.9811, 0.9807, 0.9834], [0.9834, 0.9807, 0.9811]);
    let mean = |x: [f64; 3]| x.iter().sum::<f64>() / 3.0;
    assert_ne!(mean(first).to_bits(), mean(second).to_bits());
    for (backtracking, sgd) in [(first, second), (second, first)] {
        let mut input = with_accuracies(backtracking, sgd);
        for (trial, accuracy) in input.trials[3..].iter_mut().zip(sgd) {
            score(trial, accuracy, 0.09);
        }
        let page = page(&input);
        assert!(page.contains("**Best configuration: sgd.**"));
        assert!(page.contains("it is tied with backtracking"), "{page}");
        assert!(page.contains("chosen by its lower validation loss (0.0900 against 0.1000)."));
    }
}

#[test]
fn a_winner_by_failures_of_the_other_is_named_as_such() {
    let shape = Shape {
        learning_rates: vec![0.1],
        batch_sizes: vec![32, 64],
        depths: vec![1],
        n_epochs: 1,
        ..Shape::usual()
    };
    let mut input = input(&shape);
    input.hypotheses.truncate(1);
    input.hypotheses[0].compare = Compare::Matched;
    // Backtracking first, each optimizer's batch sizes in turn, three seeds each.
    let shares = [0.970, 0.971, 0.972, 0.96, 0.96, 0.96, 0.971, 0.970, 0.972, 0.11, 0.11, 0.11];
    for (index, (trial, share)) in input.trials.iter_mut().zip(shares).enumerate() {
        score(trial, share, 0.1);
        let State::Done(done) = &mut trial.state else { unreachable!() };
        let (test_accuracy, collapsed) = (None, index >= 9);
        done.ending = Ending::Completed { best_epoch: 1, test_accuracy, collapsed };
    }
    let decided = "0 against 3 trials collapsed; **3 trials diverged or collapsed decide this**: \
        without their points (1 of 2 remain) the difference is 0.00 pt (-0.25 pt to +0.25 pt), \
        which is not distinguishable from 0.";
    let page = page(&input);
    assert!(line(&page, "1. **backtracking").contains("*holds*; effect +42.50 pt"));
    assert!(line(&page, "1. **backtracking").ends_with(decided));
    assert!(line(&page, "- backtracking − sgd: 0 against 3").ends_with(decided));
    assert!(
        line(&page, "| backtracking − sgd |").ends_with("| backtracking, by failures of sgd |")
    );
    assert!(page.contains(
        "- backtracking − sgd: over the whole grid, which is what an untuned choice gives, \
         backtracking is better; best against best the difference is 0.00 pt"
    ));
}

#[test]
fn many_optimizers_are_compared_with_the_best_one_only() {
    let shape = Shape {
        optimizers: vec!["a", "b", "c", "d", "e"],
        learning_rates: vec![0.1],
        batch_sizes: vec![32],
        depths: vec![1],
        n_epochs: 1,
        ..Shape::usual()
    };
    let mut input = input(&shape);
    for (index, trial) in input.trials.iter_mut().enumerate() {
        // Three seeds each: the third optimizer is the best.
        score(trial, if index / 3 == 2 { 0.97 } else { 0.96 }, 0.1);
    }
    let page = page(&input);
    let pairs = ["| a − c |", "| b − c |", "| c − d |", "| c − e |"];
    assert!(pairs.iter().all(|pair| page.contains(&format!("\n{pair}"))));
    assert!(!page.contains("\n| a − b |"));
    assert!(page.contains("Holm over all 10 pairs"));
    assert!(page.contains("Shown are the pairs with the optimizer of the best configuration."));
}
