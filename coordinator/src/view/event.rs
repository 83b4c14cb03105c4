//! The objects of `--output json`, one a line on stdout, as `coordinator/STREAM.md` describes them.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::view::snapshot::Snapshot;
use crate::view::terminal::Summary;

/// Grows when a field goes or changes its meaning; new fields and new events may come at any time.
pub const VERSION: u32 = 1;

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event<'a> {
    /// The first one of a run that could start.
    Listening(&'a Listening),
    Progress(&'a Snapshot),
    Trial(&'a EndedTrial),
    Warning {
        text: &'a str,
    },
    /// The last one of a run that could not start or broke down.
    Error(&'a Failure),
    /// The last one of any other run.
    Finished(&'a Summary),
}

/// Where workers connect, and what is run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Listening {
    /// The program's version.
    pub program_version: &'static str,
    pub name: String,
    pub url: String,
    pub address: String,
    pub pid: u32,
    /// What starts a worker.
    pub worker_command: String,
    #[serde(serialize_with = "as_text")]
    pub sweep: PathBuf,
    #[serde(serialize_with = "as_text")]
    pub state: PathBuf,
    /// The report's folder.
    #[serde(serialize_with = "as_text")]
    pub out: PathBuf,
    /// Trials of the grid, and those already known that follow it.
    pub n_trials: usize,
    /// Trials with an outcome from former runs; no `trial` event tells them again.
    pub n_recorded: usize,
}

/// JSON holds UTF-8 alone: of any other path what can be shown.
fn as_text<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    path.to_string_lossy().serialize(serializer)
}

/// A trial that just got its outcome.
#[derive(Clone, Debug, Default, Serialize)]
pub struct EndedTrial {
    pub trial_id: String,
    pub label: String,
    /// `grid` or `confirm`.
    pub phase: &'static str,
    pub seed: u64,
    /// Every key that the trial's optimizer uses.
    pub hyperparameters: Map<String, Value>,
    pub outcome: &'static str,
    /// The last attempt and the worker that had it; unknown if it began in a former run.
    pub attempt: Option<u32>,
    pub worker: Option<String>,
    /// What a completed or diverged trial gave.
    #[serde(flatten)]
    pub measured: Measured,
    /// Why a trial failed.
    pub cause: Option<String>,
}

/// What training gave. All of it is absent (`null`) in a trial that gave nothing.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Measured {
    /// Epochs that ended.
    pub n_epochs: Option<usize>,
    pub best_epoch: Option<u32>,
    /// At the best epoch, by the measures' names.
    #[serde(flatten)]
    pub at_best: Map<String, Value>,
    /// With the weights of the best epoch, from 0 to 1.
    pub test_accuracy: Option<f64>,
    pub collapsed: Option<bool>,
    pub diverged_step: Option<u64>,
    /// Wall time in its slot.
    pub wall_s: Option<f64>,
    /// Digest of the whole result, as in `results.csv`.
    pub digest: Option<String>,
}

/// Why a run ends with an error.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Failure {
    /// `usage`, `sweep_file` or `runtime`.
    pub kind: &'static str,
    pub message: String,
    pub exit_code: u8,
    /// What is wrong with the sweep file.
    pub problems: Vec<Misplaced>,
}

/// A problem of the sweep file, and where it is.
#[derive(Clone, Debug, Serialize)]
pub struct Misplaced {
    pub message: String,
    /// What was expected there.
    pub label: String,
    pub help: Option<String>,
    /// From 1; absent (`null`) where it is about the whole file.
    pub line: Option<usize>,
    /// Characters from 1.
    pub column: Option<usize>,
}

/// An event on its way out.
#[derive(Serialize)]
struct Line<'a> {
    version: u32,
    #[serde(flatten)]
    event: &'a Event<'a>,
}

impl Event<'_> {
    /// One line, without its end.
    pub fn to_line(&self) -> String {
        let line = Line { version: VERSION, event: self };
        serde_json::to_string(&line).expect("text keys and plain values")
    }
}
