//! Frames at the sizes that terminals have, and at some that they should not have.

use std::time::Duration;

use sweep::{Objective, Score};

use crate::view::snapshot::{Best, StandingWarning};
use crate::view::terminal::frame::*;

fn snapshot(n_running: usize) -> Snapshot {
    let trial = |seed: usize| RunningTrial {
        label: format!("backtracking 0.046415888336127774 b128 256-128-64 dropout 0.2 seed {seed}"),
        epoch: 3,
        n_epochs: 10,
        valid_accuracy: Some(0.5),
        ..RunningTrial::default()
    };
    Snapshot {
        n_trials: 270,
        n_done: 135,
        n_running,
        n_left: 135 - n_running,
        n_diverged: 1,
        eta: Some(Duration::from_secs(187)),
        best: Some(Best {
            metric: Objective::VALID_ACCURACY,
            score: Score { accuracy: 0.97812, loss: 0.1 },
            label: "sgd 0.05 b32 256-128 seed 1".into(),
        }),
        running: (0..n_running).map(trial).collect(),
        ..Snapshot::default()
    }
    .with_workers([WorkerLoad { name: "local-0".into(), n_busy: 2, n_slots: 2 }])
}

fn shown(n_running: usize, columns: usize, rows: usize) -> Vec<String> {
    frame(&snapshot(n_running), Size { columns, rows }, false)
}

#[test]
fn all_is_there_at_80_columns() {
    let expected = "\n\
        ━━━━━━━━━━━━━━━━━──────────────────  135 of 270 trials  50 %  about 3m07s to go\n\
        2 running, 133 left, 1 diverged   busy slots: local-0 2/2\n\
        best single trial: 97.81 % with sgd 0.05 b32 256-128 seed 1\n  \
        backtracking 0.0464 b128 … seed 0  ━━━━──────────   3/10 epochs   50.00 %\n  \
        backtracking 0.0464 b128 … seed 1  ━━━━──────────   3/10 epochs   50.00 %";
    assert_eq!(shown(2, 80, 24).join("\n"), expected);
}

#[test]
fn labels_are_whole_where_there_is_room() {
    let lines = shown(2, 200, 50);
    assert!(lines[4].contains("b128 256-128-64 dropout 0.2 seed 0  ━"), "{lines:#?}");
    assert!(!lines.concat().contains('…'), "{lines:#?}");
}

/// Eight trials with long names that differ in two axes in the middle.
fn crowd() -> Snapshot {
    let trial = |i: usize| RunningTrial {
        label: format!(
            "nesterov 0.046415888336127774 b128 256-128-64 momentum 0.{} weight_decay 0.00{} dropout 0.2 label_smoothing 0.1 seed 1",
            i % 4 + 5,
            i / 4 + 1
        ),
        epoch: 3,
        n_epochs: 10,
        valid_accuracy: Some(0.5),
        ..RunningTrial::default()
    };
    let mut snapshot = snapshot(8);
    snapshot.running = (0..8).map(trial).collect();
    snapshot.best.as_mut().expect("a best trial").label = trial(0).label;
    snapshot
}

#[test]
fn what_tells_trials_apart_is_never_cut() {
    for (columns, first) in [
        (40, "  m 0.5 w 0.001  "),
        (80, "  … momentum 0.5 weight_decay 0.001 …  ━━━━─"),
        (
            120,
            "  nesterov 0.0464 b128 256-128-64 momentum 0.5 weight_decay 0.001 dropout 0.2 …  ━━━━─",
        ),
    ] {
        let lines = frame(&crowd(), Size { columns, rows: 24 }, false);
        let rows: Vec<&String> = lines.iter().filter(|line| line.contains(" epochs  ")).collect();
        assert!(rows[0].starts_with(first), "{columns}: {rows:#?}");
        let n_different = rows.iter().collect::<std::collections::BTreeSet<_>>().len();
        assert_eq!((rows.len(), n_different), (8, 8), "{columns}: {rows:#?}");
    }
}

#[test]
fn the_best_trial_is_whole_where_there_is_room() {
    let shown = |columns, rows| frame(&crowd(), Size { columns, rows }, false).join("\n");
    let best = "best single trial: 97.81 % with nesterov 0.046415888336127774 b128 256-128-64";
    assert!(shown(80, 24).contains(&format!("{best}\nmomentum 0.5")), "{}", shown(80, 24));
    assert!(shown(80, 24).contains("label_smoothing 0.1 seed 1\n"), "{}", shown(80, 24));
    assert!(shown(200, 50).contains("label_smoothing 0.1 seed 1\n"), "{}", shown(200, 50));
    assert_eq!(shown(80, 8).matches("best single").count(), 1);
    assert!(shown(80, 8).contains('…'), "{}", shown(80, 8));
}

#[test]
fn no_size_is_exceeded() {
    for columns in [0, 1, 5, 20, 40, 79, 80, 120, 200, 1_000] {
        for rows in [0, 1, 2, 3, 5, 10, 24, 50, 300] {
            for n_running in [0, 1, 2, 12, 64] {
                let mut snapshot = snapshot(n_running);
                let text = "a long warning ".repeat(20);
                snapshot.warnings =
                    vec![StandingWarning { worker: None, text, since: Duration::ZERO }; 3];
                for snapshot in [snapshot, self::snapshot(n_running)] {
                    let lines = frame(&snapshot, Size { columns, rows }, false);
                    assert!(lines.len() <= rows.max(1), "{columns} {rows}: {lines:#?}");
                    let fits = |line: &String| width_of(line) < columns.max(1);
                    assert!(lines.iter().all(fits), "{columns} {rows}: {lines:#?}");
                }
            }
        }
    }
}

#[test]
fn each_running_trial_has_a_line_or_is_counted() {
    for n_running in [0, 1, 2, 12, 40] {
        let lines = shown(n_running, 120, 24);
        let n_rows = lines.iter().filter(|line| line.contains("epochs")).count();
        let n_counted: usize = lines.last().map_or(0, |line| {
            let count = line.trim().strip_prefix("and ").and_then(|it| it.split(' ').next());
            count.map_or(0, |count| count.parse().expect("a number"))
        });
        assert_eq!(n_rows + n_counted, n_running, "{lines:#?}");
    }
}

#[test]
fn a_warning_stays_whole_and_above_the_trials() {
    let mut snapshot = snapshot(1);
    let text =
        "node-7 cannot write to its cache folder, and its results wait there: disk full".into();
    snapshot.warnings =
        vec![StandingWarning { worker: None, text, since: Duration::from_secs(75) }];
    let lines = frame(&snapshot, Size { columns: 60, rows: 24 }, false);
    assert_eq!(lines[4], "! node-7 cannot write to its cache folder, and its results");
    assert_eq!(lines[5], "wait there: disk full (for 1m15s)");
    assert!(lines[6].contains("seed 0"), "{lines:#?}");
}

#[test]
fn done_and_open_parts_differ_with_and_without_colors() {
    let lines = frame(&snapshot(1), Size { columns: 80, rows: 24 }, true);
    assert!(lines[1].starts_with("\x1b[32m━"), "{lines:?}");
    assert!(lines[1].contains("━\x1b[0m\x1b[2m─"), "{lines:?}");
    assert!(!shown(1, 80, 24).concat().contains('\x1b'));
}

#[test]
fn names_a_few_workers_and_counts_the_rest() {
    let worker = |i: usize| WorkerLoad { name: format!("w{i}"), n_busy: 1, n_slots: 2 };
    let workers: Vec<_> = (0..6).map(worker).collect();
    assert_eq!(name_workers(&[], 0), "no worker");
    assert_eq!(name_workers(&workers[..1], 1), "busy slots: w0 1/2");
    assert_eq!(name_workers(&workers, 6), "busy slots: w0 1/2  w1 1/2  w2 1/2  w3 1/2  and 2 more");
    assert!(name_workers(&workers, 10_000).ends_with("w3 1/2  and 9996 more"));
}
