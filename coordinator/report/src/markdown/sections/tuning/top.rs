//! Section 7: the best points as a table, and where all rows are.

use sweep::Objective;
use trial::{Unit, Value};

use crate::analysis::{Point, Sweep, score_text, spread_text, value_label};
use crate::markdown::page::{Left, Page, Right, count, escape};
use crate::markdown::phrases::words;
use crate::markdown::phrases::{id_digits, short_id};

const N_ROWS: usize = 20;
/// More axes would make the table wider than a screen.
const MAX_AXES: usize = 4;
const MAX_IDS: usize = 3;

pub(crate) fn write(page: &mut Page, sweep: &Sweep<'_>) {
    page.heading(2, "7. Top table");
    let metric = sweep.metric();
    let mut ranked: Vec<&Point<'_>> =
        sweep.points.iter().filter(|point| point.mean(metric).is_some()).collect();
    ranked.sort_by(|a, b| sweep.rank(a, b));
    let mut axes = sweep.swept_axes.clone();
    axes.truncate(MAX_AXES);
    let axis_names: Vec<String> = axes.iter().map(|name| escape(&words(name))).collect();
    let mut header = vec![(Right, "rank"), (Left, "optimizer")];
    header.extend(axis_names.iter().map(|name| (Right, name.as_str())));
    header.extend([(Right, metric.title), (Right, sd_name(metric)), (Left, "trials")]);
    let digits = id_digits(sweep);
    let rows: Vec<Vec<String>> = ranked
        .iter()
        .take(N_ROWS)
        .enumerate()
        .map(|(index, point)| row(sweep, index + 1, point, &axes, digits))
        .collect();
    page.table(&header, &rows);
    page.block(&format!(
        "Shown: {} of {}, ranked by mean {} over seeds{}{}. \
         Trials are named by the first {digits} digits of their id, in seed order{}.",
        rows.len(),
        count(ranked.len(), "point"),
        metric.title,
        if ranked.iter().all(|point| point.is_complete()) {
            ""
        } else {
            "; a point that misses a seed may rank by luck"
        },
        if ranked.iter().any(|point| point.is_all_diverged()) {
            "; those of which every trial diverged stand last and have no rank"
        } else {
            ""
        },
        if sweep.seeds().len() > MAX_IDS { ", the first three" } else { "" },
    ));
    let results = sweep.counts.results_name();
    page.block(&format!(
        "All rows, with every hyperparameter, trial id and digest: [`{results}.csv`]({results}.csv) and \
         [`{results}.parquet`]({results}.parquet). Every epoch of every trial: \
         [`history.parquet`](history.parquet); how long each took, and where: \
         [`timings.parquet`](timings.parquet)."
    ));
    if let Some(widths) = date_like(sweep) {
        page.block(&format!(
            "In a spreadsheet import the column `hidden` of the CSV file as text: it would take {} for a date.",
            crate::markdown::page::code(&widths)
        ));
    }
}

/// The heading of standard deviations, with their unit.
fn sd_name(metric: Objective) -> &'static str {
    match metric.unit {
        Unit::Share => "sd, pt",
        Unit::Plain => "sd",
    }
}

/// Layers that a spreadsheet reads as a date: `12-10`, `3-64` or `8-4-2`.
fn date_like(sweep: &Sweep<'_>) -> Option<String> {
    let hidden = sweep.axis_values("hidden");
    let is_month = |width: &u32| (1..=12).contains(width);
    hidden.iter().find_map(|value| match value {
        Value::Widths(widths) if (2..=3).contains(&widths.len()) => {
            widths.iter().any(is_month).then(|| value_label(value))
        }
        _ => None,
    })
}

fn row(
    sweep: &Sweep<'_>,
    rank: usize,
    point: &Point<'_>,
    axes: &[&str],
    digits: usize,
) -> Vec<String> {
    let metric = sweep.metric();
    // They stand last, in the order of rows, which is no rank.
    let rank = if point.is_all_diverged() { "–".to_string() } else { rank.to_string() };
    let mut cells = vec![rank, escape(sweep.optimizer(point))];
    cells.extend(axes.iter().map(|name| escape(&sweep.label(point.trial(), name))));
    if point.is_all_diverged() {
        cells.extend(["*diverged*", "–"].map(String::from));
    } else {
        let sd = point.sd(metric).map(|sd| spread_text(metric, sd));
        cells.push(point.mean(metric).map_or_else(String::new, |mean| score_text(metric, mean)));
        cells.push(sd.unwrap_or_else(|| "–".to_string()));
    }
    let ids = point
        .runs
        .iter()
        .take(MAX_IDS)
        .map(|run| crate::markdown::page::code(&short_id(run.trial.id, digits)));
    cells.push(ids.collect::<Vec<_>>().join(" "));
    cells
}
