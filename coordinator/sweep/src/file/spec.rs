//! A sweep file after reading: typed, each value known to be possible, with the places that a
//! later check against the data set may have to name.

use trial::{Interface, Scale, Value};

use super::problem::{Span, Spanned};
use crate::file::objective::Objective;
use crate::space::filter::Filter;

#[derive(Clone, Debug, PartialEq)]
pub struct SweepFile {
    /// What its trials are made of.
    pub(crate) interface: &'static Interface,
    pub name: String,
    pub description: Option<String>,
    pub dataset: DatasetSource,
    /// The name or path of the data set.
    pub dataset_span: Span,
    pub(crate) n_train: Option<Spanned<u32>>,
    pub(crate) n_valid: Option<Spanned<u32>>,
    pub(crate) scale: Scale,
    /// What `depth` takes the first of.
    pub(crate) widths: Vec<u32>,
    /// `None` if the file has none.
    pub(crate) widths_span: Option<Span>,
    /// Hyperparameters that are the same for all trials that no axis says otherwise for.
    pub(crate) fixed: Vec<Setting>,
    /// Never empty.
    pub(crate) grids: Vec<Grid>,
    pub(crate) seeds: Vec<u32>,
    /// Seeds that the file lists a second time.
    pub(crate) n_seed_copies: u64,
    /// Fresh seeds of the best points; `None` without `[confirm]`.
    pub(crate) confirm: Option<Spanned<u32>>,
    pub(crate) metric: Objective,
    /// `None`: the default.
    pub(crate) heatmaps: Option<Vec<Spanned<HeatmapSpec>>>,
    pub(crate) hypotheses: Vec<HypothesisDeclaration>,
}

impl SweepFile {
    /// Whether it says how many rows train or validate.
    pub fn has_split(&self) -> bool {
        self.n_train.is_some() || self.n_valid.is_some()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatasetSource {
    /// A data set inside the binary.
    Embedded { name: String },
    /// A folder of four IDX files: the path as written, relative to the sweep file.
    Idx { path: String },
}

/// The words of the file for `Scale`, in the order of its variants.
pub(crate) const SCALE_NAMES: [&str; 2] = [Scale::Unit.name(), Scale::Standard.name()];

/// One value of one hyperparameter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) value: Value,
    /// Where the value stands.
    pub(crate) span: Span,
    pub(crate) key_span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Grid {
    pub(crate) span: Span,
    pub(crate) axes: Vec<GridAxis>,
    /// Groups of positions in `axes` that go in step; every axis is in exactly one group.
    pub(crate) groups: Vec<Vec<usize>>,
    /// `zip` with the places of its lists, which name the first of the groups.
    pub(crate) zip: Option<Spanned<Vec<Span>>>,
    pub(crate) excludes: Vec<Spanned<Filter>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GridAxis {
    pub(crate) name: &'static str,
    /// Where the name stands.
    pub(crate) span: Span,
    pub(crate) values: Vec<Spanned<Value>>,
}

/// A figure of the metric over two axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeatmapSpec {
    pub x: &'static str,
    pub y: &'static str,
    pub cell: Cell,
}

/// What a cell shows of the points that lie behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    Best,
    Mean,
}

impl Cell {
    pub const NAMES: [&str; 2] = ["best", "mean"];
}

/// A claim stated before the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    pub claim: String,
    pub better: Filter,
    pub than: Filter,
    pub compare: Compare,
    /// Difference of the metric that the claim must reach; 0 or more.
    pub margin: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Each side's best point.
    Best,
    /// Points that are equal on every axis that the filters do not name.
    Matched,
}

impl Compare {
    pub const NAMES: [&str; 2] = ["best", "matched"];
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HypothesisDeclaration {
    pub(crate) hypothesis: Hypothesis,
    pub(crate) better_span: Span,
    pub(crate) than_span: Span,
    pub(crate) margin_span: Option<Span>,
    pub(crate) span: Span,
}
