//! Where a sweep stands: what is shown of it again and again.

use std::time::Duration;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};
use sweep::{Objective, Score};

/// Where a sweep stands.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Snapshot {
    pub n_trials: usize,
    /// With an outcome, whatever it is.
    pub n_done: usize,
    pub n_running: usize,
    /// Neither done nor running.
    pub n_left: usize,
    /// Slots that train a trial with an outcome again, to compare.
    pub n_checking: usize,
    /// Among those done.
    pub n_failed: usize,
    /// Among those done.
    pub n_diverged: usize,
    #[serde(rename = "eta_s", serialize_with = "as_seconds")]
    pub eta: Option<Duration>,
    pub best: Option<Best>,
    /// Connected workers.
    pub n_workers: usize,
    /// Slots of all of them, and those that train.
    pub n_slots: usize,
    pub n_busy: usize,
    /// A row for each worker; of very many, the first ones.
    pub workers: Vec<WorkerLoad>,
    /// A row for each running trial; of very many, the first ones.
    pub running: Vec<RunningTrial>,
    /// What is wrong now and stays so for a while.
    pub warnings: Vec<StandingWarning>,
}

/// Rows of each list that are told.
pub const MAX_ROWS: usize = 64;

impl Snapshot {
    /// With these workers.
    pub fn with_workers(mut self, loads: impl IntoIterator<Item = WorkerLoad>) -> Self {
        for load in loads {
            self.n_workers += 1;
            self.n_slots += load.n_slots;
            self.n_busy += load.n_busy;
            if self.workers.len() < MAX_ROWS {
                self.workers.push(load);
            }
        }
        self
    }
}

/// The best single trial so far, by the metric of the report.
#[derive(Clone, Debug)]
pub struct Best {
    pub metric: Objective,
    pub score: Score,
    pub label: String,
}

impl Serialize for Best {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut best = serializer.serialize_struct("Best", 4)?;
        best.serialize_field("valid_accuracy", &self.score.accuracy)?;
        best.serialize_field("valid_loss", &self.score.loss)?;
        best.serialize_field("metric", self.metric.name())?;
        best.serialize_field("label", &self.label)?;
        best.end()
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct WorkerLoad {
    pub name: String,
    pub n_busy: usize,
    pub n_slots: usize,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct RunningTrial {
    pub trial_id: String,
    pub label: String,
    /// The name of the worker that trains it.
    pub worker: String,
    pub attempt: u32,
    /// Epochs that ended.
    pub epoch: u32,
    pub n_epochs: u32,
    /// After the last of them, from 0 to 1.
    pub valid_accuracy: Option<f64>,
}

/// A trouble that is not over.
#[derive(Clone, Debug, Serialize)]
pub struct StandingWarning {
    /// Whose it is; none of this coordinator's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    pub text: String,
    /// How long it has lasted.
    #[serde(rename = "since_s", serialize_with = "seconds")]
    pub since: Duration,
}

pub fn as_seconds<S: Serializer>(eta: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    eta.map(|eta| eta.as_secs_f64()).serialize(serializer)
}

pub fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    duration.as_secs_f64().serialize(serializer)
}
