//! The verbs beside a run.

use std::fs;

use e2e::{Sweep, eventually, files_in, results};

use crate::env;

#[test]
fn a_plan_counts_and_starts_nothing() {
    let env = env();
    env.write("long.toml", Sweep::LONG.to_toml());
    let plan = env.coordinator(&["plan", "long.toml"]).expect(0).stdout_text();
    assert!(plan.contains("72 trials"), "{plan}");
    assert!(plan.contains("0.02, 0.1, 0.5"), "{plan}");
    assert!(!env.path("reports").exists());
}

#[test]
fn the_schema_knows_the_keys_of_a_sweep_file() {
    let schema = env().coordinator(&["schema"]).expect(0).stdout_text();
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("JSON");
    let file: toml::Table = Sweep::SHORT.to_toml().parse().expect("TOML");
    for key in file.keys() {
        assert!(schema["properties"][key].is_object(), "{key}");
    }
}

#[test]
fn a_report_is_built_again_byte_for_byte() {
    let env = env();
    env.run(&Sweep::SHORT, &[]);
    let report = env.report(&Sweep::SHORT);
    let before = files_in(&report);
    for name in ["report.md", "manifest.json", "timings.parquet", "results.csv"] {
        assert!(before.contains_key(name), "{name}");
    }
    assert!(before.keys().any(|name| name.ends_with(".svg")));
    for name in before.keys() {
        fs::remove_file(report.join(name)).expect("it can be removed");
    }
    let said = env.coordinator(&["report", "reports/short"]).expect(0).stdout_text();
    assert_eq!(files_in(&report), before);
    assert!(said.contains(&before["results.csv"]), "{said}");
}

#[test]
fn without_a_state_a_report_is_refused_and_stays() {
    let env = env();
    env.run(&Sweep::SHORT, &[]);
    let report = env.report(&Sweep::SHORT);
    fs::remove_dir_all(report.join(".state")).expect("it can be removed");
    let before = files_in(&report);
    for verb in ["report", "status"] {
        let refused = env.coordinator(&[verb, "reports/short"]).expect(1).stderr_text();
        assert!(refused.contains("no recorded state") && refused.contains("--state"), "{refused}");
    }
    assert_eq!(files_in(&report), before);
    assert!(!report.join(".state").exists() && !report.join("partial").exists());
    env.coordinator(&["report", "reports/nothing"]).expect(2);
    assert!(!env.path("reports/nothing").exists());
}

/// As many as the progress counts: a worker holds more than it has slots for.
#[test]
fn what_waits_at_a_worker_is_not_said_to_run() {
    let env = env();
    let long = Sweep { epochs: 10, n_seeds: 900, ..Sweep::LONG };
    let coordinator = env.start(&long, &["--local-slots", "2"]);
    coordinator.wait_for_trials(40);
    let has_queue = || {
        let text = env.status(&long).text;
        text.contains(" there for a slot\n").then_some(text)
    };
    let text = eventually("trials that wait at their worker", has_queue);
    coordinator.kill();
    let n_running = text.lines().find_map(|it| it.strip_prefix(" running ")).expect("a count");
    let n_running: usize = n_running.trim().parse().expect("a count");
    assert!(n_running <= 2, "{text}");
    assert!(text.matches("\n local-0  ").count() <= 3, "two rows, and that of the worker: {text}");
}

#[test]
fn a_running_sweep_can_be_looked_at() {
    let env = env();
    let coordinator = env.start(&Sweep::ENDLESS, &[]);
    coordinator.wait_for_trials(1);
    let status = env.status(&Sweep::ENDLESS);
    assert!(status.text.contains("of 72 trials done, running"), "{}", status.text);
    assert_ne!(status.n_completed, 0);
    assert!(status.text.contains(" to go\n"), "{}", status.text);
    assert!(status.text.contains("\nwith workers now\n worker   trial "), "{}", status.text);
    assert!(status.text.contains("\n local-0  "), "{}", status.text);
    env.coordinator(&["report", "reports/endless"]).expect(0);
    let report = env.report(&Sweep::ENDLESS);
    let page = fs::read_to_string(report.join("partial/report.md")).expect("a partial report");
    assert!(page.contains("partial, "), "{page}");
    assert!(!report.join("report.md").exists());
}

#[test]
fn the_state_can_lie_elsewhere() {
    let env = env();
    env.run(&Sweep::SHORT, &["--state", "elsewhere"]);
    assert!(env.path("elsewhere/sweep.db").exists());
    assert!(!env.report(&Sweep::SHORT).join(".state").exists());
    env.coordinator(&["status", "reports/short"]).expect(1);
    env.coordinator(&["status", "reports/short", "--state", "elsewhere"]).expect(0);
    env.coordinator(&["report", "reports/short", "--state", "elsewhere"]).expect(0);
}

#[test]
fn a_recorded_trial_can_be_trained_again() {
    let env = env();
    env.run(&Sweep::SHORT, &[]);
    let report = env.report(&Sweep::SHORT);
    fs::remove_dir_all(report.join(".state")).expect("it can be removed");
    let row = results(&report).swap_remove(5);
    let replay = |trial: &str| env.coordinator(&["replay", "reports/short", trial, "--from", "."]);
    for trial in [&row["trial_id"][..12], "best"] {
        let told = replay(trial).expect(0).stdout_text();
        assert!(told.contains("equal to the recorded one"), "{told}");
    }
    replay("no-such-trial").expect(2);

    let csv = fs::read_to_string(report.join("results.csv")).expect("results");
    let wrong = csv.replace(&row["digest"], &"0".repeat(64));
    fs::write(report.join("results.csv"), wrong).expect("it can be written");
    let told = replay(&row["trial_id"]).expect(1).stderr_text();
    assert!(told.contains(&row["digest"]) && told.contains(&"0".repeat(64)), "{told}");
}

#[test]
fn a_file_or_a_folder_in_the_wrong_place_gets_a_hint() {
    let env = env();
    env.run(&Sweep::SHORT, &[]);
    let told = |arguments: &[&str], code| env.coordinator(arguments).expect(code).stderr_text();
    for (arguments, code, words) in [
        (&["short.toml"][..], 2, "`coordinator --sweep short.toml`"),
        (&["--local-workers", "0", "short.toml"], 2, "`--sweep short.toml`"),
        (&["reports/short"], 2, "`coordinator status reports/short`"),
        (&["--sweep", "reports/short"], 2, "reports/short/sweep.toml"),
        (&["--sweep", "."], 2, "short.toml"),
        (&["plan", "short"], 2, "did you mean short.toml?"),
        (&["start", "short.toml"], 2, "`coordinator --sweep short.toml`"),
        (&["status", "short.toml"], 2, "`coordinator status reports/short`"),
        (
            &["replay", "reports/short/results.csv", "best"],
            2,
            "`coordinator replay reports/short best`",
        ),
        (&["report", "reports/short/.state/sweep.db"], 2, "`coordinator report reports/short`"),
        (&["verify", "reports"], 2, "`coordinator verify reports/short`"),
        (&["export", "short"], 2, "`coordinator export reports/short`"),
        (
            &["export", "reports/short", "optuna"],
            2,
            "`coordinator export reports/short --format optuna`",
        ),
        (&["replay", "reports/short"], 2, "`coordinator replay reports/short best`"),
        (&["status"], 2, "`coordinator status reports/short`"),
        (&["127.0.0.1:7070"], 2, "`worker --coordinator http://127.0.0.1:7070`"),
    ] {
        let told = told(arguments, code);
        assert!(told.contains(words), "{arguments:?}: {told}");
    }
}

/// A few trials are enough to see that everything is measured, and that a killed coordinator is
/// started again.
#[test]
fn a_bench_of_dispatch_has_the_keys_that_programs_read() {
    let line = "bench dispatch --trials 600 --workers 2 --slots 10 --kill-at 200 --output json";
    let words: Vec<&str> = line.split(' ').collect();
    let said = env().coordinator(&words).expect(0).stdout_text();
    let json: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let number = |key: &str| json[key].as_f64().unwrap_or_else(|| panic!("{key} in {said}"));
    for key in ["trials_per_second", "sync_p50_ms", "rss_mb", "start_s"] {
        assert!(0.0 < number(key), "{key} in {said}");
    }
    assert!(json.get("recovery_s").is_some(), "{said}");
    assert!(0.0 <= number("coordinator_cpu_ms_per_trial"));
    assert!(number("sync_p50_ms") <= number("sync_p99_ms"));
    // No worker is granted more at once than its slots and the places of its queue.
    assert!(600.0 / 266.0 <= number("n_syncs"), "{said}");
}
