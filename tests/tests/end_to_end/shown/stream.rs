//! The stream of `--output json` as a program reads it, against the page that describes it.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use e2e::{Env, Sweep, events, finished_event, results};
use serde_json::Value;

use crate::env;

const PAGE: &str = include_str!("../../../../coordinator/STREAM.md");

/// The fields that the page gives for an event.
fn documented(event: &str) -> BTreeSet<String> {
    let start = PAGE.find(&format!("\n## `{event}`\n")).unwrap_or_else(|| panic!("no {event}"));
    let section = PAGE[start + 4..].split("\n## ").next().expect("a section");
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = cells.flat_map(|line| line.split(" | ").next().expect("a cell").split(", "));
    let mut names: BTreeSet<String> = names.map(|name| name.replace('`', "")).collect();
    names.extend(["version".to_owned(), "event".to_owned()]);
    names
}

#[track_caller]
fn assert_documented(event: &Value) {
    let name = event["event"].as_str().expect("a name");
    let fields: BTreeSet<String> = event.as_object().expect("an object").keys().cloned().collect();
    assert_eq!(fields, documented(name), "{event}");
    assert_eq!(event["version"], 1);
}

#[test]
fn every_event_of_a_run_is_as_documented() {
    let env = env();
    let ended = env.run(&Sweep::SHORT, &[]);
    let events = events(&ended);
    events.iter().for_each(assert_documented);
    let first = &events[0];
    assert_eq!((&first["event"], &first["name"]), (&"listening".into(), &"short".into()));
    assert_eq!(first["n_trials"], 16);
    assert!(ended.stderr_text().contains(first["url"].as_str().expect("a text")));
    assert!(events.iter().any(|event| event["event"] == "progress"));
    finished_event(&ended);
}

#[test]
fn a_trial_says_what_its_row_of_the_table_says() {
    let env = env();
    let ended = env.run(&Sweep::SHORT, &[]);
    let rows = results(&env.report(&Sweep::SHORT));
    let trials: Vec<Value> =
        events(&ended).into_iter().filter(|event| event["event"] == "trial").collect();
    assert_eq!(trials.len(), rows.len());
    for trial in &trials {
        let id = trial["trial_id"].as_str().expect("an id");
        let row = rows.iter().find(|row| row["trial_id"] == id).expect("a row");
        let text = |key: &str| trial[key].to_string().replace('"', "");
        for key in ["seed", "outcome", "phase", "best_epoch", "digest"] {
            assert_eq!(text(key), row[key], "{key} of {trial}");
        }
        let number = |value: &Value| value.as_f64().expect("a number");
        let cell = |key: &str| row[key].parse::<f64>().expect("a number");
        assert_eq!(number(&trial["test_accuracy"]), cell("test_accuracy"));
        assert_eq!(number(&trial["valid_accuracy"]), cell("best_valid_accuracy"));
        assert_eq!(number(&trial["valid_loss"]), cell("best_valid_loss"));
        let keys = &trial["hyperparameters"];
        assert_eq!(keys["optimizer"], row["optimizer"].as_str());
        assert_eq!(number(&keys["learning_rate"]), cell("learning_rate"));
        assert_eq!((&trial["worker"], &trial["attempt"]), (&"local-0".into(), &1.into()));
    }
}

#[test]
fn a_warning_for_people_is_one_for_programs() {
    let env = env();
    let arguments = ["--listen", "0.0.0.0:0", "--insecure-plaintext"];
    let events = events(&env.run(&Sweep::SHORT, &arguments));
    assert_eq!(events[0]["event"], "listening");
    let warning = events.iter().find(|event| event["event"] == "warning").expect("a warning");
    assert_documented(warning);
    assert!(warning["text"].as_str().is_some_and(|it| it.contains("no encryption")), "{warning}");
}

#[test]
fn what_could_not_start_is_an_error_of_the_stream() {
    let env = env();
    env.write("bad.toml", Sweep::SHORT.to_toml().replace("epochs =", "epoch ="));
    let last = |arguments: &[&str]| {
        let ended = env.coordinator(arguments).expect(2);
        let event = events(&ended).pop().expect("an event");
        assert_eq!((&event["event"], &event["exit_code"]), (&"error".into(), &2.into()));
        assert_documented(&event);
        assert!(!ended.stderr.is_empty());
        event
    };
    let event = last(&["--sweep", "bad.toml", "--output", "json"]);
    assert_eq!(event["kind"], "sweep_file");
    let problem = &event["problems"][0];
    assert_eq!((&problem["line"], &problem["column"]), (&13.into(), &1.into()), "{event}");
    assert!(problem["help"].as_str().is_some_and(|help| help.contains("epochs")), "{event}");
    assert_eq!(last(&["--sweep", "none.toml", "--output", "json"])["kind"], "usage");
    let event = last(&["--sweep", "bad.toml", "--output=json", "--lease-ttl", "1s"]);
    assert!(event["message"].as_str().is_some_and(|it| it.contains("--sync-every")), "{event}");
}

/// A coordinator whose stdout is `stdout` stops in good order, and the same command goes on.
fn stops_and_goes_on(env: &Env, redirection: &str) {
    env.write("long.toml", Sweep::LONG.to_toml());
    let line = format!(
        "\"$0\" --sweep long.toml --output json --listen 127.0.0.1:0 2> words {redirection}"
    );
    let mut command = Command::new("bash");
    command.args(["-o", "pipefail", "-c", &line, env!("CARGO_BIN_EXE_e2e-coordinator")]);
    command.env("NO_COLOR", "1").stdin(std::process::Stdio::null());
    let status = command.current_dir(env.path(".")).status().expect("bash");
    let words = fs::read_to_string(env.path("words")).expect("words");
    assert_eq!(status.code(), Some(1), "{words}");
    assert!(words.contains("standard output"), "{words}");
    assert!(words.contains("--sweep long.toml"), "{words}");
    assert!(!words.contains("panicked"), "{words}");
    let status = env.status(&Sweep::LONG);
    assert_ne!(status.n_waiting, 0, "{}", status.text);
    assert_eq!(status.n_lost, 0, "{}", status.text);
    env.run(&Sweep::LONG, &[]);
    crate::reference::assert_same(env);
}

#[test]
fn a_full_disk_behind_the_stream_stops_the_run_in_good_order() {
    stops_and_goes_on(&env(), "> /dev/full");
}

#[test]
fn a_reader_that_goes_away_stops_the_run_in_good_order() {
    stops_and_goes_on(&env(), "| head -n 3 > /dev/null");
}

#[test]
fn a_verb_that_cannot_be_read_is_an_error_and_a_short_reader_is_none() {
    let env = env();
    env.write("long.toml", Sweep::LONG.to_toml());
    let run = |redirection: &str| {
        let line = format!("\"$0\" plan long.toml {redirection}");
        let mut command = Command::new("bash");
        command.args(["-o", "pipefail", "-c", &line, env!("CARGO_BIN_EXE_e2e-coordinator")]);
        command.current_dir(env.path(".")).output().expect("bash")
    };
    let full = run("> /dev/full");
    assert_eq!(full.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&full.stderr).contains("cannot write to standard output"));
    let short = run("| head -n 1");
    assert_eq!((short.status.code(), short.stderr.as_slice()), (Some(0), &b""[..]));
}
