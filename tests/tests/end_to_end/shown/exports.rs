//! `export` and `replay --save`: the same from a state and from a report's tables, whole or not at
//! all, and never over something that is there. Other tools read them in the tests of `readers`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use e2e::{Sweep, results, sha256_of};

use crate::env;

/// The lines of a journal without the times of day, which the tables of a report do not tell.
fn timeless(journal: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(journal).expect("a journal");
    let timeless = |line: &str| {
        let mut entry: serde_json::Value = serde_json::from_str(line).expect("JSON");
        for key in ["datetime_start", "datetime_complete"] {
            entry.as_object_mut().expect("an object").remove(key);
        }
        entry
    };
    text.lines().map(timeless).collect()
}

/// Every file below a folder, with its SHA-256.
fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below it").display().to_string();
                files.insert(name, sha256_of(&path));
            }
        }
    }
    files
}

#[test]
fn a_report_gives_what_its_state_gives() {
    let env = env();
    // Some trials diverge and some confirm others, so that every kind of row is there.
    let sweep =
        Sweep { learning_rates: "[0.1, 1e30]", more: "[confirm]\nseeds = 3\n", ..Sweep::SHORT };
    let n_confirm = 2 * 3;
    env.run(&sweep, &[]);
    let report = env.report(&sweep);
    for format in ["tensorboard", "optuna"] {
        let told = env.coordinator(&["export", "reports/short", "--format", format]).expect(0);
        assert!(told.stdout_text().contains("export: reports/short/export/"), "{told:#?}");
    }
    let from_state = tree(&report.join("export"));
    let n_files = sweep.n_trials() + n_confirm + 2;
    assert_eq!(from_state.len(), n_files, "a run a trial, their table, the journal");
    let journal = report.join("export/optuna.log");
    let from_state_lines = timeless(&journal);
    let text = fs::read_to_string(&journal).expect("a journal");
    assert!(text.contains(r#"{"study:metric_names":["valid_accuracy"]}"#), "{text}");
    assert!(text.contains("\"datetime_start\":\"20"), "times of day: {text}");
    let state = report.join(".state");
    fs::rename(&state, env.path("elsewhere")).expect("it can be moved");
    fs::remove_dir_all(report.join("export")).expect("it can be removed");
    for format in ["tensorboard", "optuna"] {
        env.coordinator(&["export", "reports/short", "--format", format]).expect(0);
    }
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&tree(&report.join("export"))), names(&from_state));
    assert_eq!(timeless(&journal), from_state_lines);

    let refused = env.coordinator(&["export", "reports/short"]).expect(1).stderr_text();
    assert!(refused.contains("no recorded state") && refused.contains("--state"), "{refused}");
    env.coordinator(&["export", "reports/short", "--state", "elsewhere"]).expect(0);
    env.coordinator(&["status", "reports/short", "--state", "elsewhere"]).expect(0);
}

#[test]
fn a_running_sweep_can_be_copied() {
    let env = env();
    let coordinator = env.start(&Sweep::ENDLESS, &[]);
    coordinator.wait_for_trials(2);
    env.coordinator(&["export", "reports/endless", "--to", "copy/sweep.db"]).expect(0);
    let journal = ["export", "reports/endless", "--format", "optuna", "--to", "journal.log"];
    env.coordinator(&journal).expect(0);
    coordinator.kill();
    let names: Vec<_> = fs::read_dir(env.path("copy")).expect("a folder").flatten().collect();
    assert_eq!(names.len(), 1, "one plain file: {names:?}");
    let told = env.coordinator(&["status", "reports/endless", "--state", "copy"]).expect(0);
    assert!(told.stdout_text().contains("of 72 trials done, stopped"), "{told:#?}");
    env.coordinator(&["verify", "reports/endless", "--state", "copy"]).expect(0);
    let journal = fs::read_to_string(env.path("journal.log")).expect("a journal");
    assert!(journal.lines().any(|line| line.contains("\"op_code\":4")), "{journal}");
}

#[test]
fn an_export_is_replaced_by_force_and_nothing_else_is() {
    let env = env();
    env.run(&Sweep::SHORT, &[]);
    env.write("notes", "mine");
    fs::create_dir(env.path("folder")).expect("a folder can be made");
    env.write("folder/events.out.tfevents.0.sweep", "a look-alike beside something else");
    env.write("folder/thesis.tex", "mine");
    for format in ["sqlite", "tensorboard", "optuna"] {
        let line = ["export", "reports/short", "--format", format, "--to", format];
        env.coordinator(&line).expect(0);
        let before = tree(&env.path("."));
        env.coordinator(&line).expect(2);
        env.coordinator(&[&line[..], &["--force"]].concat()).expect(0);
        assert_eq!(before.len(), tree(&env.path(".")).len(), "nothing is left beside it");
        for to in ["notes", "folder", "data"] {
            let line = ["export", "reports/short", "--format", format, "--to", to, "--force"];
            let refused = env.coordinator(&line).expect(2).stderr_text();
            assert!(refused.contains("no former export") && refused.contains(to), "{refused}");
        }
    }
    assert_eq!(fs::read_to_string(env.path("notes")).expect("it is there"), "mine");
    assert!(env.path("folder/thesis.tex").exists());
    let copy = ["export", "reports/short", "--follow"];
    let refused = env.coordinator(&copy).expect(2).stderr_text();
    assert!(refused.contains("--force"), "{refused}");
}

#[test]
fn a_running_sweep_is_followed() {
    let env = env();
    let coordinator = env.start(&Sweep::ENDLESS, &[]);
    coordinator.wait_for_trials(1);
    for format in ["tensorboard", "optuna"] {
        let line = ["export", "reports/endless", "--format", format];
        env.coordinator(&line).expect(0);
    }
    let journal = env.report(&Sweep::ENDLESS).join("export/optuna.log");
    let runs = env.report(&Sweep::ENDLESS).join("export/tensorboard");
    let first = fs::read_to_string(&journal).expect("a journal");
    let n_first = tree(&runs).len();
    coordinator.wait_for_trials(4);
    coordinator.kill();
    // Half a line of one that was killed while it followed.
    fs::write(&journal, format!("{first}{{\"op_code\":4,\"stu")).expect("it can be written");
    for _ in 0..2 {
        for format in ["tensorboard", "optuna"] {
            env.coordinator(&["export", "reports/endless", "--format", format, "--follow"])
                .expect(0);
        }
        let grown = fs::read_to_string(&journal).expect("a journal");
        assert!(grown.starts_with(&first) && first.len() < grown.len(), "it only grows");
        let trials = timeless(&journal);
        let ids: Vec<&str> =
            trials.iter().filter_map(|line| line["user_attrs"]["trial_id"].as_str()).collect();
        let once: std::collections::BTreeSet<&&str> = ids.iter().collect();
        assert!(ids.len() >= 4 && once.len() == ids.len(), "each trial once: {ids:?}");
        assert!(n_first < tree(&runs).len(), "runs were added");
        assert_eq!(tree(&runs).len(), ids.len() + 1, "a run a trial, and their table");
    }
}

#[test]
fn what_is_there_stays() {
    let env = env();
    env.run(&Sweep::SHORT, &[]);
    env.write("taken", "mine");
    fs::create_dir(env.path("folder")).expect("a folder can be made");
    for format in ["sqlite", "tensorboard", "optuna"] {
        for to in ["taken", "folder"] {
            let line = ["export", "reports/short", "--format", format, "--to", to];
            let refused = env.coordinator(&line).expect(2).stderr_text();
            assert!(refused.contains("exists already") && refused.contains("--to"), "{refused}");
        }
    }
    let best = ["replay", "reports/short", "best", "--from", ".", "--save", "taken"];
    let refused = env.coordinator(&best).expect(2).stderr_text();
    assert!(refused.contains("exists already"), "{refused}");
    assert_eq!(fs::read_to_string(env.path("taken")).expect("it is there"), "mine");
    assert!(fs::read_dir(env.path("folder")).expect("a folder").next().is_none());
}

/// A copy of a state is one.
#[test]
fn a_copy_is_taken_as_a_state() {
    let env = env();
    env.run(&Sweep::SHORT, &[]);
    let line = ["export", "reports/short", "--format", "sqlite", "--to", "copy.db"];
    env.coordinator(&line).expect(0);
    fs::remove_dir_all(env.path("reports/short/.state")).expect("it can be removed");
    for verb in ["status", "verify", "report"] {
        env.coordinator(&[verb, "reports/short", "--state", "copy.db"]).expect(0);
    }
}

#[test]
fn wrong_usage_of_exports() {
    let env = env();
    let refused = env.coordinator(&["export", "reports/short", "--format", "csv"]).expect(2);
    assert!(refused.stderr_text().contains("tensorboard"), "{refused:#?}");
    for format in ["sqlite", "tensorboard", "optuna"] {
        let line = ["export", "reports/nothing", "--format", format];
        let refused = env.coordinator(&line).expect(2).stderr_text();
        assert!(refused.contains("reports/nothing"), "{refused}");
    }
    env.write("reports", "a file, not a folder");
    let line = ["export", "reports", "--format", "optuna"];
    env.coordinator(&line).expect(2);
    assert_eq!(
        fs::read_to_string(env.path("reports")).expect("it is there"),
        "a file, not a folder"
    );
}

#[test]
fn a_damaged_report_is_not_said_to_be_none() {
    let env = env();
    env.run(&Sweep::SHORT, &[]);
    fs::remove_dir_all(env.path("reports/short/.state")).expect("it can be removed");
    for (file, damaged) in [
        ("history.parquet", &b"PAR1"[..]),
        ("results.csv", b"\xff\xfe"),
        ("sweep.toml", b"name = "),
        ("manifest.json", b"{"),
    ] {
        let path = env.path("reports/short").join(file);
        let whole = fs::read(&path).expect("a file of the report");
        fs::write(&path, damaged).expect("it can be written");
        for format in ["tensorboard", "optuna"] {
            let line = ["export", "reports/short", "--format", format];
            let told = env.coordinator(&line).expect(1).stderr_text();
            assert!(!told.contains("neither"), "{file}: {told}");
            assert!(told.contains(file), "{file}: {told}");
            assert!(told.contains("`coordinator verify reports/short`"), "{file}: {told}");
        }
        fs::write(&path, whole).expect("it can be written");
    }
    env.coordinator(&["export", "reports/short", "--format", "optuna"]).expect(0);
}

#[test]
fn saved_weights_have_the_shapes_of_the_network() {
    let env = env();
    env.run(&Sweep::SHORT, &[]);
    let rows = results(&env.report(&Sweep::SHORT));
    let row = rows.iter().find(|row| row["hidden"] == "32-16").expect("a deep one");
    let id = &row["trial_id"];
    let line = ["replay", "reports/short", id, "--from", ".", "--save", "w.safetensors"];
    env.coordinator(&line).expect(0);
    let bytes = fs::read(env.path("w.safetensors")).expect("weights");
    let (length, rest) = bytes.split_first_chunk().expect("a length");
    let length = u64::from_le_bytes(*length) as usize;
    let header: serde_json::Value = serde_json::from_slice(&rest[..length]).expect("JSON");
    let shapes = [
        ("layers.0.weight", vec![144, 32]),
        ("layers.0.bias", vec![32]),
        ("layers.1.weight", vec![32, 16]),
        ("layers.2.weight", vec![16, 4]),
        ("layers.2.bias", vec![4]),
    ];
    for (name, shape) in shapes {
        assert_eq!(header[name]["shape"], serde_json::json!(shape), "{header}");
    }
    assert_eq!(header["__metadata__"]["trial_id"], **id);
    assert_eq!(header["__metadata__"]["digest"], row["digest"]);
    assert_eq!(header["__metadata__"]["best_epoch"], row["best_epoch"]);
    let n_numbers = 144 * 32 + 32 + 32 * 16 + 16 + 16 * 4 + 4;
    assert_eq!(rest.len() - length, 4 * n_numbers);
}

#[test]
fn a_diverged_trial_has_no_weights_to_save() {
    let env = env();
    let sweep = Sweep { optimizers: r#"["sgd"]"#, learning_rates: "[1e30]", ..Sweep::SHORT };
    env.run(&sweep, &[]);
    let id = &results(&env.report(&sweep))[0]["trial_id"];
    let line = ["replay", "reports/short", id, "--from", ".", "--save", "w.safetensors"];
    let ended = env.coordinator(&line).expect(1);
    assert!(ended.stderr_text().contains("diverged"), "{ended:#?}");
    assert!(ended.stdout.is_empty(), "it was trained first: {ended:#?}");
    assert!(!env.path("w.safetensors").exists());
}

/// Nothing trains for an outcome that has no place.
#[test]
fn a_place_that_takes_no_file_is_told_before_anything_trains() {
    let env = env();
    env.run(&Sweep::SHORT, &[]);
    env.write("file", "");
    for (path, code, words) in [
        ("file/w.safetensors", 1, "cannot be written"),
        ("/proc/w.safetensors", 1, "cannot be written"),
        ("new/", 2, "expected the path of a new file"),
    ] {
        let line = ["replay", "reports/short", "best", "--from", ".", "--save", path];
        let ended = env.coordinator(&line).expect(code);
        assert!(ended.stderr_text().contains(words), "{ended:#?}");
        assert!(ended.stdout.is_empty(), "it was trained first: {ended:#?}");
    }
    let run = ["--sweep", "short.toml", "--out", "/proc", "--state", "elsewhere"];
    let ended = env.coordinator(&run).expect(1);
    let told = ended.stderr_text();
    assert!(told.contains("/proc/short: the report cannot be written there: "), "{told}");
    assert!(!env.path("elsewhere").exists(), "something was started");
}
