//! `[confirm]`: the best points again with fresh seeds, whatever disturbs the run.

use std::collections::BTreeMap;
use std::fs;
use std::sync::OnceLock;

use e2e::{Row, Sweep, canonical_files, ctrl_c, files_in, finished_event, results, trial_ids};

use crate::env;

/// 32 trials of the grid, then 6 of each optimizer's best point.
const CONFIRMED: Sweep = Sweep {
    name: "confirmed",
    epochs: 50,
    n_seeds: 2,
    more: "[confirm]\nseeds = 6\n",
    ..Sweep::SHORT
};
const N_CONFIRM: usize = 12;
const ONE_SLOT: [&str; 2] = ["--local-slots", "1"];

/// The canonical files of an undisturbed run.
fn reference() -> &'static BTreeMap<&'static str, String> {
    static REFERENCE: OnceLock<BTreeMap<&'static str, String>> = OnceLock::new();
    REFERENCE.get_or_init(|| {
        let env = env();
        env.run(&CONFIRMED, &ONE_SLOT);
        canonical_files(&env.report(&CONFIRMED))
    })
}

fn of_phase<'r>(rows: &'r [Row], phase: &str) -> Vec<&'r Row> {
    rows.iter().filter(|row| row["phase"] == phase).collect()
}

#[test]
fn the_best_point_of_each_optimizer_runs_again_with_fresh_seeds() {
    let env = env();
    let ended = env.run(&CONFIRMED, &ONE_SLOT);
    assert_eq!(trial_ids(&ended).len(), CONFIRMED.n_trials() + N_CONFIRM);
    assert_eq!(finished_event(&ended)["n_trials"], CONFIRMED.n_trials() + N_CONFIRM);
    assert!(ended.stderr_text().contains("12 trials to follow"), "{}", ended.stderr_text());

    let report = env.report(&CONFIRMED);
    let page = fs::read_to_string(report.join("report.md")).expect("a report");
    assert!(page.contains("of the confirm seeds 1000001 to 1000006 alone"), "{page}");

    let rows = results(&report);
    assert_eq!(of_phase(&rows, "grid").len(), CONFIRMED.n_trials());
    for optimizer in ["sgd", "backtracking"] {
        let best = best_of_grid(&rows, optimizer);
        let confirmed: Vec<&Row> = of_phase(&rows, "confirm")
            .into_iter()
            .filter(|row| row["optimizer"] == optimizer)
            .collect();
        let seeds: Vec<&str> = confirmed.iter().map(|row| row["seed"].as_str()).collect();
        let expected: Vec<String> = (1_000_001..=1_000_006).map(|seed| seed.to_string()).collect();
        assert_eq!(seeds, expected);
        assert!(confirmed.iter().all(|row| point(row) == best), "{best:?}");
        // They stand behind the rows of the grid that they share their point with.
        let places: Vec<usize> =
            (0..rows.len()).filter(|&place| point(&rows[place]) == best).collect();
        assert_eq!(places.len(), 8);
        assert!(places.windows(2).all(|pair| pair[1] == pair[0] + 1), "{places:?}");
    }
}

const POINT: [&str; 4] = ["optimizer", "learning_rate", "batch_size", "hidden"];

fn point(row: &Row) -> [&str; 4] {
    POINT.map(|column| row[column].as_str())
}

/// By the rule of the sweep file, worked out from the rows alone.
fn best_of_grid<'r>(rows: &'r [Row], optimizer: &str) -> [&'r str; 4] {
    let mut sums: BTreeMap<[&str; 4], (f64, f64)> = BTreeMap::new();
    for row in of_phase(rows, "grid").into_iter().filter(|row| row["optimizer"] == optimizer) {
        assert_eq!(row["outcome"], "completed");
        let number = |column: &str| row[column].parse::<f64>().expect("a number");
        let (accuracy, loss) = sums.entry(point(row)).or_default();
        *accuracy += number("best_valid_accuracy");
        *loss += number("best_valid_loss");
    }
    let rank = |(_, a): &(_, (f64, f64)), (_, b): &(_, (f64, f64))| {
        // Sums of the same counts in another order may differ in their last bit.
        let by_accuracy = if (a.0 - b.0).abs() < 1e-9 { 0.0 } else { b.0 - a.0 };
        by_accuracy.total_cmp(&0.0).then(a.1.total_cmp(&b.1))
    };
    sums.into_iter().min_by(rank).expect("a point").0
}

#[test]
fn more_slots_give_the_same_bytes() {
    let env = env();
    env.run(&CONFIRMED, &["--local-slots", "2"]);
    assert_eq!(&canonical_files(&env.report(&CONFIRMED)), reference());
}

#[test]
fn a_coordinator_killed_before_and_while_it_confirms_goes_on() {
    let env = env();
    let n_grid = CONFIRMED.n_trials();
    let mut n_recorded = 0;
    for n_trials in [n_grid - 2, n_grid + 3] {
        let coordinator = env.start(&CONFIRMED, &ONE_SLOT);
        coordinator.wait_for_trials(n_trials - n_recorded);
        coordinator.kill();
        let status = env.status(&CONFIRMED);
        assert!(n_trials <= status.n_completed, "{}", status.text);
        n_recorded = status.n_completed;
    }
    assert!(n_recorded < n_grid + N_CONFIRM, "killed too late");
    let again = env.start(&CONFIRMED, &ONE_SLOT).wait().expect(0);
    let told = again.stderr_text();
    assert!(told.contains(&format!("resuming: {n_recorded} of 44 trials recorded")), "{told}");
    assert_eq!(trial_ids(&again).len(), n_grid + N_CONFIRM - n_recorded);
    assert_eq!(&canonical_files(&env.report(&CONFIRMED)), reference());
}

#[test]
fn remote_workers_stay_from_the_grid_to_the_last_confirm_trial() {
    let env = env();
    let coordinator = env.start(&CONFIRMED, &["--local-workers", "0", "--sync-every", "300ms"]);
    let url = coordinator.url();
    let workers = ["first", "second"].map(|name| env.start_worker(&url, name));
    coordinator.wait().expect(0);
    for worker in workers {
        let joined = worker.wait().expect(0).stderr_text();
        assert_eq!(joined.matches(" joined http").count(), 1, "{joined}");
    }
    assert_eq!(&canonical_files(&env.report(&CONFIRMED)), reference());
}

#[test]
fn a_stopped_confirm_phase_leaves_a_partial_report_and_goes_on() {
    let env = env();
    let coordinator = env.start(&CONFIRMED, &ONE_SLOT);
    coordinator.wait_for_trials(CONFIRMED.n_trials() + 2);
    coordinator.signal(ctrl_c());
    let stopped = coordinator.wait().expect(130);
    assert!(finished_event(&stopped)["resume_with"].is_string(), "{stopped:#?}");
    let partial = env.report(&CONFIRMED).join("partial");
    let page = fs::read_to_string(partial.join("report.md")).expect("a partial report");
    assert!(page.contains("of 44)"), "{page}");
    env.run(&CONFIRMED, &ONE_SLOT);
    assert_eq!(&canonical_files(&env.report(&CONFIRMED)), reference());
}

#[test]
fn a_finished_one_trains_nothing_and_its_report_and_trials_can_be_had_again() {
    let env = env();
    env.run(&CONFIRMED, &ONE_SLOT);
    let report = env.report(&CONFIRMED);
    assert!(trial_ids(&env.run(&CONFIRMED, &ONE_SLOT)).is_empty());
    let before = files_in(&report);
    env.coordinator(&["report", "reports/confirmed"]).expect(0);
    assert_eq!(files_in(&report), before);
    let rows = results(&report);
    let confirmed = of_phase(&rows, "confirm")[3];
    let replay = ["replay", "reports/confirmed", &confirmed["trial_id"][..12], "--from", "."];
    let told = env.coordinator(&replay).expect(0).stdout_text();
    assert!(told.contains("seed 1000004") && told.contains("equal to the recorded one"), "{told}");
}

#[test]
fn a_changed_file_runs_what_its_own_choice_lacks() {
    let env = env();
    let fewer = Sweep { more: "[confirm]\nseeds = 2\n", ..CONFIRMED };
    env.run(&Sweep { learning_rates: "[0.05]", ..fewer }, &ONE_SLOT);
    // The grid grows, and another point may be the best: what is recorded of it is not run again.
    let grown = env.run(&fewer, &ONE_SLOT);
    let told = grown.stderr_text();
    assert!(told.contains("which may choose other points: 4 recorded confirm trials"), "{told}");
    // More seeds run the missing ones alone.
    assert_eq!(trial_ids(&env.run(&CONFIRMED, &ONE_SLOT)).len(), N_CONFIRM - 4);
    assert_eq!(&canonical_files(&env.report(&CONFIRMED)), reference());
    // Without the section they are none of the sweep's.
    let without = env.run(&Sweep { more: "", ..CONFIRMED }, &ONE_SLOT);
    let told = without.stderr_text();
    assert!(trial_ids(&without).is_empty() && told.contains("outside the sweep file"), "{told}");
    assert_eq!(results(&env.report(&CONFIRMED)).len(), CONFIRMED.n_trials());
}
