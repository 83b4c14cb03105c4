//! What the report knows about a sweep before a word is written: points, scores, comparisons.

mod compare;
mod metric;
mod points;
mod standing;
mod sweep;
mod tuning;
mod values;

pub use self::sweep::Counts;
pub(crate) use self::sweep::Sweep;
pub(crate) use compare::clock::Clock;
pub(crate) use compare::effort::{accuracy_within, epochs, quickest, reach, samples_until};
pub(crate) use compare::hypotheses::{BestPoints, Judged, Untrained, Verdict, judge_all};
pub(crate) use compare::paired::{Paired, is_distinguishable};
pub(crate) use compare::pairs::{OptimizerPair, best_against_best, optimizer_pairs};
pub(crate) use metric::{
    best_epoch, error, error_label, gain, half_row, loss_text, percent, points_of, score_text,
    significant, spread_text,
};
pub(crate) use points::{Point, Run};
pub(crate) use tuning::heat::{Heat, HeatCell, HeatPanel, MAX_AXIS_VALUES, heat};
pub(crate) use tuning::importance::{Importance, Region, Shares, importance};
pub(crate) use tuning::{
    AxisEffects, BestOf, Effect, axis_effects, best_of_k, borders, sensitivity,
};
pub(crate) use values::{place_of, value_label};
