//! Section 6: what tuning this sweep teaches.

pub mod heatmaps;
pub mod importance;
pub mod line_search;
pub mod parallel;
pub mod top;

use sweep::Objective;
use trial::known::{TRAIN_ACCURACY, VALID_ACCURACY, VALID_LOSS};
use trial::{EpochRecord, Unit};

use crate::analysis::{
    BestOf, Point, Sweep, axis_effects, best_epoch, best_of_k, borders, error, error_label, gain,
    loss_text, percent, points_of, score_text, value_label,
};
use crate::figures::chart;
use crate::figures::{AxisStyle, Chart, Figure, Mark, Panel, Series};
use crate::input::Done;
use crate::markdown::page::{Left, Page, Right, escape};
use crate::markdown::phrases::{capitalized, half_row_note, seeds, without_best, words};
use crate::markdown::sections::comparison::curves::best_points;
use crate::markdown::sections::comparison::spread::{Shown, shown};
use crate::stats;

const MAX_AXES: usize = 8;
const MAX_VALUES: usize = 16;
/// Columns of optimizers beside the first; more would make a table wider than a screen.
const MAX_OPTIMIZERS: usize = 8;
const MAX_CURVE: usize = 500;
/// Instead of a score that would be chance.
const DIVERGED: &str = "*diverged*";

pub(crate) fn write(page: &mut Page, sweep: &Sweep<'_>) {
    page.heading(2, "6. Tuning insights");
    without_best(page, sweep);
    importance::write(page, sweep);
    parallel::write(page, sweep);
    effects(page, sweep);
    border_warnings(page, sweep);
    rate_by_batch(page, sweep);
    best_of(page, sweep);
    overfitting(page, sweep);
}

fn shown_optimizers<'s>(sweep: &'s Sweep<'_>) -> &'s [String] {
    &sweep.optimizers[..sweep.optimizers.len().min(MAX_OPTIMIZERS)]
}

fn effects(page: &mut Page, sweep: &Sweep<'_>) {
    page.heading(3, "Effect of each axis");
    let axes: Vec<&str> = sweep.swept_axes.iter().copied().take(MAX_AXES).collect();
    if axes.is_empty() {
        page.block("Besides the optimizer no axis takes more than one value, so there is no effect to show.");
        return;
    }
    page.block(&format!(
        "{} of all points with a value, mean / best over the other axes; diverged trials count as chance.",
        capitalized(sweep.metric().title)
    ));
    let optimizers = shown_optimizers(sweep);
    let names: Vec<String> = optimizers.iter().map(|name| escape(name)).collect();
    for axis in axes {
        let effects = axis_effects(sweep, axis, optimizers);
        let both = effects.values.iter().zip(&effects.effects).collect();
        let Shown { values: shown_effects, note } = shown(both, MAX_VALUES, "values");
        let name = escape(&words(axis));
        let mut header = vec![(Right, name.as_str())];
        header.extend(names.iter().map(|name| (Right, name.as_str())));
        let mut rows: Vec<Vec<String>> = shown_effects
            .into_iter()
            .map(|(value, row)| {
                let cell = |effect: &Option<_>| {
                    effect.as_ref().map_or_else(|| "–".to_string(), |e| pair(sweep.metric(), e))
                };
                std::iter::once(escape(&value_label(value))).chain(row.iter().map(cell)).collect()
            })
            .collect();
        let ranges = (0..optimizers.len())
            .map(|column| range(sweep.metric(), effects.range_of_best(column)));
        rows.push(std::iter::once("range of best".to_string()).chain(ranges).collect());
        page.table(&header, &rows);
        if !note.is_empty() {
            page.block(&format!("{} The range is that of all.", note.trim_start()));
        }
    }
}

fn pair(metric: Objective, effect: &crate::analysis::Effect) -> String {
    if effect.is_diverged {
        return DIVERGED.to_string();
    }
    match metric.unit {
        Unit::Share => format!("{} / {} %", percent(effect.mean), percent(effect.best)),
        Unit::Plain => format!("{} / {}", loss_text(effect.mean), loss_text(effect.best)),
    }
}

/// Between the best and the worst, without a sign.
fn range(metric: Objective, ends: Option<(f64, f64)>) -> String {
    let Some((low, high)) = ends else { return "–".to_string() };
    points_of(metric, gain(metric, high, low).abs()).trim_start_matches('+').to_string()
}

fn border_warnings(page: &mut Page, sweep: &Sweep<'_>) {
    let borders = borders(sweep);
    if borders.is_empty() {
        return;
    }
    let lines = borders.iter().map(|border| {
        let (end, beyond) =
            if border.is_lowest { ("lowest", "smaller") } else { ("highest", "larger") };
        format!(
            "- **{}**: the best {} is the {end} of the axis ({}); {beyond} values may be better still.",
            escape(&border.optimizer),
            escape(&words(&border.axis)),
            escape(&border.value)
        )
    });
    page.block("Best values on the border of what was tried, where they beat the value beside them by more than \
         the pooled standard deviation over seeds:");
    page.block(&lines.collect::<Vec<_>>().join("\n"));
}

/// What stands for the best of points that have none.
fn without_score(points: &[&Point<'_>]) -> &'static str {
    if points.iter().any(|point| point.is_all_diverged()) { DIVERGED } else { "–" }
}

/// Batch size and learning rate act together: the best rate of each batch size.
fn rate_by_batch(page: &mut Page, sweep: &Sweep<'_>) {
    let axes = &sweep.swept_axes;
    if !axes.contains(&"learning_rate") || !axes.contains(&"batch_size") {
        return;
    }
    page.heading(3, "Best learning rate of each batch size");
    let optimizers = shown_optimizers(sweep);
    let names: Vec<String> = optimizers.iter().map(|name| escape(name)).collect();
    let mut header = vec![(Right, "batch size")];
    header.extend(names.iter().map(|name| (Right, name.as_str())));
    let Shown { values: sizes, note } =
        shown(sweep.axis_values("batch_size"), MAX_VALUES, "batch sizes");
    let rows: Vec<Vec<String>> = sizes
        .iter()
        .map(|size| {
            let best = |optimizer: &String| {
                let mut points = sweep.points_of(optimizer);
                points.retain(|p| sweep.value(p.trial(), "batch_size").as_ref() == Some(size));
                sweep.best(points.iter().copied()).map_or_else(
                    || without_score(&points).to_string(),
                    |point| {
                        let rate = sweep.label(point.trial(), "learning_rate");
                        let mean = point.mean(sweep.metric()).unwrap_or(0.0);
                        format!("{} ({})", escape(&rate), score_text(sweep.metric(), mean))
                    },
                )
            };
            std::iter::once(value_label(size)).chain(optimizers.iter().map(best)).collect()
        })
        .collect();
    page.table(&header, &rows);
    page.block(&format!(
        "A larger batch takes fewer steps per epoch, so it often wants a larger rate.{note}"
    ));
}

/// What k points drawn from the grid give: is an optimizer good, or only well tuned?
fn best_of(page: &mut Page, sweep: &Sweep<'_>) {
    let curves: Vec<(&String, BestOf)> = sweep
        .optimizers
        .iter()
        .filter_map(|name| Some((name, best_of_k(sweep, name, MAX_CURVE)?)))
        .filter(|(_, best_of)| best_of.n_points > 1)
        .collect();
    if curves.is_empty() {
        return;
    }
    page.heading(3, "What few points give");
    let metric = sweep.metric();
    let optimizers = &curves[..curves.len().min(MAX_OPTIMIZERS)];
    let names: Vec<String> = optimizers
        .iter()
        .map(|(name, best_of)| format!("{} ({})", escape(name), best_of.n_points))
        .collect();
    let mut header = vec![(Right, "points drawn")];
    header.extend(names.iter().map(|name| (Right, name.as_str())));
    let longest = curves.iter().map(|(_, best_of)| best_of.n_points).max().unwrap_or(0);
    let rows: Vec<Vec<String>> = [1, 2, 5, 10, 20, 50, 100]
        .into_iter()
        .filter(|k| *k <= longest)
        .map(|k| {
            let at = |(_, best_of): &(&String, BestOf)| {
                best_of.curve.get(k - 1).map_or_else(|| "–".to_string(), |v| score_text(metric, *v))
            };
            std::iter::once(k.to_string()).chain(optimizers.iter().map(at)).collect()
        })
        .collect();
    page.table(&header, &rows);
    page.block(&format!(
        "Expected best mean {} when k points are drawn from an optimizer's grid (its number of points \
         in brackets) without replacement: E = Σ v₍ᵢ₎ C(i−1, k−1) / C(n, k).",
        metric.title
    ));
    best_of_figure(page, sweep, &curves);
}

fn best_of_figure(page: &mut Page, sweep: &Sweep<'_>, curves: &[(&String, BestOf)]) {
    let metric = sweep.metric();
    let series = curves.iter().map(|(name, best_of)| Series {
        label: (*name).clone(),
        style: sweep.optimizers.iter().position(|other| other == *name).unwrap_or(0),
        mark: Mark::Line,
        points: best_of
            .curve
            .iter()
            .enumerate()
            .map(|(index, value)| {
                (index as f64 + 1.0, error(metric, *value, sweep.input.data.n_valid))
            })
            .collect(),
        band: Vec::new(),
    });
    let title = "Expected best of k points".to_string();
    let panel = Panel {
        title: None,
        x: AxisStyle::log("points drawn, k (log)"),
        y: AxisStyle::log(&format!("expected {}", error_label(metric))),
        series: series.collect(),
    };
    let panels = vec![panel];
    let note = half_row_note(sweep, metric, &panels);
    if let Some(svg) = chart(&Chart { title: title.clone(), panels }) {
        let caption = format!("Lower is better; each point is a mean over {}.{note}", seeds(sweep));
        page.figure(Figure { name: "best-of-k".to_string(), alt: title, svg }, &caption);
    }
}

fn overfitting(page: &mut Page, sweep: &Sweep<'_>) {
    let best = best_points(sweep);
    if best.is_empty() {
        return;
    }
    page.heading(3, "Overfitting");
    let rows: Vec<Vec<String>> = best.iter().map(|(name, point)| gap_row(name, point)).collect();
    let header = [
        (Left, "optimizer's best point"),
        (Right, "train − valid accuracy, best epoch"),
        (Right, "last epoch"),
        (Right, "best epoch (mean)"),
        (Right, "valid loss, lowest"),
        (Right, "valid loss, last epoch"),
        (Right, "seeds"),
    ];
    page.table(&header, &rows);
    page.block(
        "A gap that widens, or a validation loss that rises after its lowest, is overfitting. Training \
         accuracy is the running mean of the epoch, so early in training it lags behind validation.",
    );
}

fn gap_row(name: &str, point: &Point<'_>) -> Vec<String> {
    let done: Vec<&Done> = point.runs.iter().filter_map(|run| run.done()).collect();
    let mean = |figure: &dyn Fn(&Done) -> Option<f64>| {
        stats::mean(&done.iter().filter_map(|done| figure(done)).collect::<Vec<_>>())
    };
    let gap = |epoch: &EpochRecord| epoch[TRAIN_ACCURACY] - epoch[VALID_ACCURACY];
    let dash = || "–".to_string();
    let points = |value: Option<f64>| {
        value.map_or_else(dash, |gap| points_of(Objective::VALID_ACCURACY, gap))
    };
    let loss = |value: Option<f64>| value.map_or_else(dash, loss_text);
    vec![
        escape(name),
        points(mean(&|done| best_epoch(done).map(gap))),
        points(mean(&|done| done.history.last().map(gap))),
        mean(&|done| best_epoch(done).map(|epoch| f64::from(epoch.epoch)))
            .map_or_else(dash, |epoch| format!("{epoch:.1}")),
        loss(mean(&|done| done.history.iter().map(|e| e[VALID_LOSS]).reduce(f64::min))),
        loss(mean(&|done| done.history.last().map(|e| e[VALID_LOSS]))),
        done.len().to_string(),
    ]
}
