//! What each cell of a heatmap shows: of the points that share its x and y, the best or the mean.

use sweep::{Cell, HeatmapSpec};
use trial::Value;

use crate::analysis::metric::gain;
use crate::analysis::points::Point;
use crate::analysis::sweep::Sweep;
use crate::analysis::values::{place_of, same_axis, value_label};
use crate::tables::{Placed, grid};
use crate::{ReportError, stats};

/// Longer axes would make a picture that nobody can read.
pub(crate) const MAX_AXIS_VALUES: usize = 24;

pub(crate) struct Heat {
    pub(crate) x_labels: Vec<String>,
    /// From the bottom up.
    pub(crate) y_labels: Vec<String>,
    pub(crate) panels: Vec<HeatPanel>,
    /// Names of the swept axes that are not shown.
    pub(crate) hidden_axes: Vec<String>,
    /// Smallest and largest number of points in a cell.
    pub(crate) n_points: (usize, usize),
    /// Panel, row and column of the best cell.
    pub(crate) best: Option<(usize, usize, usize)>,
}

pub(crate) struct HeatPanel {
    /// The optimizer, or nothing when an axis shows it.
    pub(crate) title: String,
    /// By y, then x; `None` where no trial has a result.
    pub(crate) cells: Vec<Vec<Option<HeatCell>>>,
}

/// Always with at least one run that has a result.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HeatCell {
    /// The metric; diverged trials count as chance.
    pub(crate) value: f64,
    /// Over the seeds of the point shown; none when the cell is a mean of several points.
    pub(crate) sd: Option<f64>,
    /// Runs of all points in the cell.
    pub(crate) n_runs: usize,
    pub(crate) n_diverged: usize,
}

impl HeatCell {
    pub(crate) fn is_all_diverged(&self) -> bool {
        self.n_diverged == self.n_runs
    }
}

/// `None` when an axis is too long or has no values.
pub(crate) fn heat(sweep: &Sweep<'_>, spec: &HeatmapSpec) -> Result<Option<Heat>, ReportError> {
    let x_values = sweep.axis_values(spec.x);
    let y_values = sweep.axis_values(spec.y);
    let fits = |n: usize| (1..=MAX_AXIS_VALUES).contains(&n);
    if !fits(x_values.len()) || !fits(y_values.len()) {
        return Ok(None);
    }
    let shows = |name: &str| same_axis(spec.x, name) || same_axis(spec.y, name);
    let titles: Vec<String> =
        if shows("optimizer") { vec![String::new()] } else { sweep.optimizers.clone() };
    let mut n_points = (usize::MAX, 0);
    let mut panels = Vec::new();
    let mut places = Vec::new();
    for (panel, title) in titles.into_iter().enumerate() {
        let (placed, items) = place_points(sweep, &title, (spec, &x_values, &y_values));
        for points in &items {
            n_points = (n_points.0.min(points.len()), n_points.1.max(points.len()));
        }
        let cells = grid(&placed, y_values.len(), x_values.len())?
            .into_iter()
            .map(|row| row.into_iter().map(|item| cell(sweep, spec.cell, &items[item?])).collect())
            .collect();
        panels.push(HeatPanel { title, cells });
        places.extend(placed.into_iter().map(|place| (panel, place, items[place.item].clone())));
    }
    let best = best_cell(sweep, spec.cell, &panels, &places);
    let hidden_axes = sweep.swept_axes.iter().filter(|name| !shows(name));
    Ok(Some(Heat {
        x_labels: x_values.iter().map(value_label).collect(),
        y_labels: y_values.iter().map(value_label).collect(),
        panels,
        hidden_axes: hidden_axes.map(ToString::to_string).collect(),
        n_points,
        best,
    }))
}

/// The cell that ranks first among the placed points of all panels: its best point by the rule of the
/// ranking, or its mean, the first one if several are equal.
fn best_cell(
    sweep: &Sweep<'_>,
    mode: Cell,
    panels: &[HeatPanel],
    places: &[(usize, Placed, Vec<&Point<'_>>)],
) -> Option<(usize, usize, usize)> {
    let place =
        |(panel, placed, _): &(usize, Placed, Vec<&Point<'_>>)| (*panel, placed.row, placed.column);
    if mode == Cell::Best {
        let best = sweep.best(places.iter().flat_map(|(_, _, points)| points.iter().copied()))?;
        let holds = |points: &[&Point<'_>]| points.iter().any(|point| std::ptr::eq(*point, best));
        return places.iter().find(|(_, _, points)| holds(points)).map(place);
    }
    let mut best: Option<(f64, (usize, usize, usize))> = None;
    for (panel, row, column) in places.iter().map(place) {
        let cell = panels[panel].cells[row][column].as_ref();
        let Some(cell) = cell.filter(|cell| !cell.is_all_diverged()) else { continue };
        if best.is_none_or(|(value, _)| gain(sweep.metric(), cell.value, value) > 0.0) {
            best = Some((cell.value, (panel, row, column)));
        }
    }
    best.map(|(_, place)| place)
}

/// The points of each cell of one panel, and where the cells lie; an empty title takes them all.
fn place_points<'p, 'a>(
    sweep: &'p Sweep<'a>,
    title: &str,
    (spec, x_values, y_values): (&HeatmapSpec, &[Value], &[Value]),
) -> (Vec<Placed>, Vec<Vec<&'p Point<'a>>>) {
    let mut placed: Vec<Placed> = Vec::new();
    let mut items: Vec<Vec<&Point<'_>>> = Vec::new();
    for point in &sweep.points {
        if !title.is_empty() && sweep.optimizer(point) != title {
            continue;
        }
        let place =
            |name: &str, values: &[Value]| place_of(&sweep.value(point.trial(), name)?, values);
        let (Some(row), Some(column)) = (place(spec.y, y_values), place(spec.x, x_values)) else {
            continue;
        };
        match placed.iter().find(|place| place.row == row && place.column == column) {
            Some(place) => items[place.item].push(point),
            None => {
                placed.push(Placed { row, column, item: items.len() });
                items.push(vec![point]);
            }
        }
    }
    (placed, items)
}

fn cell(sweep: &Sweep<'_>, mode: Cell, points: &[&Point<'_>]) -> Option<HeatCell> {
    let metric = sweep.metric();
    let runs = || points.iter().flat_map(|point| &point.runs).filter(|run| run.score.is_some());
    let (value, sd) = match mode {
        Cell::Best => {
            let best = sweep.best_or_diverged(points)?;
            (best.mean(metric)?, best.sd(metric))
        }
        Cell::Mean => {
            let means: Vec<f64> = points.iter().filter_map(|point| point.mean(metric)).collect();
            let sd = if let [point] = points { point.sd(metric) } else { None };
            (stats::mean(&means)?, sd)
        }
    };
    Some(HeatCell {
        value,
        sd,
        n_runs: runs().count(),
        n_diverged: runs().filter(|run| run.is_diverged()).count(),
    })
}
