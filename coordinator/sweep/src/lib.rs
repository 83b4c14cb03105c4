//! The sweep: from the file a person writes to the trials that run. `parse` reads the file,
//! `plan` expands it against the data set's facts, `schema` describes it to editors.

mod file;
mod hypothesis;
mod identity;
pub mod limits;
mod order;
mod phases;
mod plan;
mod planning;
mod score;
mod size;
mod space;
mod split;

pub use file::objective::Objective;
pub use file::parse::{Draft, draft, parse};
pub use file::problem::{Problem, Span, Spanned, sort_by_place};
pub use file::schema::schema;
pub use file::spec::{Cell, Compare, DatasetSource, HeatmapSpec, Hypothesis, SweepFile};
pub use hypothesis::Sides;
pub use identity::trial_id;
pub use phases::confirm::{FIRST_CONFIRM_SEED, Outcome};
pub use plan::{Axis, DatasetMeta, Phase, Plan, ReportSpec, Trial};
pub use planning::{check_without_data, plan, plan_recorded};
pub use score::Score;
pub use space::domain::{DEPTH, has_values_beyond};
pub use space::expand::{DuplicateReason, Duplicates};
pub use space::filter::{Condition, Filter};
pub use space::points::Points;
pub use space::text::{NO_LAYERS, display, number_text, read_widths_text, widths_text};
pub use split::{MAX_DEFAULT_N_VALID, default_n_valid};

#[cfg(test)]
mod tests;
