//! What stands where nothing was trained: words, and never chance as if it were a result.

use report::input::{Failure, Input, State, Trial};
use report::read_trials;
use sweep::Compare;
use trial::known::VALID_LOSS;
use trial::{Ending, Value};

use super::{line, report, with_accuracies};
use crate::built::{build, text};

/// What a diverged trial of the sample counts as.
const CHANCE: &str = "11.35 %";

fn diverge(trial: &mut Trial) {
    let State::Done(done) = &mut trial.state else { unreachable!("sample trials are done") };
    done.ending = Ending::Diverged { step: 3, last_finite_loss: None };
}

fn fail(trial: &mut Trial) {
    trial.state = State::Failed(Some(Failure { cause: "no memory".into(), n_attempts: 3 }));
}

/// Backtracking trains, every trial of sgd diverged after an epoch.
fn one_side() -> Input {
    let mut input = with_accuracies([0.970, 0.972, 0.974], [0.5, 0.5, 0.5]);
    input.trials[3..].iter_mut().for_each(diverge);
    input
}

#[test]
fn an_optimizer_that_only_diverged_has_no_best_point() {
    let mut input = one_side();
    input.hypotheses[0].compare = Compare::Best;
    let (built, page) = report(&input);
    assert_eq!(built.short_table[2], ["sgd", "all 3 diverged", "–", "–", "–", "–"]);
    assert!(built.best.unwrap().description.starts_with("backtracking"));
    assert_eq!(line(&page, "| sgd | *all"), "| sgd | *all 3 diverged* | – | – | 3 |");
    assert!(
        page.contains("only point that trained, so it beat nothing: all trials of 1 other point")
    );
    assert_eq!(
        line(&page, "1. **backtracking"),
        "1. **backtracking beats sgd**: *cannot be judged*; every trial on the other side diverged \
         (3), so that side has no best point."
    );
    assert_eq!(line(&page, "| – | sgd |").matches("*diverged*").count(), 1, "no rank");
    assert_eq!(page.matches("so not shown here: sgd (all 3 diverged)").count(), 3);
    for row in page.lines().filter(|line| line.starts_with('|')) {
        assert!(!row.contains(CHANCE), "{row}");
    }
}

#[test]
fn effects_of_values_that_only_diverged_are_words() {
    let mut input = crate::sample::input(&crate::whole::small());
    for trial in &mut input.trials {
        if trial.values[1] == Some(Value::Number(1.0)) {
            diverge(trial);
        }
    }
    let (_, page) = report(&input);
    assert_eq!(line(&page, "| 1 | *diverged*"), "| 1 | *diverged* | *diverged* |");
    assert!(page.contains("every trial there diverged: backtracking at 1 rate, sgd at 1 rate."));
    let sgd = |trial: &Trial| trial.values[0] == Some(Value::Text("sgd".into()));
    input.trials.iter_mut().filter(|trial| sgd(trial)).for_each(diverge);
    let (_, page) = report(&input);
    assert!(
        page.lines().any(|line| line.starts_with("| range of best |") && line.ends_with("| – |"))
    );
    assert!(line(&page, "| sgd | 8 | 8 |").ends_with("| – |"), "no range over learning rates");
}

#[test]
fn where_nothing_trained_nothing_is_the_best() {
    let mut input = with_accuracies([0.97; 3], [0.96; 3]);
    input.trials.iter_mut().for_each(diverge);
    let (built, files) = build(&input);
    assert_eq!(built.best, None);
    assert_eq!(built.short_table[1][1], "all 3 diverged");
    assert!(text(&files, "manifest.json").contains("\"best_trial_id\": null"));
    let page = text(&files, "report.md");
    let id = &input.trials[0].id.to_string()[..6];
    assert!(page.contains(&format!("coordinator replay reports/sample {id}")), "a row there is");
    assert!(line(page, "| backtracking − sgd |").ends_with("| *all trials diverged* |"));
    for row in page.lines().filter(|line| line.starts_with('|')) {
        assert!(!row.contains(CHANCE), "{row}");
    }
}

/// Trials that diverge before their first epoch ends have the same empty history and digest.
#[test]
fn two_that_diverged_took_no_same_steps() {
    let mut input = with_accuracies([0.97; 3], [0.97; 3]);
    let State::Done(source) = input.trials[0].state.clone() else { unreachable!() };
    for trial in &mut input.trials {
        let State::Done(done) = &mut trial.state else { unreachable!() };
        done.history.clone_from(&source.history);
        done.digest.clone_from(&source.digest);
    }
    let (_, page) = report(&input);
    assert!(page.contains("3 of 3 pairs of trials have losses"), "those that trained: {page}");
    for trial in &mut input.trials {
        diverge(trial);
        let State::Done(done) = &mut trial.state else { unreachable!() };
        done.history.clear();
    }
    let (_, page) = report(&input);
    for untrue in ["very same steps", "equal to the last bit"] {
        assert!(!page.contains(untrue), "{untrue} in {page}");
    }
}

#[test]
fn chance_against_chance_is_no_test() {
    let mut input = with_accuracies([0.97; 3], [0.96; 3]);
    input.trials.iter_mut().for_each(diverge);
    let (_, page) = report(&input);
    for untrue in ["t interval leans", "Wilcoxon", "bootstrap", "\n| 1 | ", "\n| 2 | "] {
        assert!(!page.contains(untrue), "{untrue} in {page}");
    }
    assert!(page.contains("stand last and have no rank"), "{page}");
    // Two optimizers that trained, and one that did not: its pair is no test to correct for.
    let shape = crate::sample::Shape {
        optimizers: vec!["adam", "lion", "sgd"],
        learning_rates: vec![0.1],
        batch_sizes: vec![32],
        depths: vec![1],
        n_epochs: 1,
        ..crate::sample::Shape::usual()
    };
    let mut input = crate::sample::input(&shape);
    input.hypotheses.clear();
    let all = [0.97, 0.972, 0.974, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5];
    for (index, (trial, share)) in input.trials.iter_mut().zip(all).enumerate() {
        super::score(trial, share, 0.1);
        if index >= 3 {
            diverge(trial);
        }
    }
    let (_, page) = report(&input);
    assert!(page.contains("Holm over the 2 of 3 pairs that can be tested"), "{page}");
    assert!(line(&page, "| lion − sgd |").ends_with("| *all trials diverged* |"));
    assert!(page.contains("t interval leans on normal differences"), "two intervals are shown");
}

/// What is named in full is what the network has.
#[test]
fn a_network_without_hidden_units_has_no_activation_and_no_dropout() {
    let mut input = with_accuracies([0.970, 0.972, 0.974], [0.960, 0.961, 0.962]);
    for (name, value) in
        [("activation", Value::Text("relu".into())), ("dropout", Value::Number(0.0))]
    {
        input.layout.parameters.push(crate::sample::parameter(name));
        input.trials.iter_mut().for_each(|trial| trial.values.push(Some(value.clone())));
    }
    let (_, page) = report(&input);
    assert!(line(&page, "In full:").ends_with("activation relu, dropout 0."), "{page}");
    input.trials.iter_mut().for_each(|trial| trial.values[3] = Some(Value::Widths(Vec::new())));
    let (_, page) = report(&input);
    assert!(line(&page, "In full:").contains("hidden none"), "{page}");
    assert!(line(&page, "In full:").ends_with("shrink 0.5."), "{page}");
}

#[test]
fn chance_is_never_better_than_a_trial_that_completed() {
    // Less than chance on both measures.
    let mut input = with_accuracies([0.08; 3], [0.5; 3]);
    for trial in &mut input.trials[..3] {
        let State::Done(done) = &mut trial.state else { continue };
        done.history[0][VALID_LOSS] = 9.0;
    }
    input.trials[3..].iter_mut().for_each(diverge);
    let (built, page) = report(&input);
    assert!(built.best.unwrap().description.starts_with("backtracking"));
    assert!(line(&page, "| 1 | backtracking |").contains("8.00 %"), "the ranking agrees");
}

#[test]
fn where_every_trial_failed_the_causes_are_said() {
    let mut input = with_accuracies([0.97; 3], [0.96; 3]);
    input.trials.iter_mut().for_each(fail);
    let (built, page) = report(&input);
    assert_eq!(built.best, None);
    assert_eq!(built.short_table[1], ["backtracking", "all 3 failed", "–", "–", "–", "–"]);
    assert!(page.contains("**No trial has a result**: of 6 trials, 6 failed"), "{page}");
    assert!(!page.contains(" yet") && !page.contains("coordinator replay"), "{page}");
    input.trials[0].state = State::Cancelled;
    diverge_again(&mut input.trials[1]);
    let (built, page) = report(&input);
    assert_eq!(built.short_table[1][1], "1 diverged, 1 failed, 1 cancelled");
    assert!(page.contains("1 of 6 trials diverged, 4 failed, 1 cancelled, so none"), "{page}");
}

fn diverge_again(trial: &mut Trial) {
    *trial = with_accuracies([0.9; 3], [0.9; 3]).trials[1].clone();
    diverge(trial);
}

#[test]
fn a_network_without_hidden_layers_has_a_name_everywhere() {
    let mut input = with_accuracies([0.970, 0.972, 0.974], [0.960, 0.961, 0.962]);
    for trial in &mut input.trials[..3] {
        trial.values[3] = Some(Value::Widths(Vec::new()));
    }
    let both = vec![Value::Widths(Vec::new()), Value::Widths(vec![256])];
    input.axes[3] = sweep::Axis { name: "hidden", values: both };
    let (built, files) = build(&input);
    assert_eq!(built.best.unwrap().description, "backtracking, hidden none");
    let page = text(&files, "report.md");
    assert!(page.contains("**Best configuration: backtracking, hidden none.**"), "{page}");
    let rows: Vec<&str> = text(&files, "results.csv").lines().collect();
    assert_eq!(rows[1].split(',').skip(4).take(3).collect::<Vec<_>>(), ["32", "none", "0"]);
    let folder = tempfile::tempdir().unwrap();
    report::build(&input, folder.path()).unwrap();
    let manifest = std::fs::read_to_string(folder.path().join("manifest.json")).unwrap();
    let manifest = serde_json::from_str(&manifest).unwrap();
    let read = read_trials(folder.path(), &manifest, &input.layout).unwrap();
    assert_eq!(read[0].values, input.trials[0].values);
}

#[test]
fn small_and_large_numbers_have_an_exponent() {
    let mut input = with_accuracies([0.970, 0.972, 0.974], [0.960, 0.961, 0.962]);
    input.metric = sweep::Objective::VALID_LOSS;
    for (index, trial) in input.trials.iter_mut().enumerate() {
        trial.values[1] = Some(Value::Number(if index < 3 { 1e-10 } else { 1e20 }));
        let State::Done(done) = &mut trial.state else { continue };
        done.history[0][VALID_LOSS] = if index < 3 { 3.1e-7 } else { 4.2e18 };
    }
    input.axes[1].values = vec![Value::Number(1e-10), Value::Number(1e20)];
    let (built, files) = build(&input);
    assert_eq!(built.short_table[1][..2], ["backtracking, learning rate 1e-10", "3.1e-7"]);
    let page = text(&files, "report.md");
    assert!(page.contains("learning rate 1e20"), "{page}");
    for word in page.split([' ', '|', '*', '(', ')']) {
        let digits = word.trim_matches(['+', '-', '.', ',']);
        let is_number =
            !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        assert!(!is_number || digits.len() <= 12, "{word}");
        assert!(!digits.starts_with("0.00000"), "{word}");
    }
}

#[test]
fn layers_that_a_spreadsheet_takes_for_a_date_are_pointed_out() {
    let mut input = with_accuracies([0.970, 0.972, 0.974], [0.960, 0.961, 0.962]);
    let warns = |input: &Input| report(input).1.contains("it would take `12-10` for a date");
    assert!(!warns(&input));
    for trial in &mut input.trials {
        trial.values[3] = Some(Value::Widths(vec![12, 10]));
    }
    assert!(warns(&input));
}
