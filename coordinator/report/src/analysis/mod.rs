//! What the report knows about a sweep before a word is written: points, scores, comparisons.

mod heat;
mod hypotheses;
mod metric;
mod paired;
mod points;
mod sweep;
mod values;

pub(crate) use heat::{Heat, HeatCell, HeatPanel, MAX_AXIS_VALUES, heat};
pub(crate) use hypotheses::{Judged, judge_all};
pub(crate) use metric::{best_epoch, gain, percent, points_of, score_text};
pub(crate) use points::Point;
pub use sweep::Counts;
pub(crate) use sweep::Sweep;
pub(crate) use values::value_label;
