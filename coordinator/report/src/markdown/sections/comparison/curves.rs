//! Section 5: training curves of each optimizer's best point.

use trial::EpochRecord;
use trial::known::{TRAIN_ACCURACY, TRAIN_LOSS, VALID_ACCURACY, VALID_LOSS};

use crate::analysis::{Point, Run, Sweep, epochs, loss_text, percent};
use crate::figures::chart;
use crate::figures::{AxisStyle, Chart, Figure, Mark, Panel, Series};
use crate::markdown::page::{Left, Page, Right, escape};
use crate::markdown::phrases::{nothing_trained, seeds, without_best};
use crate::stats;

/// Steps of a curve; longer trainings are thinned.
const MAX_STEPS: usize = 200;

pub(crate) fn write(page: &mut Page, sweep: &Sweep<'_>) {
    page.heading(2, "5. Training logs and curves");
    let best = best_points(sweep);
    if best.is_empty() {
        page.block(&format!("{}.", nothing_trained(sweep)));
        return;
    }
    without_best(page, sweep);
    figure(page, sweep, &best);
    table(page, sweep, &best);
    page.block(
        "Training figures are running means over the epoch, each batch measured before its update; \
         validation is measured at the epoch's end. These are figures after the last epoch; elsewhere \
         in the report the validation accuracy of a trial is that of its best epoch. Every epoch of every trial is in \
         [`history.parquet`](history.parquet).",
    );
}

/// The best point of each optimizer that has one with a complete epoch.
pub(crate) fn best_points<'p, 'a>(sweep: &'p Sweep<'a>) -> Vec<(String, &'p Point<'a>)> {
    sweep
        .optimizers
        .iter()
        .filter_map(|name| {
            let point = sweep.best(sweep.points_of(name))?;
            let trained = point.runs.iter().any(|run| !epochs(run).is_empty());
            trained.then(|| (name.clone(), point))
        })
        .collect()
}

/// Mean of a figure by epoch over the seeds whose place on the x axis is known, with the band from the lowest to the highest seed.
pub(crate) fn mean_line(
    label: String,
    style: usize,
    point: &Point<'_>,
    x: impl Fn(&Run<'_>, &EpochRecord) -> Option<f64>,
    y: impl Fn(&EpochRecord) -> f64,
) -> Series {
    let n_epochs = point.runs.iter().map(|run| epochs(run).len()).max().unwrap_or(0);
    let stride = n_epochs.div_ceil(MAX_STEPS).max(1);
    let mut points = Vec::new();
    let mut band = Vec::new();
    for index in (0..n_epochs).step_by(stride) {
        let at: Vec<(f64, f64)> = point
            .runs
            .iter()
            .filter_map(|run| {
                let epoch = epochs(run).get(index)?;
                Some((x(run, epoch)?, y(epoch)))
            })
            .collect();
        let (xs, ys): (Vec<f64>, Vec<f64>) = at.into_iter().unzip();
        let (Some(mean_x), Some(mean_y)) = (stats::mean(&xs), stats::mean(&ys)) else { continue };
        points.push((mean_x, mean_y));
        if ys.len() > 1 {
            let low = ys.iter().copied().fold(f64::INFINITY, f64::min);
            let high = ys.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            band.push((mean_x, low, high));
        }
    }
    Series { label, style, mark: Mark::Line, points, band }
}

/// Every epoch while there are few, so that no tick falls between two; else the scale's choice.
pub(crate) fn epoch_ticks(points: &[(String, &Point<'_>)]) -> Vec<f64> {
    const MAX_TICKS: usize = 12;
    let runs = points.iter().flat_map(|(_, point)| &point.runs);
    let n_epochs = runs.map(|run| epochs(run).len()).max().unwrap_or(0);
    if n_epochs > MAX_TICKS { Vec::new() } else { (1..=n_epochs).map(|n| n as f64).collect() }
}

fn figure(page: &mut Page, sweep: &Sweep<'_>, best: &[(String, &Point<'_>)]) {
    let panel = |title: &str, y: AxisStyle, field: fn(&EpochRecord) -> f64| Panel {
        title: Some(title.to_string()),
        x: AxisStyle::linear("epoch").ticks(epoch_ticks(best)),
        y,
        series: best
            .iter()
            .enumerate()
            .map(|(style, (name, point))| {
                let x = |_: &Run<'_>, epoch: &EpochRecord| Some(f64::from(epoch.epoch));
                mean_line(name.clone(), style, point, x, field)
            })
            .collect(),
    };
    let loss = || AxisStyle::log("cross-entropy");
    let accuracy = || AxisStyle::linear("accuracy, %");
    let title = "Training curves of each optimizer's best point".to_string();
    let drawn = chart(&Chart {
        title: title.clone(),
        panels: vec![
            panel("training loss", loss(), |e| e[TRAIN_LOSS]),
            panel("validation loss", loss(), |e| e[VALID_LOSS]),
            panel("training accuracy", accuracy(), |e| e[TRAIN_ACCURACY] * 100.0),
            panel("validation accuracy", accuracy(), |e| e[VALID_ACCURACY] * 100.0),
        ],
    });
    if let Some(svg) = drawn {
        let caption = format!(
            "Mean over {}, the band from the lowest to the highest; losses on a log axis.",
            seeds(sweep)
        );
        page.figure(Figure { name: "curves".to_string(), alt: title, svg }, &caption);
    }
}

fn table(page: &mut Page, sweep: &Sweep<'_>, best: &[(String, &Point<'_>)]) {
    let header = [
        (Left, "after the last epoch"),
        (Right, "train loss"),
        (Right, "valid loss"),
        (Right, "train accuracy"),
        (Right, "valid accuracy"),
        (Right, "seeds"),
    ];
    let rows: Vec<Vec<String>> = best
        .iter()
        .map(|(_, point)| {
            let last: Vec<&EpochRecord> =
                point.runs.iter().filter_map(|run| epochs(run).last()).collect();
            let mean = |field: fn(&EpochRecord) -> f64| {
                stats::mean(&last.iter().map(|e| field(e)).collect::<Vec<_>>()).unwrap_or(0.0)
            };
            vec![
                escape(&sweep.describe(point)),
                loss_text(mean(|e| e[TRAIN_LOSS])),
                loss_text(mean(|e| e[VALID_LOSS])),
                format!("{} %", percent(mean(|e| e[TRAIN_ACCURACY]))),
                format!("{} %", percent(mean(|e| e[VALID_ACCURACY]))),
                last.len().to_string(),
            ]
        })
        .collect();
    page.table(&header, &rows);
}
