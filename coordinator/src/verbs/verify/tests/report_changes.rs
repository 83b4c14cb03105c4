//! Each field of the report's trials, and each part of its manifest.

use std::fs;

use report::input::{Done, State};
use serde_json::{Value, json};
use trial::known::{
    GRAD_SAMPLES, GRADIENT_NORM, LEARNING_RATE, N_BACKTRACKS, PROBE_SAMPLES, TRAIN_ACCURACY,
    TRAIN_LOSS, VALID_ACCURACY, VALID_LOSS,
};
use trial::{Digest, Ending, StepSizes};

use super::site::{Site, assert_is_prose};
use crate::reporting::report_folder::{ReportFolder, read_manifest};
use crate::verbs::verify::findings::Findings;
use crate::verbs::verify::state;

type Change = fn(&mut Done);

/// Every column of the three tables, as a plausible change of one trial that completed.
const FIELDS: [(&str, Change); 33] = [
    ("test_accuracy", |done| {
        if let Ending::Completed { test_accuracy, .. } = &mut done.ending {
            *test_accuracy = Some(1.0);
        }
    }),
    ("best_epoch", |done| {
        if let Ending::Completed { best_epoch, .. } = &mut done.ending {
            *best_epoch = *best_epoch % 3 + 1;
        }
    }),
    ("collapsed", |done| {
        if let Ending::Completed { collapsed, .. } = &mut done.ending {
            *collapsed = !*collapsed;
        }
    }),
    ("outcome", |done| done.ending = Ending::Diverged { step: 20, last_finite_loss: Some(1.0) }),
    ("n_steps", |done| done.work.n_steps += 1),
    ("grad_samples", |done| done.work.grad_samples += 1),
    ("probe_samples", |done| done.work.probe_samples += 1),
    ("macs_textbook", |done| done.work.macs_textbook += 1),
    ("macs_executed", |done| done.work.macs_executed += 1),
    ("backtracks_mean", |done| done.work.backtracks.as_mut().unwrap().mean += 0.1),
    ("backtracks_p95", |done| done.work.backtracks.as_mut().unwrap().p95 += 40),
    ("backtracks_max", |done| done.work.backtracks.as_mut().unwrap().max += 40),
    ("backtracks", |done| done.work.backtracks = None),
    ("steps_without_step", |done| done.work.steps_without_step += 100),
    ("digest", |done| done.digest = Digest([0xab; 32])),
    ("epoch", |done| done.history[1].epoch = 7),
    ("epochs", |done| done.history.truncate(2)),
    ("train_loss", |done| done.history[1][TRAIN_LOSS] *= 1.01),
    ("train_accuracy", |done| done.history[1][TRAIN_ACCURACY] = 0.99),
    ("valid_loss", |done| done.history[0][VALID_LOSS] *= 1.01),
    ("valid_accuracy", |done| done.history[1][VALID_ACCURACY] += 1e-9),
    ("learning_rate", |done| done.history[1][LEARNING_RATE] *= 1.01),
    ("step_min", |done| {
        let steps = StepSizes { min: 0.01, median: 0.0, max: 0.02 };
        StepSizes::put(Some(steps), &mut done.history[1]);
    }),
    ("n_backtracks", |done| done.history[1][N_BACKTRACKS] += 1),
    ("gradient_norm", |done| done.history[1][GRADIENT_NORM] *= 1.01),
    ("grad_samples of an epoch", |done| done.history[1][GRAD_SAMPLES] += 1),
    ("probe_samples of an epoch", |done| done.history[1][PROBE_SAMPLES] += 1),
    ("wall_s", |done| done.timings[1].wall_s += 0.5),
    ("cpu_s", |done| done.timings[1].cpu_s += 0.25),
    ("worker", |done| done.timings[1].worker = "other".into()),
    ("isa", |done| done.timings[1].isa = "other".into()),
    ("attempt", |done| done.timings[1].attempt += 1),
    ("slots_in_use", |done| done.timings[1].n_slots_in_use += 1),
];

/// What the files of a report alone cannot tell, each with the reason.
const UNKNOWN_WITHOUT_STATE: [(&str, &str); 11] = [
    ("test_accuracy", "any share of the test set"),
    ("digest", "of a completed trial it covers weights that are not stored"),
    ("train_loss", "any loss"),
    ("valid_loss", "any loss that leaves the best epoch the best"),
    ("gradient_norm", "any norm"),
    ("wall_s", "any time"),
    ("cpu_s", "any time within the epoch's"),
    ("worker", "what a worker calls itself"),
    ("isa", "what a worker says of itself"),
    ("attempt", "the attempt that brought a result is in no table"),
    ("slots_in_use", "any number of slots"),
];

#[test]
fn each_changed_field_of_a_report_is_found_beside_its_state() {
    let site = Site::new();
    let manifest = read_manifest(&site.report).unwrap();
    for (name, change) in FIELDS {
        let mut committed = ReportFolder::read(&site.report, &manifest).unwrap();
        let is_search = |done: &Done| done.work.backtracks.is_some() && done.history.len() == 3;
        let done = committed.trials.iter_mut().find_map(|trial| match &mut trial.state {
            State::Done(done) if is_search(done) => Some(done),
            _ => None,
        });
        change(done.expect("a line search that completed"));
        let mut findings = Findings::default();
        state::check(&site.report, &site.state(), Some(&committed), &mut findings).unwrap();
        assert!(!findings.wrong.is_empty(), "{name} is not found beside the state");
        findings
            .wrong
            .iter()
            .chain(&committed.breaches(&manifest))
            .for_each(|it| assert_is_prose(it));
        let is_known = !UNKNOWN_WITHOUT_STATE.iter().any(|(unknown, _)| *unknown == name);
        let breaches = committed.breaches(&manifest);
        assert_eq!(breaches.is_empty(), !is_known, "{name} without the state: {breaches:?}");
    }
}

/// Writes a file and makes the manifest agree, as somebody would who means it.
pub fn forge(site: &Site, name: &str, bytes: &[u8]) {
    fs::write(site.report.join(name), bytes).unwrap();
    let path = site.report.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let digest = Digest::of(bytes).to_string();
    manifest["files"][name] = json!(digest);
    if name == "results.csv" {
        manifest["results_sha256"] = json!(digest);
    }
    fs::write(path, serde_json::to_vec_pretty(&manifest).unwrap()).unwrap();
}

#[test]
fn each_changed_cell_of_the_results_is_found_without_the_state() {
    let site = Site::new();
    let csv = fs::read_to_string(site.report.join("results.csv")).unwrap();
    let header: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    for (at, name) in header.iter().enumerate() {
        let mut lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
        let (former, other) = (lines[1][at], lines.last().unwrap()[at]);
        lines[1][at] = if former == other { "7" } else { other };
        let lines: Vec<String> = lines.iter().map(|cells| cells.join(",")).collect();
        forge(&site, "results.csv", (lines.join("\n") + "\n").as_bytes());
        let wrong = site.wrong(true, false);
        assert!(!wrong.is_empty(), "a changed {name} is not found");
    }
}

#[test]
fn a_digest_that_is_none_is_found_without_the_state() {
    let site = Site::new();
    let csv = fs::read_to_string(site.report.join("results.csv")).unwrap();
    let at = csv.lines().next().unwrap().split(',').position(|name| name == "digest").unwrap();
    let digest = csv.lines().nth(1).unwrap().split(',').nth(at).unwrap();
    for other in ["none", &digest[1..], &format!("{digest}0"), &digest.to_uppercase()] {
        forge(&site, "results.csv", csv.replacen(digest, other, 1).as_bytes());
        let wrong = site.wrong(true, false);
        assert!(wrong.iter().any(|line| line.contains("results.csv")), "{other}: {wrong:?}");
    }
}

#[test]
fn tables_that_do_not_belong_together_are_found_without_the_state() {
    for (name, other) in [
        ("history.parquet", "timings.parquet"),
        ("results.parquet", "history.parquet"),
        ("timings.parquet", "results.parquet"),
    ] {
        let site = Site::new();
        let bytes = fs::read(site.report.join(other)).unwrap();
        forge(&site, name, &bytes);
        let wrong = site.wrong(true, false);
        assert!(wrong.iter().any(|line| line.contains(name)), "{name}: {wrong:?}");
    }
}

#[test]
fn pages_and_files_of_another_report_are_found() {
    let site = Site::new();
    let page = fs::read_to_string(site.report.join("report.md")).unwrap();
    forge(&site, "report.md", page.replacen("# small", "# other", 1).as_bytes());
    let wrong = site.wrong(true, false);
    assert!(wrong.iter().any(|line| line.starts_with("report.html: lacks")), "{wrong:?}");

    let site = Site::new();
    forge(&site, "report.md", (page + "\n![x](none.svg)\n").as_bytes());
    let wrong = site.wrong(true, false);
    assert!(wrong.iter().any(|line| line.contains("shows none.svg")), "{wrong:?}");

    let site = Site::new();
    fs::write(site.report.join("results-incomplete.csv"), "of before").unwrap();
    let wrong = site.wrong(true, false);
    assert!(wrong.iter().any(|line| line.contains("not of this report")), "{wrong:?}");

    let site = Site::new();
    let partial = site.report.join("partial");
    fs::create_dir(&partial).unwrap();
    for name in ["manifest.json", "report.md"] {
        fs::copy(site.report.join(name), partial.join(name)).unwrap();
    }
    let wrong = site.wrong(true, false);
    assert!(wrong.iter().any(|line| line.starts_with("partial/")), "{wrong:?}");
}

/// The document once for each of its leaves with another value there, by its path; a list by its
/// first element.
pub fn changed_leaves(document: &Value) -> Vec<(String, Value)> {
    fn walk(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
        let below =
            |name: &str| if path.is_empty() { name.into() } else { format!("{path}.{name}") };
        match value {
            Value::Object(map) => {
                for (name, value) in map {
                    let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
                    let mut inner = Vec::new();
                    walk(value, &below(name), &mut inner);
                    found.extend(inner.into_iter().map(|(p, at)| (p, format!("{pointer}{at}"))));
                }
            }
            Value::Array(list) if !list.is_empty() => {
                found.push((format!("{path}[0]"), "/0".into()));
            }
            _ => found.push((path.into(), String::new())),
        }
    }
    let mut leaves = Vec::new();
    walk(document, "", &mut leaves);
    let changed = |(path, pointer): (String, String)| {
        let mut changed = document.clone();
        let leaf = changed.pointer_mut(&pointer).unwrap();
        *leaf = match &*leaf {
            Value::String(text) => json!(format!("{text}x")),
            Value::Number(number) if number.is_f64() => {
                json!(number.as_f64().unwrap() * 0.5 + 0.01)
            }
            Value::Number(number) => json!(number.as_u64().unwrap() + 1),
            Value::Bool(flag) => json!(!flag),
            _ => json!("x"),
        };
        (path, changed)
    };
    leaves.into_iter().map(changed).collect()
}

#[test]
fn each_changed_part_of_the_manifest_is_found() {
    let site = Site::new();
    let path = site.report.join("manifest.json");
    let manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (name, changed) in changed_leaves(&manifest) {
        fs::write(&path, serde_json::to_string_pretty(&changed).unwrap() + "\n").unwrap();
        for has_state in [true, false] {
            let wrong = site.wrong(true, has_state);
            assert!(!wrong.is_empty(), "{name}, beside the state: {has_state}");
        }
    }
}
