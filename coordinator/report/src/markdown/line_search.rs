//! Section 4, last part: what the line searches did.

use super::curves::epoch_ticks;
use super::page::{Left, Page, Right, escape};
use crate::analysis::{Point, Run, Sweep, epochs, value_label};
use crate::figures::{AxisStyle, Chart, Figure, Mark, Panel, Series, chart};
use crate::input::Value;
use crate::stats;

const MAX_RATES: usize = 12;

pub(crate) fn write(page: &mut Page, sweep: &Sweep<'_>) {
    let searches: Vec<&String> =
        sweep.optimizers.iter().filter(|name| is_line_search(sweep, name)).collect();
    if searches.is_empty() {
        return;
    }
    page.heading(3, "Line search diagnostics");
    let rates: Vec<Value> =
        sweep.axis_values("learning_rate").into_iter().take(MAX_RATES).collect();
    let mut rows = Vec::new();
    for name in &searches {
        rows.extend(rates.iter().filter_map(|rate| row(sweep, name, rate)));
    }
    let header = [
        (Left, "optimizer"),
        (Right, "first step"),
        (Right, "trials"),
        (Right, "backtracks per step"),
        (Right, "95th percentile"),
        (Right, "most"),
        (Right, "probes per gradient"),
        (Right, "steps not taken"),
        (Right, "median step, last epoch"),
    ];
    page.table(&header, &rows);
    page.block(
        "First step: the step a search starts from. Backtracks: probes that were refused, mean over \
         trials; percentile and most are the largest of any trial. Probes per gradient: samples probed \
         for each sample whose gradient was computed. Steps not taken: no probe was accepted.",
    );
    figure(page, sweep, &searches, &rates);
}

fn is_line_search(sweep: &Sweep<'_>, optimizer: &str) -> bool {
    runs(&sweep.points_of(optimizer))
        .any(|run| run.done().is_some_and(|d| d.work.backtracks.is_some()))
}

fn runs<'p, 'a>(points: &'p [&'p Point<'a>]) -> impl Iterator<Item = &'p Run<'a>> {
    points.iter().flat_map(|point| &point.runs)
}

fn at_rate<'p, 'a>(sweep: &'p Sweep<'a>, optimizer: &str, rate: &Value) -> Vec<&'p Point<'a>> {
    let mut points = sweep.points_of(optimizer);
    points.retain(|point| sweep.value(point.trial(), "learning_rate").as_ref() == Some(rate));
    points
}

fn row(sweep: &Sweep<'_>, optimizer: &str, rate: &Value) -> Option<Vec<String>> {
    let points = at_rate(sweep, optimizer, rate);
    let work: Vec<_> = runs(&points).filter_map(|run| Some(&run.done()?.work)).collect();
    let counted: Vec<(f64, u32, u32)> = work.iter().filter_map(|work| work.backtracks).collect();
    let mean = stats::mean(&counted.iter().map(|b| b.0).collect::<Vec<_>>())?;
    let gradients: u64 = work.iter().map(|work| work.grad_samples).sum();
    let probes: u64 = work.iter().map(|work| work.probe_samples).sum();
    let last_steps: Vec<f64> =
        runs(&points).filter_map(|run| Some(epochs(run).last()?.steps?.1)).collect();
    let dash = || "–".to_string();
    Some(vec![
        escape(optimizer),
        value_label(rate),
        counted.len().to_string(),
        format!("{mean:.3}"),
        counted.iter().map(|b| b.1).max().unwrap_or(0).to_string(),
        counted.iter().map(|b| b.2).max().unwrap_or(0).to_string(),
        if gradients == 0 { dash() } else { format!("{:.2}", probes as f64 / gradients as f64) },
        work.iter().map(|work| work.steps_without_step).sum::<u64>().to_string(),
        stats::median(&last_steps)
            .map_or_else(dash, |step| value_label(&Value::Number(rounded(step)))),
    ])
}

/// Three significant digits.
fn rounded(x: f64) -> f64 {
    format!("{x:.2e}").parse().unwrap_or(x)
}

/// Accepted steps over training, one panel an optimizer, one line a first step.
fn figure(page: &mut Page, sweep: &Sweep<'_>, searches: &[&String], rates: &[Value]) {
    if searches.iter().all(|name| rates.iter().all(|rate| keeps_first_step(sweep, name, rate))) {
        page.block(
            "In every epoch the median accepted step is the first step itself, so its course over \
             training is not drawn.",
        );
        return;
    }
    let labelled: Vec<(String, &Point<'_>)> = searches
        .iter()
        .flat_map(|name| sweep.points_of(name).into_iter().map(|point| ((*name).clone(), point)))
        .collect();
    let panels = searches.iter().map(|name| Panel {
        title: (*name).clone(),
        x: AxisStyle::linear("epoch").ticks(epoch_ticks(&labelled)),
        y: AxisStyle::log("median accepted step (log)"),
        series: rates
            .iter()
            .enumerate()
            .map(|(style, rate)| Series {
                label: format!("first step {}", value_label(rate)),
                style,
                mark: Mark::Line,
                points: median_steps(&at_rate(sweep, name, rate)),
                band: Vec::new(),
            })
            .collect(),
    });
    let title = "Accepted steps over training".to_string();
    if let Some(svg) = chart(&Chart { title: title.clone(), panels: panels.collect() }) {
        let figure = Figure { name: "accepted-steps".to_string(), alt: title, svg };
        page.figure(
            figure,
            "Median over trials of each epoch's lower median of the accepted steps.",
        );
    }
}

/// Whether the median accepted step of every epoch is the step that the search starts from.
fn keeps_first_step(sweep: &Sweep<'_>, optimizer: &str, rate: &Value) -> bool {
    let Value::Number(first) = rate else { return false };
    // Steps are single precision, the axis is not.
    let is_first = |step: f64| (step - first).abs() <= 1e-6 * first.abs();
    median_steps(&at_rate(sweep, optimizer, rate)).iter().all(|(_, step)| is_first(*step))
}

fn median_steps(points: &[&Point<'_>]) -> Vec<(f64, f64)> {
    const MAX_STEPS: usize = 200;
    let n_epochs = runs(points).map(|run| epochs(run).len()).max().unwrap_or(0);
    (0..n_epochs)
        .step_by(n_epochs.div_ceil(MAX_STEPS).max(1))
        .filter_map(|index| {
            let steps: Vec<f64> =
                runs(points).filter_map(|run| Some(epochs(run).get(index)?.steps?.1)).collect();
            Some((index as f64 + 1.0, stats::median(&steps)?))
        })
        .collect()
}
