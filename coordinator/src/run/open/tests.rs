//! Sweeps that a former build began, with what this one refuses.

use std::fs;

use coordinator_core::event::{CloseCause, Record, WorkerInfo};
use coordinator_core::lease::{Lease, OpenLease, TrialIndex, WorkerId};
use sweep::SweepFile;

use super::*;
use crate::cli::{Cli, Command};
use crate::run::prepare::{Missing, plan_recorded_file, plan_run};

/// A folder with four IDX files of two classes.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    for (part, n) in [("train", 50_u8), ("t10k", 10)] {
        let images = [&[0, 0, 8, 3, 0, 0, 0, n, 0, 0, 0, 1, 0, 0, 0, 2][..]];
        let pixels: Vec<u8> = (0..2 * n).map(|at| at.wrapping_mul(37)).collect();
        let labels: Vec<u8> = (0..n).map(|row| row % 2).collect();
        let images = [images[0], &pixels].concat();
        let labels = [&[0, 0, 8, 1, 0, 0, 0, n][..], &labels].concat();
        fs::write(data.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
        fs::write(data.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
    }
    folder
}

/// No trial of three epochs can stop early by this patience, which is part of its id.
const SWEEP: &str = "name = \"s\"\n[dataset]\nformat = \"idx\"\npath = \"data\"\n[train]\nepochs = 3\n\
    patience = 5\n[[grid]]\noptimizer = [\"sgd\"]\nlearning_rate = [0.1, 0.2]\nbatch_size = [8]\n\
    hidden = [[4]]\n";

fn run_in(folder: &Path, text: &str, more: &[&str]) -> RunConfig {
    let file = folder.join("s.toml");
    fs::write(&file, text).unwrap();
    let (file, out) = (file.display().to_string(), folder.join("reports").display().to_string());
    let words = ["coordinator", "--sweep", &file, "--out", &out];
    match Cli::try_parse_from(words.into_iter().chain(more.iter().copied())) {
        Ok(Cli { command: Command::Run(run), .. }) => run,
        other => panic!("expected a run, found {other:?}"),
    }
}

/// Records a state as a build did which refused less: one trial of two was granted and failed.
fn begin(folder: &Path, text: &str) {
    let run = run_in(folder, text, &[]);
    let load = |file: &SweepFile, folder: &Path| {
        dataset::load(&file.dataset, folder).map_err(|error| Missing::Error(error.into()))
    };
    let Ok(planned) = plan_recorded_file(&run.sweep, 10, load) else { panic!("it is recorded") };
    let Ok(facts) = next_facts(None, &run, &planned) else { panic!("there are random numbers") };
    let state = StateFolder::open(&run.state_folder("s"), false).unwrap();
    let mut store = Store::open(&state.database(), trainer::measures()).unwrap();
    facts.begin(&mut store).unwrap();
    let (trial, worker) = (TrialIndex(0), WorkerId([1; 16]));
    let lease = Lease { trial, attempt: 1, term: 1, nonce: 1 };
    let about = WorkerInfo {
        name: "w".into(),
        isa: "portable".into(),
        cpu: "model".into(),
        n_slots: 1,
        local_index: None,
    };
    let cause = CloseCause::Failed("no memory".into());
    let records = [
        Record::WorkerJoined { worker, facts: about },
        Record::Granted(OpenLease { lease, worker, alone: false, local: false }),
        Record::Closed { trial, attempt: 1, cause },
        Record::Failed { trial, cause: "no memory".into() },
    ];
    store.commit(&planned.plan, &records).unwrap();
}

/// What is told of a sweep that goes on; `None` if it is refused.
fn news(run: &RunConfig) -> Option<Vec<String>> {
    open(run, plan_run(run).ok()?).ok().map(|opened| opened.news)
}

#[test]
fn a_sweep_that_was_begun_with_an_idle_key_goes_on_with_it() {
    let folder = folder();
    assert!(plan_run(&run_in(folder.path(), SWEEP, &[])).is_err(), "a new one is refused");
    begin(folder.path(), SWEEP);
    let grown = SWEEP.replace("0.2]", "0.2, 0.3]");
    for text in [SWEEP, &grown] {
        let news = news(&run_in(folder.path(), text, &[])).expect("it goes on");
        let has = |words: &str| news.iter().any(|line| line.contains(words));
        assert!(has("warning: `patience` has no effect (") && has("begun with it"), "{news:?}");
        assert!(has("resuming: 1 of "), "{news:?}");
    }
}

#[test]
fn what_the_begun_sweep_did_not_have_is_refused_in_it() {
    let folder = folder();
    begin(folder.path(), SWEEP);
    let more = SWEEP.replace("epochs = 3\n", "epochs = 3\nmomentum = 0.9\n");
    assert!(news(&run_in(folder.path(), &more, &[])).is_none(), "a key that nothing uses");
    assert!(news(&run_in(folder.path(), &SWEEP.replace("0.2]", "-1]"), &[])).is_none());
    assert!(news(&run_in(folder.path(), SWEEP, &["--fresh", "--yes"])).is_none());
}

/// What this build refuses and former ones accepted: lines that replace others, lines at the end, and
/// the warning.
#[test]
fn a_sweep_that_was_begun_with_what_has_no_effect_goes_on_and_grows() {
    let plain = SWEEP.replace("patience = 5\n", "");
    let claim = "[[hypothesis]]\nclaim = \"c\"\nbetter = { learning_rate = 0.1 }\nthan = { learning_rate = 0.2 }\n";
    let excludes = "[[grid.exclude]]\nlearning_rate = 0.2\n[[grid.exclude]]\nlearning_rate = 0.2\nhidden = [4]\n";
    for (text, warning) in [
        (format!("{plain}{claim}{claim}"), "a hypothesis is stated twice"),
        (format!("{plain}{claim}margin = 5\n"), "`margin` is larger than any difference"),
        (format!("{plain}zip = []\n"), "`zip` has no effect"),
        (format!("{plain}{excludes}"), "an exclusion has no effect"),
        (format!("{plain}weight_decay = [1e-46]\n"), "`weight_decay` cannot be trained with 1e-46"),
        (
            format!("{}dropout = [0.0, 0.5]\n", plain.replace("[[4]]", "[[], [4]]")),
            "`dropout` multiplies equal trials",
        ),
    ] {
        let folder = folder();
        assert!(
            plan_run(&run_in(folder.path(), &text, &[])).is_err(),
            "a new one is refused: {text}"
        );
        begin(folder.path(), &text);
        for text in [&text, &text.replace("[0.1, 0.2]", "[0.1, 0.2, 0.3]")] {
            let news = news(&run_in(folder.path(), text, &[])).expect("it goes on");
            let has = |words: &str| news.iter().any(|line| line.contains(words));
            assert!(has(&format!("warning: {warning} (")) && has("resuming: 1 of "), "{news:?}");
        }
    }
}
