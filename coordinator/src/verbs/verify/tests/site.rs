//! A small sweep that was run to its end, with its state and its report: every kind of result, trained
//! in this process.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use coordinator_core::event::{CloseCause, Record, WorkerInfo};
use coordinator_core::lease::{Lease, OpenLease, TrialIndex, WorkerId};
use data::ClassCounts;
use sweep::{self, DatasetMeta, Plan};
use trainer::{Dataset, EpochEnd, Isa, PreparedData, TrainConfig, Trainer};
use trial::TrialResult;
use trial::timing::Timing;

use crate::reporting::input as report_input;
use crate::store::connection::Store;
use crate::store::meta::{Data, SweepMeta};
use crate::store::{Reader, database_in};
use crate::verbs::verify::look;

const SWEEP: &str = r#"name = "small"
[dataset]
format = "idx"
path = "data"
train = 42
[train]
epochs = 3
[[grid]]
optimizer = ["sgd", "backtracking"]
learning_rate = [0.1, 1e30]
batch_size = [8]
hidden = [[4]]
[seeds]
n = 2
"#;

const N_TRAIN: u32 = 60;
const N_TEST: u32 = 20;
const N_INPUTS: u32 = 9;
const N_CLASSES: u32 = 3;

pub struct Site {
    _folder: tempfile::TempDir,
    /// The report's folder, with its state in `.state`.
    pub report: PathBuf,
}

/// Made once; tests work on copies.
fn made() -> &'static Site {
    static MADE: OnceLock<Site> = OnceLock::new();
    MADE.get_or_init(make)
}

impl Site {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("small");
        copy(&made().report, &report);
        Self { _folder: folder, report }
    }

    pub fn state(&self) -> PathBuf {
        self.report.join(".state")
    }

    pub fn database(&self) -> PathBuf {
        database_in(&self.state())
    }

    /// All that `verify` says of the report alone.
    pub fn told(&self) -> String {
        look(&self.report, true, None).to_string()
    }

    /// What `verify` finds.
    pub fn wrong(&self, has_report: bool, has_state: bool) -> Vec<String> {
        let state = self.state();
        let wrong = look(&self.report, has_report, has_state.then_some(state.as_path())).wrong;
        wrong.iter().for_each(|line| assert_is_prose(line));
        wrong
    }
}

/// A finding is read by people: nothing of it is written as the program's own values are.
pub fn assert_is_prose(finding: &str) {
    let code = ["Some(", "None", " { ", "Completed", "Diverged"];
    assert!(!code.iter().any(|it| finding.contains(it)), "{finding}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn make() -> Site {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("small");
    let state = report.join(".state");
    fs::create_dir_all(&state).unwrap();
    let dataset = dataset();
    let plan =
        sweep::plan(&sweep::parse(SWEEP, trainer::interface()).unwrap(), &facts_of(&dataset))
            .unwrap();
    let live = folder.path().join("live.db");
    let mut store = Store::open(&live, trainer::measures()).unwrap();
    facts(&dataset, &plan).begin(&mut store).unwrap();
    store.commit(&plan, &records(&plan, &dataset)).unwrap();
    let reader = Reader::open(&live).unwrap();
    // One file, without a log beside it.
    reader.copy_to(&database_in(&state)).unwrap();
    let facts = SweepMeta::of_reader(&reader).unwrap().unwrap();
    report::build(&report_input::input(&reader, &facts).unwrap(), &report).unwrap();
    publish_checkpoint(&state, &plan);
    Site { _folder: folder, report }
}

/// Inputs that follow the label, with noise.
fn dataset() -> Dataset {
    let idx = |dims: &[u32], bytes: &[u8]| {
        let header = [0, 0, 8, dims.len() as u8];
        let sizes = dims.iter().flat_map(|dim| dim.to_be_bytes());
        header.into_iter().chain(sizes).chain(bytes.iter().copied()).collect::<Vec<u8>>()
    };
    let files = |first: u32, n: u32| {
        let labels: Vec<u8> = (first..first + n).map(|row| (row % N_CLASSES) as u8).collect();
        let pixel = |row: u32, input: u32| {
            let noise = (row * 31 + input * 17 + row * input) % 7;
            let is_lit = if input % N_CLASSES == row % N_CLASSES { noise > 1 } else { noise > 4 };
            if is_lit { 200 } else { 0 }
        };
        let rows = (first..first + n).flat_map(|row| (0..N_INPUTS).map(move |at| (row, at)));
        let images: Vec<u8> = rows.map(|(row, at)| pixel(row, at)).collect();
        (idx(&[n, 3, 3], &images), idx(&[n], &labels))
    };
    let (images, labels) = files(0, N_TRAIN);
    let (test_images, test_labels) = files(N_TRAIN, N_TEST);
    Dataset::from_idx(&images, &labels, &test_images, &test_labels).unwrap()
}

fn facts_of(dataset: &Dataset) -> DatasetMeta {
    DatasetMeta {
        digest: dataset.digest(),
        n_train_rows: N_TRAIN,
        n_test_rows: N_TEST,
        n_inputs: N_INPUTS,
        n_classes: N_CLASSES,
        nonzero_share: 0.4,
    }
}

fn facts(dataset: &Dataset, plan: &Plan) -> SweepMeta {
    let facts = facts_of(dataset);
    let valid = plan.split.n_train as usize..N_TRAIN as usize;
    SweepMeta {
        sweep_toml: SWEEP.into(),
        sweep_path: "small.toml".into(),
        state_id: [5; 16],
        term: 2,
        numerics_version: trainer::NUMERICS_VERSION,
        wall_s: 1.5,
        sweep_folder: None,
        command: None,
        report_folder: None,
        data: Data {
            name: "data".into(),
            digest: facts.digest.0,
            n_train_rows: facts.n_train_rows,
            n_test_rows: facts.n_test_rows,
            n_inputs: facts.n_inputs,
            n_classes: facts.n_classes,
            nonzero_share: facts.nonzero_share,
            largest_class_share: dataset.largest_class_share(valid),
            n_valid: Some(plan.split.n_valid),
            classes: ClassCounts::of(dataset, plan.split),
        },
    }
}

/// Every trial completes or diverges; the first one at its second attempt.
fn records(plan: &Plan, dataset: &Dataset) -> Vec<Record> {
    let worker = WorkerId([3; 16]);
    let facts = WorkerInfo {
        name: "w".into(),
        isa: "portable".into(),
        cpu: "model".into(),
        n_slots: 2,
        local_index: None,
    };
    let data = Arc::new(PreparedData::new(dataset, plan.split).unwrap());
    let grant = |trial, attempt| {
        let lease = Lease { trial, attempt, term: 2, nonce: 99 };
        Record::Granted(OpenLease { lease, worker, alone: false, local: false })
    };
    let mut records = vec![Record::WorkerJoined { worker, facts }];
    for (trial, place) in (0..).map(TrialIndex).zip(0..plan.trials.len()) {
        records.push(grant(trial, 1));
        let mut attempt = 1;
        if place == 0 {
            records.push(Record::Closed { trial, attempt, cause: CloseCause::Lost });
            records.push(grant(trial, 2));
            attempt = 2;
        }
        if place == 1 {
            let cause = CloseCause::Failed("no memory".into());
            records.push(Record::Closed { trial, attempt, cause });
            records.push(grant(trial, 2));
            attempt = 2;
        }
        let config = TrainConfig::of(&plan.hyperparameters(place)).unwrap();
        let mut trainer =
            Trainer::new(config, Arc::clone(&data), Isa::choose(None).unwrap()).unwrap();
        while trainer.run_epoch(&AtomicBool::new(false)) == EpochEnd::Continues {}
        let result = Box::new(trainer.into_result());
        let timings = timings(&result, attempt);
        records.push(Record::Completed { trial, attempt, worker, result, timings });
    }
    records
}

fn timings(result: &TrialResult, attempt: u32) -> Vec<Timing> {
    let timing = |epoch| Timing {
        epoch,
        wall_s: 0.5,
        cpu_s: 0.25,
        worker: "w".into(),
        isa: "portable".into(),
        attempt,
        n_slots_in_use: 1,
    };
    (1..=u32::try_from(result.history.len()).unwrap()).map(timing).collect()
}

/// As a kill between a commit and its tidying leaves it.
fn publish_checkpoint(state: &Path, plan: &Plan) {
    let bytes = b"where training stood";
    let digest = trial::Digest::of(bytes);
    let folder = state.join("checkpoints").join(plan.trials[0].id.to_string());
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("2-{digest}")), bytes).unwrap();
}
