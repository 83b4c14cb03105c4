//! Which axes matter: the spread of results on a balanced grid, split among axes and seeds.

use trial::{Unit, Value};

use crate::analysis::points::Point;
use crate::analysis::sweep::Sweep;
use crate::analysis::values::value_order;
use crate::stats;

/// The results of one optimizer that an importance is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Region {
    All,
    /// Results worse than this near the best count as if they were just that near, which keeps the
    /// grid balanced (capping, after Hutter, Hoos and Leyton-Brown 2014).
    NearBest,
}

/// Near the best is an error of at most one point more ...
const NEAR_ACCURACY: f64 = 0.01;
/// ... or a loss of at most half as much again.
const NEAR_LOSS: f64 = 1.5;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Importance {
    Shares(Shares),
    /// Some combination of the optimizer's values, or some seed of one, has no result.
    Unbalanced,
    /// Every result is the same, or the optimizer takes one value of each axis.
    NoSpread,
}

/// Shares from 0 to 1 of the sum of squares of log10 of the error around its mean; they add up to 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shares {
    /// What each axis explains by itself, in the order of the sweep file.
    pub(crate) axes: Vec<(String, f64)>,
    /// What combinations of values explain beyond the axes by themselves.
    pub(crate) interactions: f64,
    /// The parts of it that belong to two axes alone, in the order of the axes.
    pub(crate) pairs: Vec<((String, String), f64)>,
    /// The spread over seeds within points; 0 when there is one seed.
    pub(crate) seeds: f64,
    pub(crate) n_points: usize,
    pub(crate) n_seeds: usize,
}

/// Analysis of variance of one optimizer's balanced full grid, seeds as replicates of a point.
pub(crate) fn importance(sweep: &Sweep<'_>, optimizer: &str, region: Region) -> Importance {
    let points = sweep.points_of(optimizer);
    let axes: Vec<Levels> = sweep
        .swept_axes
        .iter()
        .map(|name| Levels::of(sweep, &points, name))
        .filter(|levels| levels.n > 1)
        .collect();
    let Some(table) = results(sweep, &points, region).filter(|_| is_full_grid(&axes, &points))
    else {
        return if axes.is_empty() { Importance::NoSpread } else { Importance::Unbalanced };
    };
    split(&axes, &table).map_or(Importance::NoSpread, Importance::Shares)
}

/// One axis with the number of each point's value among those that the optimizer takes.
struct Levels {
    name: String,
    of_point: Vec<usize>,
    n: usize,
}

impl Levels {
    /// A point that does not use the axis has a level of its own.
    fn of(sweep: &Sweep<'_>, points: &[&Point<'_>], name: &str) -> Self {
        let values: Vec<Option<Value>> =
            points.iter().map(|point| sweep.value(point.trial(), name)).collect();
        let mut distinct: Vec<&Value> = values.iter().flatten().collect();
        distinct.sort_by(|a, b| value_order(a, b));
        distinct.dedup();
        let unused = distinct.len();
        let level = |value: &Option<Value>| match value {
            Some(value) => distinct.partition_point(|other| value_order(other, value).is_lt()),
            None => unused,
        };
        let n = unused + usize::from(values.iter().any(Option::is_none));
        Self { name: name.to_string(), of_point: values.iter().map(level).collect(), n }
    }
}

/// Whether each combination of levels is one point.
fn is_full_grid(axes: &[Levels], points: &[&Point<'_>]) -> bool {
    let n_cells = axes.iter().try_fold(1_usize, |n, axis| n.checked_mul(axis.n));
    if n_cells != Some(points.len()) {
        return false;
    }
    let mut is_taken = vec![false; points.len()];
    for point in 0..points.len() {
        let cell = axes.iter().fold(0, |cell, axis| cell * axis.n + axis.of_point[point]);
        if std::mem::replace(&mut is_taken[cell], true) {
            return false;
        }
    }
    true
}

/// log10 of the error by point and seed; `None` unless all points have results of the same seeds.
fn results(sweep: &Sweep<'_>, points: &[&Point<'_>], region: Region) -> Option<Vec<Vec<f64>>> {
    let seeds = |point: &Point<'_>| point.runs.iter().map(|r| r.trial.seed).collect::<Vec<_>>();
    let first = seeds(points.first()?);
    let metric = sweep.metric();
    let error = |value: f64| match metric.unit {
        // Half an answer stands for no wrong answer, which has no logarithm.
        Unit::Share => (1.0 - value).max(0.5 / f64::from(sweep.input.data.n_valid)),
        Unit::Plain => value.max(f64::MIN_POSITIVE),
    };
    let best = error(sweep.best_or_diverged(points)?.mean(metric)?);
    let worst = match (region, metric.unit) {
        (Region::All, _) => f64::INFINITY,
        (Region::NearBest, Unit::Share) => best + NEAR_ACCURACY,
        (Region::NearBest, Unit::Plain) => best * NEAR_LOSS,
    };
    let row = |point: &&Point<'_>| -> Option<Vec<f64>> {
        if seeds(point) != first {
            return None;
        }
        let value = |score: sweep::Score| libm::log10(error(score.of(metric)).min(worst));
        point.runs.iter().map(|run| run.score.map(value)).collect()
    };
    points.iter().map(row).collect()
}

/// `None` when nothing differs.
fn split(axes: &[Levels], table: &[Vec<f64>]) -> Option<Shares> {
    let means: Vec<f64> = table.iter().filter_map(|row| stats::mean(row)).collect();
    let n_seeds = table.first()?.len();
    let center = stats::mean(&means)?;
    let between = n_seeds as f64 * squares(&means, center);
    let within: f64 = table.iter().zip(&means).map(|(row, mean)| squares(row, *mean)).sum();
    let total = between + within;
    // What is left of equal numbers is rounding.
    if total <= 1e-18 * table.len() as f64 {
        return None;
    }
    let explained = |cells: &dyn Fn(usize) -> usize, n_cells: usize| {
        let n_in_cell = (means.len() / n_cells * n_seeds) as f64;
        n_in_cell * squares(&cell_means(&means, cells, n_cells), center) / total
    };
    let main: Vec<f64> =
        axes.iter().map(|axis| explained(&|point| axis.of_point[point], axis.n)).collect();
    let mut pairs = Vec::new();
    for (i, a) in axes.iter().enumerate() {
        for (j, b) in axes.iter().enumerate().skip(i + 1) {
            let both = explained(&|p| a.of_point[p] * b.n + b.of_point[p], a.n * b.n);
            let share = (both - main[i] - main[j]).max(0.0);
            pairs.push(((a.name.clone(), b.name.clone()), share));
        }
    }
    Some(Shares {
        interactions: (between / total - main.iter().sum::<f64>()).max(0.0),
        axes: axes.iter().map(|axis| axis.name.clone()).zip(main).collect(),
        pairs,
        seeds: within / total,
        n_points: means.len(),
        n_seeds,
    })
}

fn squares(values: &[f64], center: f64) -> f64 {
    values.iter().map(|x| (x - center) * (x - center)).sum()
}

/// Means over the points of each cell; on a full grid all cells hold equally many.
fn cell_means(means: &[f64], cell: &dyn Fn(usize) -> usize, n_cells: usize) -> Vec<f64> {
    let mut sums = vec![0.0; n_cells];
    for (point, mean) in means.iter().enumerate() {
        sums[cell(point)] += mean;
    }
    let n_in_cell = (means.len() / n_cells) as f64;
    sums.into_iter().map(|sum| sum / n_in_cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(name: &str, of_point: &[usize], n: usize) -> Levels {
        Levels { name: name.to_string(), of_point: of_point.to_vec(), n }
    }

    /// Expected sums of squares by hand: a 2 x 3 layout with two seeds.
    #[test]
    fn shares_are_those_of_a_two_way_layout() {
        let a = axis("a", &[0, 0, 0, 1, 1, 1], 2);
        let b = axis("b", &[0, 1, 2, 0, 1, 2], 3);
        // Cell means 1, 2, 6 and 3, 4, 2: of 35, a explains 0, b 8, both together 32; the seeds 3.
        let table: Vec<Vec<f64>> =
            [1.0, 2.0, 6.0, 3.0, 4.0, 2.0].iter().map(|m| vec![m - 0.5, m + 0.5]).collect();
        let shares = split(&[a, b], &table).unwrap();
        let total = 32.0 + 3.0;
        let close = |x: f64, y: f64| (x - y).abs() < 1e-12;
        assert!(close(shares.axes[0].1, 0.0) && close(shares.axes[1].1, 8.0 / total), "{shares:?}");
        assert!(close(shares.interactions, 24.0 / total), "{shares:?}");
        assert!(close(shares.pairs[0].1, 24.0 / total));
        assert!(close(shares.seeds, 3.0 / total));
    }

    #[test]
    fn a_missing_or_doubled_combination_is_no_full_grid() {
        let is_full = |a: &[usize], b: &[usize]| {
            let trial = crate::input::Trial {
                id: trial::TrialId::from_bytes([0; 32]),
                phase: sweep::Phase::Grid,
                values: Vec::new(),
                seed: 1,
                state: crate::input::State::Open,
            };
            let point = Point { runs: vec![crate::analysis::Run { trial: &trial, score: None }] };
            let points = vec![&point; a.len()];
            is_full_grid(&[axis("a", a, 2), axis("b", b, 2)], &points)
        };
        assert!(is_full(&[0, 0, 1, 1], &[0, 1, 0, 1]));
        assert!(!is_full(&[0, 0, 1], &[0, 1, 0]));
        assert!(!is_full(&[0, 0, 1, 1], &[0, 1, 0, 0]));
    }

    #[test]
    fn equal_results_have_no_spread() {
        let a = axis("a", &[0, 1], 2);
        assert_eq!(split(&[a], &[vec![0.1 + 0.2], vec![0.3]]), None);
    }
}
