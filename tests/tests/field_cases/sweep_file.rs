//! Sweep files: keys that nothing uses, conditional axes, rates beyond all reason, fine ranges.

use std::fs;

use e2e::{Env, canonical_files, results, sha256_of};

use crate::env;

/// A sweep over the generated data with these lines under `[train]` and `[[grid]]`.
fn file(name: &str, train: &str, grid: &str) -> String {
    format!(
        "name = \"{name}\"\n[dataset]\nformat = \"idx\"\npath = \"data\"\ntrain = 500\n\
         [train]\nepochs = 2\n{train}[[grid]]\n{grid}"
    )
}

/// Refused by both verbs at a place, in these words, and nothing is made.
#[track_caller]
fn assert_refused(env: &Env, text: &str, place: &str, words: &[&str]) {
    env.write("bad.toml", text);
    for arguments in [&["plan", "bad.toml"][..], &["--sweep", "bad.toml"]] {
        let ended = env.coordinator(arguments).expect(2);
        let stderr = ended.stderr_text();
        for word in words.iter().copied().chain([format!("bad.toml:{place}\n").as_str()]) {
            assert!(stderr.contains(word), "no {word:?} in {stderr}");
        }
        assert!(!stderr.contains("panicked") && ended.stdout.is_empty(), "{stderr}");
    }
    assert!(!env.path("reports").exists());
}

/// `thtrieu/darkflow#867`: `momentum = 0.9` beside an optimizer that has none trained without a word
/// as if it were not there. Refused, with the optimizer that was meant.
#[test]
fn momentum_of_sgd_is_refused() {
    let env = env();
    let grid = "optimizer = [\"sgd\"]\nlearning_rate = [0.1]\nbatch_size = [32]\nhidden = [[16]]\n";
    let words = [
        "`momentum` has no effect",
        "sgd does not use it",
        "did you mean the optimizer `momentum`",
    ];
    assert_refused(&env, &file("m", "momentum = 0.9\n", grid), "8:1", &words);
    assert_refused(&env, &file("m", "", &format!("{grid}momentum = [0.9]\n")), "13:1", &words);
    assert_refused(&env, &file("m", "", &format!("{grid}momentum = [0.5, 0.9]\n")), "13:1", &words);
    let widths = file("w", "", grid).replace("[train]", "[model]\nwidths = [32, 16]\n[train]");
    assert_refused(&env, &widths, "7:1", &["`widths` has no effect", "remove one of the two"]);
}

/// `microsoft/nni#1355`, `wandb/wandb#1787`: a parameter that only some choices have must neither
/// multiply the others nor be refused; the sweep can be resumed, grow, and write its report again.
#[test]
fn conditional_axes_multiply_only_those_that_use_them() {
    let env = env();
    let grid = "optimizer = [\"sgd\", \"momentum\"]\nlearning_rate = [0.05, 0.1]\nbatch_size = [50]\nhidden = [[8]]\nmomentum = [0.5, 0.9]\n";
    env.write("c.toml", file("c", "", grid));
    let plan = env.coordinator(&["plan", "c.toml"]).expect(0).stdout_text();
    assert!(plan.contains("6 trials"), "{plan}");
    assert!(plan.contains("momentum is not used by sgd: 2 copies"), "{plan}");
    let ended = env.start_file("c.toml", &[], &[]).wait().expect(0);
    let told = "dropped: momentum is not used by sgd: 2 copies";
    assert!(ended.stderr_text().contains(told), "{ended:#?}");
    let report = env.path("reports/c");
    let rows = results(&report);
    assert_eq!(rows.len(), 6);
    assert!(rows.iter().all(|row| (row["optimizer"] == "sgd") == row["momentum"].is_empty()));

    // Deleted reports come back from the state, and more values run only what is missing.
    let before = canonical_files(&report);
    for entry in fs::read_dir(&report).expect("a folder").flatten() {
        if entry.path().is_file() {
            fs::remove_file(entry.path()).expect("it is ours");
        }
    }
    env.coordinator(&["report", "reports/c"]).expect(0);
    assert_eq!(canonical_files(&report), before);
    env.write("c.toml", file("c", "", &grid.replace("[0.5, 0.9]", "[0.5, 0.9, 0.99]")));
    let grown = env.start_file("c.toml", &[], &[]).wait().expect(0).stderr_text();
    assert!(grown.contains("resuming: 6 of 8 trials recorded, 2 to run\n"), "{grown}");
    assert_eq!(results(&report).len(), 8);
}

/// `scikit-learn/scikit-learn#12332`: optimizers at rates beyond all reason failed with warnings of
/// overflow or gave nonsense. Each trial ends as a result, completed or diverged.
#[test]
fn nine_optimizers_at_rates_up_to_1e300_end_as_results() {
    let env = env();
    let grid = "optimizer = [\"sgd\", \"momentum\", \"nesterov\", \"adam\", \"adamw\", \"rmsprop\", \"lion\", \"backtracking\", \"sls\"]\n\
                learning_rate = { log = [1e3, 1e300], n = 4 }\nbatch_size = [50]\nhidden = [[8]]\n";
    env.write("r.toml", file("r", "", grid));
    let stderr = env.start_file("r.toml", &[], &[]).wait().expect(0).stderr_text();
    assert!(!stderr.contains("panicked"), "{stderr}");
    let rows = results(&env.path("reports/r"));
    assert_eq!(rows.len(), 36);
    let n_diverged = rows.iter().filter(|row| row["outcome"] == "diverged").count();
    assert!(n_diverged >= 12, "{n_diverged} diverged");
    assert!(rows.iter().all(|row| ["diverged", "completed"].contains(&&*row["outcome"])));
}

/// `openshift-psap/auto-tuning-vllm#81`: values of a range were rounded to a fixed number of digits,
/// so that fine steps became one value.
#[test]
fn fine_ranges_keep_their_values_apart() {
    let env = env();
    let grid = "optimizer = [\"sgd\"]\nlearning_rate = { linear = [0.1, 0.1000004], n = 5 }\nbatch_size = [50]\nhidden = [[8]]\n";
    env.write("f.toml", file("f", "", grid));
    let plan = env.coordinator(&["plan", "f.toml"]).expect(0).stdout_text();
    assert!(plan.contains("0.1, 0.1000001, 0.1000002, 0.1000003, 0.1000004"), "{plan}");
    assert!(!plan.contains("twice"), "{plan}");
}

/// `thtrieu/darkflow#867` again: a sweep that was recorded with such a key stays readable, and goes on
/// once the key is gone, because it never was part of a trial.
#[test]
fn a_key_without_effect_can_be_removed_from_a_recorded_sweep() {
    let env = env();
    let grid = "optimizer = [\"sgd\"]\nlearning_rate = [0.1]\nbatch_size = [50]\nhidden = [[8]]\n";
    env.write("k.toml", file("k", "", grid));
    env.start_file("k.toml", &[], &[]).wait().expect(0);
    let csv = env.path("reports/k/results.csv");
    let before = sha256_of(&csv);
    // As if it had stood there from the start.
    let recorded = file("k", "momentum = 0.9\n", grid);
    fs::write(env.path("reports/k/sweep.toml"), &recorded).expect("it is ours");
    env.coordinator(&["replay", "reports/k", "best", "--from", "."]).expect(0);
    env.write("k.toml", file("k", "", grid));
    let again = env.start_file("k.toml", &[], &[]).wait().expect(0).stderr_text();
    assert!(again.contains("resuming: 1 of 1 trial recorded, 0 to run"), "{again}");
    assert_eq!(sha256_of(&csv), before);
}
