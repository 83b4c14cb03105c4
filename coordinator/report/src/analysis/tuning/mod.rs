//! What each axis does, and how far tuning goes with few points.

pub mod heat;
pub mod importance;

use sweep::{Objective, has_values_beyond};
use trial::{Goal, Value};

use super::metric::gain;
use super::points::Point;
use super::sweep::Sweep;
use super::values::{place_of, value_label, value_order};
use crate::stats;

/// The metric of one optimizer's points that share a value of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Effect {
    pub(crate) mean: f64,
    /// The objective of the best point.
    pub(crate) best: f64,
    /// Smallest and largest of the best point's seeds.
    pub(crate) of_seeds: (f64, f64),
    /// Every result diverged: all of this is chance.
    pub(crate) is_diverged: bool,
}

pub(crate) struct AxisEffects {
    pub(crate) values: Vec<Value>,
    /// By value, then optimizer; `None` where no point has a result.
    pub(crate) effects: Vec<Vec<Option<Effect>>>,
}

pub(crate) fn axis_effects(sweep: &Sweep<'_>, axis: &str, optimizers: &[String]) -> AxisEffects {
    let values = sweep.axis_values(axis);
    let mut groups = vec![vec![Vec::new(); optimizers.len()]; values.len()];
    for point in &sweep.points {
        let value = sweep.value(point.trial(), axis);
        let Some(row) = value.and_then(|value| place_of(&value, &values)) else { continue };
        let name = sweep.optimizer(point);
        let Some(column) = optimizers.iter().position(|other| other == name) else { continue };
        groups[row][column].push(point);
    }
    let of_row = |row: Vec<Vec<&Point<'_>>>| row.iter().map(|of| effect(sweep, of)).collect();
    AxisEffects { values, effects: groups.into_iter().map(of_row).collect() }
}

fn effect(sweep: &Sweep<'_>, points: &[&Point<'_>]) -> Option<Effect> {
    let metric = sweep.metric();
    let means: Vec<f64> = points.iter().filter_map(|point| point.mean(metric)).collect();
    let best = sweep.best_or_diverged(points)?;
    let scores = best.scores(metric);
    Some(Effect {
        mean: stats::mean(&means)?,
        best: best.mean(metric)?,
        of_seeds: (
            scores.iter().copied().reduce(f64::min)?,
            scores.iter().copied().reduce(f64::max)?,
        ),
        is_diverged: best.is_all_diverged(),
    })
}

impl AxisEffects {
    /// The least and the greatest best metric of an optimizer, one after the other; `None` where
    /// nothing of it was trained.
    pub(crate) fn range_of_best(&self, optimizer: usize) -> Option<(f64, f64)> {
        let of = || self.effects.iter().filter_map(|row| row[optimizer]);
        let bests = || of().map(|effect| effect.best);
        if of().all(|effect| effect.is_diverged) {
            return None;
        }
        Some((bests().reduce(f64::min)?, bests().reduce(f64::max)?))
    }
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
    if !has_room(sweep, best, axis, &value, is_lowest) {
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

/// Whether values beyond the border could be tried, and would change anything.
fn has_room(
    sweep: &Sweep<'_>,
    best: &Point<'_>,
    axis: &str,
    value: &Value,
    is_lowest: bool,
) -> bool {
    let most = match axis {
        "batch_size" => Some(u64::from(sweep.input.data.n_train)),
        // A longer patience never ends before the epochs do.
        "patience" => match sweep.value(best.trial(), "epochs") {
            Some(Value::Count(n_epochs)) => Some(n_epochs.saturating_sub(1)),
            _ => None,
        },
        _ => None,
    };
    let is_most = matches!((value, most), (Value::Count(n), Some(most)) if *n >= most);
    if !is_lowest && is_most {
        return false;
    }
    let value = match value {
        Value::Number(x) => trial::Value::Number(*x),
        Value::Count(n) => trial::Value::Count(*n),
        Value::Text(_) | Value::Widths(_) => return false,
    };
    has_values_beyond(&sweep.input.layout.parameters, axis, &value, is_lowest)
}

/// Expected best metric of k points drawn from an optimizer's grid, for k from 1 to `max_k`.
pub(crate) struct BestOf {
    /// Points with a result.
    pub(crate) n_points: usize,
    pub(crate) curve: Vec<f64>,
}

/// `None` where nothing was trained.
pub(crate) fn best_of_k(sweep: &Sweep<'_>, optimizer: &str, max_k: usize) -> Option<BestOf> {
    let metric = sweep.metric();
    let points = sweep.points_of(optimizer);
    sweep.best(points.iter().copied())?;
    // For a loss the best is the smallest: work on its negative.
    let sign = if metric.goal == Goal::Minimize { -1.0 } else { 1.0 };
    let means: Vec<f64> =
        points.iter().filter_map(|point| Some(sign * point.mean(metric)?)).collect();
    let curve = stats::best_of_k(&means, max_k).into_iter().map(|value| sign * value).collect();
    Some(BestOf { n_points: means.len(), curve })
}

/// How much the choice of one axis matters to an optimizer: best value against worst value, each
/// with the best of everything else.
pub(crate) fn sensitivity(sweep: &Sweep<'_>, axis: &str, optimizer: &str) -> Option<f64> {
    let effects = axis_effects(sweep, axis, &[optimizer.to_string()]);
    let n_values = effects.effects.iter().filter(|row| row[0].is_some()).count();
    let (low, high) = effects.range_of_best(0)?;
    (n_values > 1).then(|| gain(Objective::VALID_ACCURACY, high, low))
}
