//! Two small sweeps with every kind of outcome, whose page, figures and rows are compared byte for
//! byte with those committed in `tests/golden`. After a change that is meant:
//! `UPDATE_GOLDENS=1 cargo test -p report --test all golden`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use report::input::{Failure, Input, State, Trial};
use sweep::Phase;
use trial::known::{TRAIN_ACCURACY, TRAIN_LOSS, VALID_ACCURACY, VALID_LOSS};
use trial::{Ending, Value};

use crate::built::{Files, build, text};
use crate::sample::{Shape, input};

const HOW: &str = "If that is meant: UPDATE_GOLDENS=1 cargo test -p report --test all golden";

/// Three rates and three depths of two optimizers with three seeds: sgd diverges at the largest rate
/// in deep networks, one trial collapsed, one point is missing.
fn grid() -> Input {
    let mut input = input(&Shape {
        learning_rates: vec![0.05, 0.5, 1.0],
        batch_sizes: vec![32],
        n_epochs: 4,
        ..Shape::usual()
    });
    collapse(&mut input.trials[0]);
    input.trials.drain(12..15);
    input
}

fn collapse(trial: &mut Trial) {
    let State::Done(done) = &mut trial.state else { unreachable!("sample trials are done") };
    for epoch in &mut done.history {
        (epoch[VALID_ACCURACY], epoch[VALID_LOSS]) = (0.1135, 2.302);
        (epoch[TRAIN_ACCURACY], epoch[TRAIN_LOSS]) = (0.11, 2.303);
    }
    done.ending = Ending::Completed { best_epoch: 1, test_accuracy: Some(0.113), collapsed: true };
}

/// The grid, and the best point of each optimizer again with fresh seeds, a little worse there.
fn complete() -> Input {
    let mut input = grid();
    input.confirm_seeds = (1_000_001..=1_000_003).collect();
    let best = [Some(Value::Number(0.5)), Some(Value::Widths(vec![256, 128, 64]))];
    for point in input.trials.clone().chunk_by(|a, b| a.values == b.values) {
        if [&point[0].values[1], &point[0].values[3]] != [&best[0], &best[1]] {
            continue;
        }
        let last = input.trials.iter().rposition(|trial| trial.values == point[0].values);
        let behind = last.expect("the point is among the trials") + 1;
        input.trials.splice(behind..behind, point.iter().map(confirm));
    }
    input
}

fn confirm(trial: &Trial) -> Trial {
    let mut trial = trial.clone();
    trial.id = trial.id.to_string().chars().rev().collect::<String>().parse().unwrap();
    (trial.seed, trial.phase) = (1_000_000 + trial.seed, Phase::Confirm);
    let State::Done(done) = &mut trial.state else { unreachable!("sample trials are done") };
    for epoch in &mut done.history {
        epoch[VALID_ACCURACY] -= 0.0001 * f64::from(trial.seed % 4);
    }
    trial
}

/// The grid on its way: some trials are open, one failed, one was cancelled.
fn partial() -> Input {
    let mut input = grid();
    for trial in input.trials.iter_mut().skip(2).step_by(7) {
        trial.state = State::Open;
    }
    let cause =
        "worker local-1 was lost 3 times with this trial: out of memory | see its log".into();
    input.trials[5].state = State::Failed(Some(Failure { cause, n_attempts: 3 }));
    input.trials[7].state = State::Cancelled;
    input
}

#[test]
fn a_complete_report_is_the_committed_one() {
    compare("complete", &build(&complete()).1);
}

#[test]
fn a_partial_report_is_the_committed_one() {
    compare("partial", &build(&partial()).1);
}

/// Texts alone: bytes of PNG and Parquet files depend on the lock file.
fn is_golden(name: &str) -> bool {
    name == "report.md" || name.ends_with(".svg") || name.ends_with(".csv")
}

fn compare(name: &str, files: &Files) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let found: BTreeMap<PathBuf, &str> = files
        .keys()
        .filter(|name| is_golden(name))
        .map(|name| (folder.join(golden_name(name)), text(files, name)))
        .collect();
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        update(&folder, &found);
    }
    let committed: BTreeSet<PathBuf> =
        fs::read_dir(&folder).expect(HOW).map(|entry| entry.unwrap().path()).collect();
    assert!(found.keys().eq(&committed), "other files: {:?}\n{HOW}", found.keys());
    for (path, found) in found {
        let golden = fs::read_to_string(&path).unwrap();
        let lines = found.lines().zip(golden.lines()).zip(1..);
        let differs = lines.into_iter().find(|((found, golden), _)| found != golden);
        assert!(found == golden, "{} differs: {differs:#?}\n{HOW}", path.display());
    }
}

/// The page's links lead to files that have no golden, so those who check links must not take it for a page.
fn golden_name(name: &str) -> String {
    if name.ends_with(".md") { format!("{name}.txt") } else { name.to_string() }
}

fn update(folder: &Path, files: &BTreeMap<PathBuf, &str>) {
    if folder.exists() {
        fs::remove_dir_all(folder).unwrap();
    }
    fs::create_dir_all(folder).unwrap();
    for (path, text) in files {
        fs::write(path, text).unwrap();
    }
}
