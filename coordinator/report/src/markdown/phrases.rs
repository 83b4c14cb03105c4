//! Phrases and forms that several sections share.

use std::fmt::Display;
use sweep::{Objective, number_text};

use trial::Unit;

use crate::analysis::{
    Clock, Paired, Point, Run, Sweep, half_row, is_distinguishable, points_of, score_text,
    significant, spread_text,
};
use crate::figures::Panel;
use crate::markdown::page::{Page, count, escape};
use crate::stats;

/// Over how many seeds of the grid a figure is a mean: `3 seeds`, or `up to 3 seeds` while some have
/// no result.
pub(crate) fn seeds(sweep: &Sweep<'_>) -> String {
    let n_seeds = count(sweep.seeds().len(), "seed");
    if sweep.counts.is_complete() { n_seeds } else { format!("up to {n_seeds}") }
}

/// For the caption of a figure on a log axis of errors, where one of them is drawn as half a row;
/// empty otherwise.
pub(crate) fn half_row_note(sweep: &Sweep<'_>, metric: Objective, panels: &[Panel]) -> String {
    let series = panels.iter().flat_map(|panel| &panel.series);
    let mut drawn = series.flat_map(|series| {
        let band = series.band.iter().map(|(_, low, _)| *low);
        series.points.iter().map(|point| point.1).chain(band)
    });
    let half = half_row(sweep.input.data.n_valid);
    zero_note(sweep, metric, drawn.any(|error| error <= half))
}

/// The same where the caller knows whether there is such an error.
pub(crate) fn zero_note(sweep: &Sweep<'_>, metric: Objective, is_there: bool) -> String {
    if metric.unit != Unit::Share || !is_there {
        return String::new();
    }
    let half = half_row(sweep.input.data.n_valid);
    format!(
        " An error of 0, which a log axis cannot show, is drawn as half a row of those that validate \
         ({} %), and so is any below that.",
        number_text(significant(half, 2))
    )
}

/// Why there is no best point to speak of.
pub(crate) fn nothing_trained(sweep: &Sweep<'_>) -> &'static str {
    if sweep.counts.n_diverged > 0 && sweep.counts.n_completed == 0 {
        "Every trial with a result diverged"
    } else {
        "No trial has a complete epoch"
    }
}

/// Names the optimizers that what follows leaves out.
pub(crate) fn without_best(page: &mut Page, sweep: &Sweep<'_>) {
    let names = sweep.without_best();
    let named = names.iter().map(|(name, ending)| format!("{} ({ending})", escape(name)));
    if !names.is_empty() {
        let named = named.collect::<Vec<_>>().join(", ");
        page.block(&format!("Without a best point, and so not shown here: {named}."));
    }
}

/// What a collapsed trial is, for the first place that speaks of one.
pub(crate) const COLLAPSED: &str = "A trial *collapsed* when it completed but learned nothing: its \
    best validation accuracy is at most 1.5 times chance.";

/// Mean over seeds with its 95 % interval, such as `98.12 % ± 0.10`.
pub(crate) fn mean_with_interval(metric: Objective, values: &[f64]) -> String {
    let Some(mean) = stats::mean(values) else { return "–".to_string() };
    let half = stats::t_interval(values).map(|half| format!(" ± {}", spread_text(metric, half)));
    format!("{}{}", score_text(metric, mean), half.unwrap_or_default())
}

/// `p = 0.012`, `p < 0.001`.
pub(crate) fn p_text(p: f64) -> String {
    if p < 0.001 { "p < 0.001".to_string() } else { format!("p = {p:.3}") }
}

/// How many trials diverged or collapsed, and the effect without the points of these; nothing when
/// all trained.
pub(crate) fn failures_text(sweep: &Sweep<'_>, paired: &Paired) -> Option<String> {
    let (n_better, n_than) = paired.n_failed_to_train();
    if n_better + n_than == 0 {
        return None;
    }
    let mut counts = Vec::new();
    if paired.n_diverged != (0, 0) {
        let (better, than) = paired.n_diverged;
        counts.push(format!("{better} against {than} trials diverged and count as chance"));
    }
    if paired.n_collapsed != (0, 0) {
        let (better, than) = paired.n_collapsed;
        counts.push(format!("{better} against {than} trials collapsed"));
    }
    let counts = counts.join(", ");
    let Some(trained) = &paired.trained else {
        return Some(format!("{counts}; no matched point is without such a trial"));
    };
    let metric = sweep.metric();
    let interval = trained.test.map(|test| {
        let verdict =
            if is_distinguishable(test) { "" } else { ", which is not distinguishable from 0" };
        let (low, high) = (points_of(metric, test.low), points_of(metric, test.high));
        format!(" ({low} to {high}){verdict}")
    });
    let start = if paired.is_decided_by_failures() {
        format!(
            "**{} diverged or collapsed decide this**: without",
            count(n_better + n_than, "trial")
        )
    } else {
        "without".to_string()
    };
    Some(format!(
        "{counts}; {start} their points ({} of {} remain) the difference is {}{}",
        trained.n_matched,
        paired.n_matched,
        points_of(metric, trained.gain),
        interval.unwrap_or_default()
    ))
}

pub(crate) fn words(name: &str) -> String {
    name.replace('_', " ")
}

pub(crate) fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

pub(crate) fn clock_sentence(clock: &Clock) -> String {
    clock.describe().map_or_else(
        || "No trial has timings.".to_string(),
        |class| format!("CPU seconds: {}.", escape(&class)),
    )
}

pub(crate) fn mean_of(point: &Point<'_>, cost: &dyn Fn(&Run<'_>) -> Option<f64>) -> Option<f64> {
    stats::mean(&point.runs.iter().filter_map(cost).collect::<Vec<_>>())
}

/// How many digits tell all trials of the sweep apart, six at least.
pub(crate) fn id_digits(sweep: &Sweep<'_>) -> usize {
    let mut ids: Vec<String> =
        sweep.input.trials.iter().map(|trial| trial.id.to_string()).collect();
    ids.sort_unstable();
    let shared =
        |pair: &[String]| pair[0].bytes().zip(pair[1].bytes()).take_while(|(a, b)| a == b).count();
    ids.windows(2).map(|pair| shared(pair) + 1).max().unwrap_or(0).max(6)
}

/// The first digits of an id or a digest.
pub(crate) fn short_id(id: impl Display, digits: usize) -> String {
    format!("{id:.digits$}")
}
