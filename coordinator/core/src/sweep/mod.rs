//! The sweep: from the file a person writes to the trials that run. `parse` reads the file,
//! `plan` expands it against the data set's facts, `schema` describes it to editors.

mod agenda;
mod confirm;
mod cost;
mod coverage;
mod domain;
mod expand;
mod file;
mod filter;
mod grid;
mod hypothesis;
mod identity;
mod parse;
mod plan;
mod points;
mod problem;
mod questions;
mod range;
mod reader;
mod schema;
mod size;
mod split;
mod text;
mod unused;

pub use agenda::Agenda;
pub use confirm::{FIRST_CONFIRM_SEED, Outcome, Score};
pub use domain::DEPTH;
pub use expand::{Copies, CopyReason};
pub use file::{Cell, Compare, DatasetSource, HeatmapSpec, Hypothesis, Metric, SweepFile};
pub use filter::{Condition, Filter};
pub use hypothesis::Sides;
pub use identity::{NoTrialId, PrefixError, TrialId};
pub use parse::{Draft, draft, parse};
pub use plan::{
    Axis, DatasetFacts, Phase, Plan, ReportSpec, Trial, check_without_data, plan, plan_recorded,
};
pub use points::Points;
pub use problem::{Problem, Span, Spanned, sort_by_place};
pub use schema::schema;
pub use split::{MAX_DEFAULT_N_VALID, default_n_valid};
pub use text::{NO_LAYERS, display, number_text, read_widths_text, widths_text};

#[cfg(test)]
mod tests;
