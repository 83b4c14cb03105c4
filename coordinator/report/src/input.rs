//! What a report is made from, as plain data. The coordinator fills it from its state; nothing here
//! knows SQL, the wire or the state machine.

use std::sync::Arc;

use sweep::{Axis, HeatmapSpec, Hypothesis, Objective, Phase};
use trial::{Digest, Ending, EpochRecord, Measure, Parameter, Scale, Timing, TrialId, Value, Work};

/// One sweep with everything that is known about its trials.
#[derive(Clone, Debug)]
pub struct Input {
    pub name: String,
    pub description: Option<String>,
    /// The sweep file as it ran, byte for byte.
    pub sweep_toml: String,
    pub data: DatasetMeta,
    pub layout: Layout,
    /// Axes as the sweep file named them (`depth` among them), in its order.
    pub axes: Vec<Axis>,
    pub metric: Objective,
    pub heatmaps: Vec<HeatmapSpec>,
    pub hypotheses: Vec<Hypothesis>,
    /// Fresh seeds that the best points are trained again with once the grid is done, ascending;
    /// empty if the sweep does not ask for it.
    pub confirm_seeds: Vec<u32>,
    /// Every trial of the plan, in canonical order (by the columns, then by seed).
    pub trials: Vec<Trial>,
    /// Sentences on copies that the plan dropped, such as "12 copies: sgd does not use momentum".
    pub notes_on_copies: Vec<String>,
    pub provenance: Provenance,
}

#[derive(Clone, Debug)]
pub struct DatasetMeta {
    /// Such as "mnist" or the folder of the files.
    pub name: String,
    pub digest: Digest,
    pub n_train: u32,
    pub n_valid: u32,
    pub n_test: u32,
    pub n_inputs: u32,
    pub n_classes: u32,
    /// Share from 0 to 1 of the most frequent class in the validation split: chance.
    pub largest_valid_class_share: f64,
    pub scale: Scale,
    /// Sentences on what makes the split unsound, such as classes that never train.
    pub warnings: Vec<String>,
}

/// The columns of the tables that depend on what a trial is made of and what it measures.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Hyperparameters in the result tables' order: `optimizer`, `learning_rate`, `batch_size`,
    /// `hidden`, then every other one. `depth` is derived from `hidden`.
    pub parameters: Vec<Parameter>,
    /// In the order of the table of the history.
    pub measures: Arc<[Measure]>,
    /// Whether the manifest has to tell the measures; those of reports that do not tell them go without
    /// saying.
    pub is_told: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    pub id: TrialId,
    pub phase: Phase,
    /// One for each of [`Layout::parameters`]; `None` where the optimizer does not use it.
    pub values: Vec<Option<Value>>,
    pub seed: u32,
    pub state: State,
}

#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// No outcome yet.
    Open,
    Done(Box<Done>),
    /// `None` where only the tables are known, which tell nothing more of it.
    Failed(Option<Failure>),
    Cancelled,
}

/// What became of a trial that was given up.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub cause: String,
    pub n_attempts: u32,
}

/// A trial that was trained to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    pub ending: Ending,
    pub history: Vec<EpochRecord>,
    pub work: Work,
    pub digest: Digest,
    /// One per epoch that was trained, in order; may be longer than the history.
    pub timings: Vec<Timing>,
}

/// What the notes tell about the run itself; may differ between runs, so it reaches no canonical file.
#[derive(Clone, Debug)]
pub struct Provenance {
    /// The command that repeats the sweep.
    pub command: String,
    /// The report's folder as a shell takes it, if that is known.
    pub report_folder: Option<String>,
    pub version: String,
    pub numerics_version: u32,
    /// Seconds that coordinators ran, killed ones up to their last commit.
    pub wall_s: f64,
    pub n_attempts: u64,
    /// Attempts that ended with a lost worker.
    pub n_lost: u64,
    /// Starts of a coordinator on this state.
    pub n_starts: u32,
    pub workers: Vec<WorkerInfo>,
    pub n_conflicts: u64,
}

#[derive(Clone, Debug)]
pub struct WorkerInfo {
    pub name: String,
    pub isa: String,
    /// As the operating system names the processor.
    pub cpu: String,
    pub n_slots: u32,
}
