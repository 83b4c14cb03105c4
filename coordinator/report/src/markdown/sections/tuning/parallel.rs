//! Section 6: the best points across all axes at once.

use std::collections::BTreeMap;

use trial::Value;

use crate::analysis::{Point, Sweep, error, error_label, half_row, place_of, value_label};
use crate::figures::parallel;
use crate::figures::{Figure, Parallel, Path, Slots};
use crate::markdown::page::{Page, count, escape, ordinal};
use crate::markdown::phrases::{seeds, words, zero_note};

/// A heatmap shows two axes better.
const MIN_AXES: usize = 3;
const MAX_AXES: usize = 8;
/// A tenth of the points is highlighted, within these bounds.
const N_BEST: (usize, usize) = (5, 40);
/// With fewer points the best ones are no selection.
const MIN_POINTS: usize = 15;
/// Grey lines; more would only fill the ground.
const MAX_OTHERS: usize = 120;

pub(crate) fn write(page: &mut Page, sweep: &Sweep<'_>) {
    let mut axes: Vec<&str> = sweep.swept_axes.iter().copied().take(MAX_AXES).collect();
    if sweep.optimizers.len() > 1 {
        axes.insert(0, "optimizer");
    }
    let mut ranked: Vec<&Point<'_>> =
        sweep.points.iter().filter(|point| point.is_complete()).collect();
    ranked.sort_by(|a, b| sweep.rank(a, b));
    let n_trained = ranked.iter().filter(|point| !point.is_all_diverged()).count();
    let n_best = ranked.len().div_ceil(10).clamp(N_BEST.0, N_BEST.1).min(n_trained);
    if axes.len() < MIN_AXES || ranked.len() < MIN_POINTS || sweep.counts.n_completed == 0 {
        return;
    }
    let metric = sweep.metric();
    let (best, others) = ranked.split_at(n_best);
    let title = format!(
        "The best {n_best} of {} by {} over all axes",
        count(ranked.len(), "point"),
        metric.title
    );
    let values: Vec<Vec<Value>> = axes.iter().map(|name| sweep.axis_values(name)).collect();
    let n_valid = sweep.input.data.n_valid;
    let error_of = |point: &Point<'_>| error(metric, point.mean(metric).unwrap_or(0.0), n_valid);
    let has_zero = ranked.iter().any(|point| error_of(point) <= half_row(n_valid));
    let path = |point: &Point<'_>, style: Option<usize>| Path {
        slots: axes
            .iter()
            .zip(&values)
            .map(|(name, values)| place_of(&sweep.value(point.trial(), name)?, values))
            .collect(),
        measure: error_of(point),
        style,
    };
    let stride = others.len().div_ceil(MAX_OTHERS).max(1);
    let others = others.iter().rev().step_by(stride).map(|point| path(point, None));
    let style = |point: &Point<'_>| sweep.optimizer_number(point);
    let lines = others.chain(best.iter().rev().map(|point| path(point, Some(style(point)))));
    let drawn = parallel(&Parallel {
        title: title.clone(),
        measure: error_label(metric).to_string(),
        lines: lines.collect(),
        axes: axes
            .iter()
            .zip(&values)
            .map(|(name, values)| Slots {
                label: words(name),
                values: values.iter().map(value_label).collect(),
            })
            .collect(),
        legend: legend(sweep, best),
    });
    let Some(svg) = drawn else { return };
    page.heading(3, "Where the best points lie");
    page.block(&most_frequent(sweep, best, &axes));
    let caption = format!(
        "One line a point, means over {}; coloured the best {n_best}, grey the others{}. Within a value \
         lines fan out, better ones higher.{}",
        seeds(sweep),
        if stride > 1 { format!(" (every {})", ordinal(stride)) } else { String::new() },
        zero_note(sweep, metric, has_zero),
    );
    page.figure(Figure { name: "best-points".to_string(), alt: title, svg }, &caption);
}

/// The optimizers among the best points.
fn legend(sweep: &Sweep<'_>, best: &[&Point<'_>]) -> Vec<(String, usize)> {
    let is_among = |style: usize| best.iter().any(|p| sweep.optimizer_number(p) == style);
    let named = sweep.optimizers.iter().enumerate().map(|(style, name)| (name.clone(), style));
    named.filter(|(_, style)| is_among(*style)).collect()
}

/// The value that most of the best points share, axis by axis.
fn most_frequent(sweep: &Sweep<'_>, best: &[&Point<'_>], axes: &[&str]) -> String {
    let frequent = axes.iter().filter_map(|name| {
        let mut n_with: BTreeMap<String, usize> = BTreeMap::new();
        for value in best.iter().filter_map(|point| sweep.value(point.trial(), name)) {
            *n_with.entry(value_label(&value)).or_default() += 1;
        }
        let (value, n) = n_with.into_iter().reduce(|a, b| if b.1 > a.1 { b } else { a })?;
        Some(format!("{} {} ({n})", escape(&words(name)), escape(&value)))
    });
    format!(
        "Most frequent among the best {}, axis by axis: {}.",
        count(best.len(), "point"),
        frequent.collect::<Vec<_>>().join(", ")
    )
}
