//! The sweep: from the file a person writes to the trials that run. `parse` reads the file,
//! `plan` expands it against the data set's facts, `schema` describes it to editors.

mod domain;
mod file;
mod filter;
mod grid;
mod parse;
mod problem;
mod range;
mod reader;

pub use domain::{DEPTH, display};
pub use file::{Cell, Compare, DatasetSource, HeatmapSpec, Hypothesis, Metric, SweepFile};
pub use filter::{Condition, Filter};
pub use parse::parse;
pub use problem::{Problem, Span, Spanned};
