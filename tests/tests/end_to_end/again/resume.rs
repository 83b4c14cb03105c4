//! Running a sweep again: finished, grown, shrunk, exchanged, set aside.

use e2e::{Status, Sweep, canonical_files, results, sha256_of, trial_ids};

use crate::env;

const SMALLER: Sweep = Sweep { learning_rates: "[0.05]", ..Sweep::SHORT };

#[test]
fn a_finished_sweep_trains_nothing() {
    let env = env();
    assert_eq!(trial_ids(&env.run(&Sweep::SHORT, &[])).len(), 16);
    // The text tells of the second start.
    let status = || Status { text: String::new(), ..env.status(&Sweep::SHORT) };
    let before = (canonical_files(&env.report(&Sweep::SHORT)), status());
    assert!(trial_ids(&env.run(&Sweep::SHORT, &[])).is_empty());
    let after = (canonical_files(&env.report(&Sweep::SHORT)), status());
    assert_eq!(before, after);
}

#[test]
fn a_grown_sweep_runs_what_is_missing() {
    let from_the_start = env();
    from_the_start.run(&Sweep::SHORT, &[]);

    let env = env();
    let former = trial_ids(&env.run(&SMALLER, &[]));
    let added = trial_ids(&env.run(&Sweep::SHORT, &[]));
    assert_eq!((former.len(), added.len()), (8, 8));
    assert!(former.is_disjoint(&added));
    assert_eq!(
        canonical_files(&env.report(&Sweep::SHORT)),
        canonical_files(&from_the_start.report(&Sweep::SHORT))
    );
}

#[test]
fn a_shrunk_sweep_leaves_recorded_trials_out() {
    let env = env();
    env.run(&Sweep::SHORT, &[]);
    let again = env.run(&SMALLER, &[]);
    assert!(trial_ids(&again).is_empty());
    assert!(
        again.stderr_text().contains("left out of the report: 8 recorded trials"),
        "{again:#?}"
    );
    assert_eq!(results(&env.report(&SMALLER)).len(), 8);
    // They are still there when the file names them again.
    assert!(trial_ids(&env.run(&Sweep::SHORT, &[])).is_empty());
    assert_eq!(results(&env.report(&Sweep::SHORT)).len(), 16);
}

#[test]
fn the_order_in_the_file_does_not_matter() {
    let env = env();
    env.run(&Sweep::SHORT, &[]);
    let csv = env.report(&Sweep::SHORT).join("results.csv");
    let before = sha256_of(&csv);
    let reordered = Sweep {
        optimizers: r#"["backtracking", "sgd"]"#,
        learning_rates: "[0.2, 5e-2]",
        ..Sweep::SHORT
    };
    assert!(trial_ids(&env.run(&reordered, &[])).is_empty());
    assert_eq!(sha256_of(&csv), before);
}

#[test]
fn another_sweep_of_the_same_name_is_refused_until_the_former_is_set_aside() {
    let env = env();
    env.run(&Sweep::SHORT, &[]);
    let report = env.report(&Sweep::SHORT);
    let before = canonical_files(&report);
    let other = Sweep { epochs: 2, ..Sweep::SHORT };

    let refused = env.start(&other, &[]).wait().expect(2).stderr_text();
    assert!(refused.contains("--fresh") && refused.contains("`name`"), "{refused}");
    let unsure = env.start(&other, &["--fresh"]).wait().expect(2).stderr_text();
    assert!(unsure.contains("--yes"), "{unsure}");
    assert_eq!(canonical_files(&report), before);
    assert!(trial_ids(&env.run(&Sweep::SHORT, &[])).is_empty());

    let fresh = env.run(&other, &["--fresh", "--yes"]);
    assert_eq!(trial_ids(&fresh).len(), 16);
    assert!(report.join(".state-1/sweep.db").exists());
    assert_ne!(canonical_files(&report), before);
}

/// The recorded trials validated on other rows than the default of today takes.
#[test]
fn a_state_with_another_split_says_what_to_write() {
    let env = env();
    env.run(&Sweep::SHORT, &[]);
    let text = Sweep::SHORT.to_toml();
    env.write("short.toml", text.replace("train = 500\n", ""));
    let refused = env.start_file("short.toml", &[], &[]).wait().expect(2).stderr_text();
    for words in ["they validated on 100 of its 600", "by default on 120", "--fresh"] {
        assert!(refused.contains(words), "no {words:?} in {refused}");
    }
    assert!(refused.contains("write `train = 500` and `valid = 100` under [dataset]"), "{refused}");
    env.write("short.toml", text.replace("train = 500\n", "train = 500\nvalid = 100\n"));
    assert!(trial_ids(&env.start_file("short.toml", &[], &[]).wait().expect(0)).is_empty());
}
