//! A trial that takes its workers down: given up in the end, told, and tried again on request.

use std::fs;

use e2e::{
    Env, Signal, Status, Sweep, eventually, finished_event, printed_commands, rows, trial_ids,
};

use crate::env;

/// Never over while a test looks.
const ONE_TRIAL: Sweep = Sweep {
    name: "one",
    widths: "[512, 256]",
    optimizers: r#"["sgd"]"#,
    learning_rates: "[0.1]",
    batch_sizes: "[16]",
    depths: "[2]",
    epochs: 10_000,
    n_seeds: 1,
    more: "",
};

const FLAGS: [&str; 4] = ["--local-slots", "1", "--crash-limit", "1"];

/// Nothing else runs on the worker that it takes down, so that the first loss is held against it.
#[test]
fn a_trial_that_kills_its_workers_is_given_up() {
    let env = env();
    let coordinator = env.start(&ONE_TRIAL, &FLAGS);
    // From here on it has a state.
    coordinator.url();
    wait_for(&env, |status| status.n_attempts == 1);
    for pid in coordinator.local_workers() {
        e2e::send(pid, Signal::KILL);
    }
    let ended = coordinator.wait().expect(3);
    assert!(
        ended.stdout_text().contains("1 worker was lost while it trained this trial alone; the last one ended: signal: 9 (SIGKILL), as when the system is out of memory"),
        "the cause is told: {ended:#?}"
    );
    let event = finished_event(&ended);
    assert_eq!(event["n_failed"], 1);
    assert!(event["results_sha256"].is_null());
    let report = env.report(&ONE_TRIAL);
    let page = fs::read_to_string(report.join("report.md")).expect("a report");
    let at_the_end = printed_commands(&page).pop().expect("a command");
    assert_eq!(at_the_end, "coordinator --sweep one.toml");
    assert!(report.join("results-incomplete.csv").exists(), "every trial has its outcome");
    assert!(!report.join("results.csv").exists() && !report.join("partial").exists());
    let told = env.coordinator(&["verify", "reports/one"]).expect(0).stdout_text();
    assert!(told.contains("ids of 1 trial against") && told.contains("all is well"), "{told}");
    let failed = &rows(&report.join("results-incomplete.csv"))[0];
    assert_eq!(failed["outcome"], "failed");
    let replay = ["replay", "reports/one", &failed["trial_id"], "--from", "."];
    let refused = env.coordinator(&replay).expect(1).stderr_text();
    assert!(refused.contains("has no result to compare with"), "{refused}");

    let status = env.coordinator(&["status", "reports/one"]).expect(0).stdout_text();
    assert!(
        status.starts_with("one: 0 of 1 trial done, 1 failed, ended; --retry-failed"),
        "{status}"
    );
    let again = env.start(&ONE_TRIAL, &FLAGS).wait().expect(3);
    assert!(trial_ids(&again).is_empty(), "a failed trial waits to be asked for");
    let retried = env.start_pasted(event["resume_with"].as_str().expect("a command"));
    retried.url();
    let told = retried.in_stderr("line on what is resumed", |lines| {
        lines.iter().find(|line| line.starts_with("resuming")).cloned()
    });
    let expected = "resuming: 1 of 1 trial recorded, 1 to run, 1 of them failed before";
    assert_eq!(told, expected);
    wait_for(&env, |status| status.n_attempts == 2 && status.n_failed == 0);
    retried.kill();
    // The report still says failed, which was true when it was written.
    env.coordinator(&["verify", "reports/one"]).expect(0);
    assert!(page.contains("failed ones with `--retry-failed` beside it"), "{page}");
    let beside_it = format!("{at_the_end} --retry-failed --local-workers 0 --time-limit 100ms");
    env.paste(&beside_it).expect(130);
}

fn wait_for(env: &Env, mut is_so: impl FnMut(&Status) -> bool) {
    eventually("a change of the status", || is_so(&env.status(&ONE_TRIAL)).then_some(()));
}
