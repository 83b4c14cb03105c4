//! What comes out: each trial once, counts that agree, divergence as a result, lines for programs.

use std::collections::BTreeSet;
use std::fs;

use e2e::{Sweep, events, finished_event, results, sha256_of, trial_ids};

use crate::env;

#[test]
fn every_trial_is_there_once_and_all_counts_agree() {
    let env = env();
    let ended = env.run(&Sweep::LONG, &["--local-workers", "2"]);
    let report = env.report(&Sweep::LONG);
    let n_trials = Sweep::LONG.n_trials();

    let rows = results(&report);
    let ids: BTreeSet<String> = rows.iter().map(|row| row["trial_id"].clone()).collect();
    assert_eq!((rows.len(), ids.len()), (n_trials, n_trials));
    assert_eq!(trial_ids(&ended), ids);
    let digests: BTreeSet<&String> = rows.iter().map(|row| &row["digest"]).collect();
    assert_eq!(digests.len(), n_trials, "different trials give different bits");

    let status = env.status(&Sweep::LONG);
    let outcomes = (status.n_completed, status.n_diverged, status.n_failed, status.n_waiting);
    assert_eq!(outcomes, (n_trials, 0, 0, 0));
    assert_eq!(finished_event(&ended)["n_completed"], n_trials);
    let manifest = fs::read_to_string(report.join("manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
    assert_eq!(manifest["counts"]["completed"], n_trials);
    assert_eq!(manifest["counts"]["trials"], n_trials);
    let listed = manifest["files"].as_object().expect("the files");
    assert!(5 < listed.len(), "{listed:?}");
    for (name, digest) in listed {
        assert_eq!(*digest, sha256_of(&report.join(name)), "{name}");
    }
    let page = fs::read_to_string(report.join("report.md")).expect("a report");
    assert!(page.contains(&format!("{n_trials} trials")), "{page}");
}

#[test]
fn the_data_set_can_be_learned() {
    let env = env();
    env.run(&Sweep::SHORT, &[]);
    let rows = results(&env.report(&Sweep::SHORT));
    let accuracies = rows.iter().map(|row| row["test_accuracy"].parse::<f64>().expect("a number"));
    let best = accuracies.fold(0.0, f64::max);
    assert!(0.6 < best, "{best} with 4 classes");
}

#[test]
fn diverging_trials_are_results() {
    let env = env();
    let sweep = Sweep { optimizers: r#"["sgd"]"#, learning_rates: "[0.1, 1e30]", ..Sweep::SHORT };
    let ended = env.run(&sweep, &[]);
    let rows = results(&env.report(&sweep));
    let (diverged, completed): (Vec<_>, Vec<_>) =
        rows.iter().partition(|row| row["learning_rate"] != "0.1");
    assert_eq!((diverged.len(), completed.len()), (4, 4));
    for row in diverged {
        assert_eq!(row["outcome"], "diverged");
        assert!(row["test_accuracy"].is_empty() && !row["diverged_step"].is_empty(), "{row:?}");
    }
    assert!(completed.iter().all(|row| row["outcome"] == "completed"));
    let status = env.status(&sweep);
    assert_eq!((status.n_completed, status.n_diverged), (4, 4));
    let event = finished_event(&ended);
    assert_eq!((&event["n_completed"], &event["n_diverged"]), (&4.into(), &4.into()));
}

#[test]
fn programs_read_one_object_a_line() {
    let env = env();
    let ended = env.run(&Sweep::SHORT, &[]);
    let names: BTreeSet<String> = events(&ended)
        .iter()
        .map(|event| event["event"].as_str().expect("each event has its name").to_owned())
        // Others may hold the machine's cores.
        .filter(|name| name != "warning")
        .collect();
    assert_eq!(
        names.into_iter().collect::<Vec<_>>(),
        ["finished", "listening", "progress", "trial"]
    );
    let event = finished_event(&ended);
    assert_eq!(event["results_sha256"], sha256_of(&env.report(&Sweep::SHORT).join("results.csv")));
    let report = event["report"].as_str().expect("a path");
    assert!(env.path(report).is_file(), "{report}");
}

#[test]
fn people_read_the_digest_in_the_last_line() {
    let env = env();
    env.write("short.toml", Sweep::SHORT.to_toml());
    let ended = env.coordinator(&["--sweep", "short.toml", "--listen", "127.0.0.1:0"]).expect(0);
    let digest = sha256_of(&env.report(&Sweep::SHORT).join("results.csv"));
    assert_eq!(ended.stdout.last(), Some(&format!("results sha256: {digest}")));
    assert!(ended.stdout.contains(&"report: reports/short/report.md".to_owned()), "{ended:#?}");
}
