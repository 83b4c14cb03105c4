//! What a report's tables say can be read back: the trials come out as they went in.

use std::path::Path;

use report::input::{Failure, State};
use report::{Manifest, ReportError, Told, read_results, read_trials, results_csv};
use trial::{Ending, Value};

use crate::built::{build, text};
use crate::sample::{Shape, input};
use crate::whole::small;

fn shape() -> Shape {
    Shape { learning_rates: vec![0.1, 1.0], n_epochs: 2, n_seeds: 2, ..Shape::usual() }
}

fn manifest(folder: &Path) -> Manifest {
    let text = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn trials_come_back_as_they_went_in() {
    let mut input = input(&shape());
    let State::Done(done) = &mut input.trials[3].state else { panic!("it is done") };
    done.ending = Ending::Diverged { step: 3, last_finite_loss: None };
    done.history.clear();
    let folder = tempfile::tempdir().unwrap();
    report::build(&input, folder.path()).unwrap();
    let trials = read_trials(folder.path(), &manifest(folder.path()), &input.layout).unwrap();
    assert_eq!(trials, input.trials);
    let csv = std::fs::read(folder.path().join("results.csv")).unwrap();
    assert_eq!(results_csv(&input.layout, &trials).unwrap(), csv);
}

#[test]
fn trials_without_a_result_come_back_but_for_their_cause() {
    let mut input = input(&shape());
    input.trials[1].state = State::Cancelled;
    input.trials[2].state = State::Open;
    input.trials[3].state =
        State::Failed(Some(Failure { cause: "no memory".into(), n_attempts: 3 }));
    let folder = tempfile::tempdir().unwrap();
    report::build(&input, folder.path()).unwrap();
    let manifest = manifest(folder.path());
    assert_eq!(manifest.results_csv(), "results-incomplete.csv");
    let trials = read_trials(folder.path(), &manifest, &input.layout).unwrap();
    input.trials[3].state = State::Failed(None);
    assert_eq!(trials, input.trials);
    let csv = std::fs::read(folder.path().join("results-incomplete.csv")).unwrap();
    assert_eq!(results_csv(&input.layout, &trials).unwrap(), csv);
}

#[test]
fn damage_is_told_with_its_place() {
    let input = input(&shape());
    let folder = tempfile::tempdir().unwrap();
    report::build(&input, folder.path()).unwrap();
    let manifest = manifest(folder.path());
    let path = folder.path().join("results.csv");
    let good = std::fs::read_to_string(&path).unwrap();
    let read_with = |text: &str| {
        std::fs::write(&path, text).unwrap();
        read_trials(folder.path(), &manifest, &input.layout).unwrap_err().to_string()
    };
    let error = read_with(&good.replacen(",grid,", ",gird,", 1));
    assert!(
        error.ends_with("results.csv:2: phase is \"gird\", expected grid or confirm"),
        "{error}"
    );
    let error = read_with(&good.replacen("grid,", "", 2));
    assert!(error.contains("results.csv:2: "), "{error}");
    let error = read_with(&good.replacen(",seed,", ",seeds,", 1));
    assert!(error.ends_with("results.csv:1: there is no column seed"), "{error}");
    std::fs::write(&path, good).unwrap();
    std::fs::write(folder.path().join("history.parquet"), "no table").unwrap();
    let error = read_trials(folder.path(), &manifest, &input.layout).unwrap_err();
    assert!(matches!(error, ReportError::Changed { .. }), "{error}");
}

#[test]
fn a_quoted_cell_is_one_cell() {
    let input = input(&shape());
    let folder = tempfile::tempdir().unwrap();
    report::build(&input, folder.path()).unwrap();
    let manifest = manifest(folder.path());
    let path = folder.path().join("results.csv");
    let good = std::fs::read_to_string(&path).unwrap();
    let (header, rows) = good.split_once('\n').unwrap();
    let rows = rows.replacen(",sgd,", ",\"a, \"\"b\"\"\r\nc\",", 1);
    let of_name =
        |name| input.layout.parameters.iter().position(|column| column.name == name).unwrap();
    for line_end in ["\n", "\r\n"] {
        let rows = rows.replace('\n', line_end).replace("\r\r", "\r");
        std::fs::write(&path, [header, line_end, &rows].concat()).unwrap();
        let trials = read_results(folder.path(), &manifest, &input.layout).unwrap();
        let changed = Value::Text("a, \"b\"\r\nc".into());
        let mut expected = input.trials.clone();
        let changed_row =
            trials.iter().position(|it| it.values.contains(&Some(changed.clone()))).unwrap();
        expected[changed_row].values[of_name("optimizer")] = Some(changed);
        let values = |trials: &[report::input::Trial]| {
            trials.iter().map(|it| it.values.clone()).collect::<Vec<_>>()
        };
        assert_eq!(values(&trials), values(&expected));
        // The line of a row is that of its beginning, whatever lines the cells before it have.
        let last = rows.trim_end().rfind(",grid,").unwrap();
        let wrong = [&rows[..last], ",gird,", &rows[last + ",grid,".len()..]].concat();
        std::fs::write(&path, [header, line_end, &wrong].concat()).unwrap();
        let error = read_results(folder.path(), &manifest, &input.layout).unwrap_err().to_string();
        let line = 2 + rows[..last].matches('\n').count();
        let place = format!("results.csv:{line}: phase is");
        assert!(error.contains(&place), "{place}: {error}");
    }
}

/// With the tables' trials and what the page tells, the same report comes out again.
#[test]
fn what_a_page_tells_completes_its_tables() {
    let mut awkward = input(&small());
    awkward.provenance.workers[0].name = "a|b, *c* <d> & \"e\"".into();
    awkward.provenance.workers[0].cpu = "CPU @ 2.6 GHz www.x.y: 1.".into();
    awkward.provenance.n_attempts = 12_345;
    awkward.data.warnings = vec!["class 3 trains, but `never` validates: 2 < 3".into()];
    awkward.trials[3].state =
        State::Failed(Some(Failure { cause: "it *broke* | at https://x.y".into(), n_attempts: 3 }));
    for (mut input, n_conflicts) in [(input(&small()), 0), (awkward, 2)] {
        input.provenance.n_conflicts = n_conflicts;
        let (_, files) = build(&input);
        let mut again = input.clone();
        for trial in &mut again.trials {
            if matches!(trial.state, State::Failed(_)) {
                trial.state = State::Failed(None);
            }
        }
        let (page, version) = (text(&files, "report.md"), &input.provenance.version);
        let numerics_version = input.provenance.numerics_version;
        let told = report::read_told(page, version, numerics_version, &mut again.trials);
        let Told { warnings, provenance } = told.expect("a page of this version");
        again.data.warnings = warnings;
        again.provenance = provenance;
        let (_, built) = build(&again);
        for (name, bytes) in &files {
            assert!(built[name] == *bytes, "{name}");
        }
    }
    let mut trials = input(&small()).trials;
    assert!(report::read_told("# A page\n", "0.1.0", 2, &mut trials).is_none());
}
