//! What the report knows about a sweep before a word is written: points, scores, comparisons.

mod clock;
mod effort;
mod heat;
mod hypotheses;
mod importance;
mod metric;
mod paired;
mod pairs;
mod points;
mod standing;
mod sweep;
mod tuning;
mod values;

pub(crate) use clock::Clock;
pub(crate) use effort::{accuracy_within, epochs, quickest, reach, samples_until};
pub(crate) use heat::{Heat, HeatCell, HeatPanel, MAX_AXIS_VALUES, heat};
pub(crate) use hypotheses::{BestPoints, Judged, Untrained, Verdict, judge_all};
pub(crate) use importance::{Importance, Region, Shares, importance};
pub(crate) use metric::{
    best_epoch, error, error_label, gain, loss_text, percent, points_of, score_text, significant,
    spread_text,
};
pub(crate) use paired::{Paired, is_distinguishable};
pub(crate) use pairs::{OptimizerPair, best_against_best, optimizer_pairs};
pub(crate) use points::{Point, Run};
pub use sweep::Counts;
pub(crate) use sweep::Sweep;
pub(crate) use tuning::{
    AxisEffects, BestOf, Effect, axis_effects, best_of_k, borders, sensitivity,
};
pub(crate) use values::{place_of, value_label};
