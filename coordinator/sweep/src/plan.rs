//! The plan: distinct points and trials, in the order of the result tables.

use trial::{DataShape, Digest, Hyperparameters, Interface, Shape, Split, TrialId, Value, Variant};

use crate::file::objective::Objective;
use crate::file::spec::{HeatmapSpec, Hypothesis};
use crate::space::domain::DEPTH;
use crate::space::expand::Duplicates;
use crate::space::points::Points;
use crate::space::text::widths_text;

/// What planning must know of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct DatasetMeta {
    pub digest: Digest,
    /// Rows of the training file, validation included.
    pub n_train_rows: u32,
    pub n_test_rows: u32,
    pub n_inputs: u32,
    pub n_classes: u32,
    /// Share of the training inputs that are not zero, from 0 to 1; only the estimated cost
    /// depends on it.
    pub nonzero_share: f64,
}

impl DatasetMeta {
    pub(crate) fn shape(&self) -> Shape {
        Shape { n_inputs: self.n_inputs, n_classes: self.n_classes }
    }
}

/// A sweep ready to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What its trials are made of.
    pub interface: &'static Interface,
    pub name: String,
    pub description: Option<String>,
    pub dataset_digest: Digest,
    pub split: Split,
    /// Distinct, in the order of the result tables.
    pub points: Points,
    /// The grid, points by seeds in the order of the result tables, and behind it the confirm
    /// trials that are known.
    pub trials: Vec<Trial>,
    pub duplicates_dropped: Vec<Duplicates>,
    /// Keys of `[train]` that every grid which uses them has an axis of, which overrides them.
    pub overridden: Vec<&'static str>,
    /// Entries of `[model] widths` behind what the largest depth takes.
    pub idle_widths: Vec<u32>,
    /// Combinations that `[[grid.exclude]]` left out.
    pub n_excluded: u64,
    /// Axes as the file names them, in its order.
    pub axes: Vec<Axis>,
    /// The grid's seeds, ascending.
    pub seeds: Vec<u32>,
    /// Fresh seeds that the best points are trained again with; 0 without `[confirm]`.
    pub n_confirm_seeds: u32,
    pub report: ReportSpec,
    pub hypotheses: Vec<Hypothesis>,
    pub(crate) facts: DatasetMeta,
}

/// A point with a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    pub id: TrialId,
    /// Position in `Plan::points`.
    pub point: u32,
    pub seed: u32,
    pub phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// As the grids and `[seeds]` name it.
    Grid,
    /// A best point again, with a seed of `[confirm]`.
    Confirm,
}

impl Phase {
    pub const ALL: [Self; 2] = [Self::Grid, Self::Confirm];

    pub fn name(self) -> &'static str {
        match self {
            Self::Grid => "grid",
            Self::Confirm => "confirm",
        }
    }
}

/// One axis of the sweep over all its grids.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// A parameter, or `depth`.
    pub name: &'static str,
    /// Distinct, ascending.
    pub values: Vec<Value>,
}

/// What the report is asked to show.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportSpec {
    pub metric: Objective,
    pub heatmaps: Vec<HeatmapSpec>,
}

impl Plan {
    /// What the file says and does not run, in sentences.
    pub fn dropped(&self) -> Vec<String> {
        let overridden = self.overridden.iter();
        let overridden = overridden
            .map(|name| format!("{name} of [train]: every grid that uses it has an axis of it"));
        let idle = widths_text(&self.idle_widths);
        let idle = (!self.idle_widths.is_empty())
            .then(|| format!("{idle} of [model] widths: no depth of the sweep reaches them"));
        self.duplicates_dropped
            .iter()
            .map(ToString::to_string)
            .chain(overridden)
            .chain(idle)
            .collect()
    }

    /// The trials of the grid.
    pub fn grid(&self) -> &[Trial] {
        &self.trials[..self.points.len() * self.seeds.len()]
    }

    /// All trials in the order of the result tables: by point, then by seed.
    pub fn table_order(&self) -> Vec<&Trial> {
        let mut trials: Vec<&Trial> = self.trials.iter().collect();
        trials.sort_by_key(|trial| (trial.point, trial.seed));
        trials
    }

    /// The hyperparameters of a trial, by its position in `trials`.
    pub fn hyperparameters(&self, trial: usize) -> Hyperparameters {
        let Trial { point, seed, .. } = self.trials[trial];
        self.point_hyperparameters(point as usize, seed)
    }

    /// The value of each parameter of a point; `None` where its variant does not use it.
    pub fn values(&self, point: usize) -> Vec<Option<Value>> {
        let parameters = self.interface.parameters.iter();
        parameters.map(|it| self.points.value(point, it.name).cloned()).collect()
    }

    /// Epochs of a trial, by its position in `trials`; much cheaper than all of its hyperparameters.
    pub fn n_epochs(&self, trial: usize) -> u32 {
        let n_epochs = self.points.count(self.trials[trial].point as usize, "epochs");
        u32::try_from(n_epochs).expect("planning checked its range")
    }

    /// What results are held against. `largest_valid_share` is that of the most frequent class among
    /// the rows that validate, which planning does not need to know.
    pub fn data_shape(&self, largest_valid_share: Option<f64>) -> DataShape {
        DataShape {
            n_train: self.split.n_train,
            n_valid: self.split.n_valid,
            n_test: self.facts.n_test_rows,
            n_inputs: self.facts.n_inputs,
            n_classes: self.facts.n_classes,
            largest_valid_share,
        }
    }

    /// The hyperparameters of a point with any seed.
    pub fn point_hyperparameters(&self, point: usize, seed: u32) -> Hyperparameters {
        self.points.hyperparameters(point, seed)
    }

    pub(crate) fn variant(&self, point: usize) -> Variant {
        let variant = match self.points.value(point, self.interface.selector()) {
            Some(Value::Text(name)) => self.interface.variant(name),
            _ => None,
        };
        variant.expect("every point has a known one")
    }

    /// The value of a parameter or of `depth`; `None` if the point's variant does not use it.
    pub fn value(&self, point: usize, name: &str) -> Option<Value> {
        match name {
            DEPTH => Some(Value::Count(self.points.depth(point) as u64)),
            key => self.points.value(point, key).cloned(),
        }
    }
}
