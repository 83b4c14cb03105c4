//! What each axis does, and how far tuning goes with few points.

use super::metric::gain;
use super::points::Point;
use super::sweep::Sweep;
use super::values::{value_label, value_order};
use crate::input::{Metric, Value};
use crate::stats;

/// The metric of one optimizer's points that share a value of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Effect {
    pub(crate) mean: f64,
    /// Of the best point.
    pub(crate) best: f64,
    /// Smallest and largest of the best point's seeds.
    pub(crate) of_seeds: (f64, f64),
}

pub(crate) struct AxisEffects {
    pub(crate) values: Vec<Value>,
    /// By value, then optimizer; `None` where no point has a result.
    pub(crate) effects: Vec<Vec<Option<Effect>>>,
}

pub(crate) fn axis_effects(sweep: &Sweep<'_>, axis: &str, optimizers: &[String]) -> AxisEffects {
    let values = sweep.axis_values(axis);
    let effect = |value: &Value, optimizer: &String| {
        let points: Vec<&Point<'_>> = sweep
            .points_of(optimizer)
            .into_iter()
            .filter(|point| sweep.value(point.trial(), axis).as_ref() == Some(value))
            .collect();
        let means: Vec<f64> = points.iter().filter_map(|p| p.mean(sweep.metric())).collect();
        let best = sweep.best(points)?;
        let scores = best.scores(sweep.metric());
        Some(Effect {
            mean: stats::mean(&means)?,
            best: best.mean(sweep.metric())?,
            of_seeds: (
                scores.iter().copied().reduce(f64::min)?,
                scores.iter().copied().reduce(f64::max)?,
            ),
        })
    };
    let effects =
        values.iter().map(|value| optimizers.iter().map(|o| effect(value, o)).collect()).collect();
    AxisEffects { values, effects }
}

/// A best value at the end of a numeric axis: something better may lie beyond.
pub(crate) struct Border {
    pub(crate) optimizer: String,
    pub(crate) axis: String,
    pub(crate) value: String,
    pub(crate) is_lowest: bool,
}

/// Axes with fewer values have nothing but borders.
const MIN_VALUES_WITH_INSIDE: usize = 3;

/// Borders of the values that an optimizer itself takes, where the border beats the value beside it
/// by more than the seeds scatter.
pub(crate) fn borders(sweep: &Sweep<'_>) -> Vec<Border> {
    let mut borders = Vec::new();
    for optimizer in &sweep.optimizers {
        let points = sweep.points_of(optimizer);
        let Some(best) = sweep.best(points.iter().copied()) else { continue };
        borders.extend(
            sweep
                .swept_axes
                .iter()
                .filter_map(|axis| border(sweep, optimizer, &points, best, axis)),
        );
    }
    borders
}

fn border(
    sweep: &Sweep<'_>,
    optimizer: &str,
    points: &[&Point<'_>],
    best: &Point<'_>,
    axis: &str,
) -> Option<Border> {
    let value_of = |point: &Point<'_>| sweep.value(point.trial(), axis);
    let mut values: Vec<Value> = points.iter().filter_map(|point| value_of(point)).collect();
    values.retain(|value| matches!(value, Value::Number(_) | Value::Count(_)));
    values.sort_by(value_order);
    values.dedup();
    if values.len() < MIN_VALUES_WITH_INSIDE {
        return None;
    }
    let value = value_of(best)?;
    let is_lowest = values.first() == Some(&value);
    let beside = if is_lowest {
        &values[1]
    } else if values.last() == Some(&value) {
        &values[values.len() - 2]
    } else {
        return None;
    };
    // A count of nothing is no choice.
    if is_lowest && value == Value::Count(1) {
        return None;
    }
    let is_beside = |point: &&Point<'_>| value_of(point).as_ref() == Some(beside);
    let neighbour = sweep.best(points.iter().copied().filter(is_beside))?;
    let metric = sweep.metric();
    let pooled_sd = best.sd(metric)?.hypot(neighbour.sd(metric)?) / std::f64::consts::SQRT_2;
    (gain(metric, best.mean(metric)?, neighbour.mean(metric)?) > pooled_sd).then(|| Border {
        optimizer: optimizer.to_string(),
        axis: axis.to_string(),
        value: value_label(&value),
        is_lowest,
    })
}

/// Expected best metric of k points drawn from an optimizer's grid, for k from 1.
pub(crate) fn best_of_k(sweep: &Sweep<'_>, optimizer: &str) -> Vec<f64> {
    let metric = sweep.metric();
    // For a loss the best is the smallest: work on its negative.
    let sign = if metric == Metric::ValidLoss { -1.0 } else { 1.0 };
    let means: Vec<f64> = sweep
        .points_of(optimizer)
        .iter()
        .filter_map(|point| Some(sign * point.mean(metric)?))
        .collect();
    stats::best_of_k(&means).into_iter().map(|value| sign * value).collect()
}

/// How much the choice of one axis matters to an optimizer: best value against worst value, each
/// with the best of everything else.
pub(crate) fn sensitivity(sweep: &Sweep<'_>, axis: &str, optimizer: &str) -> Option<f64> {
    let effects = axis_effects(sweep, axis, &[optimizer.to_string()]).effects;
    let bests: Vec<f64> = effects.iter().filter_map(|row| Some(row[0]?.best)).collect();
    let low = bests.iter().copied().reduce(f64::min)?;
    let high = bests.iter().copied().reduce(f64::max)?;
    (bests.len() > 1).then(|| gain(Metric::ValidAccuracy, high, low))
}
