//! Section 4, last part: what the line searches did.

use trial::known::N_BACKTRACKS;
use trial::{Backtracks, StepSizes, Value};

use crate::analysis::{Point, Run, Sweep, epochs, significant, value_label};
use crate::figures::chart;
use crate::figures::{AxisStyle, Chart, Figure, Mark, Panel, Series};
use crate::markdown::page::{Left, Page, Right, count, escape, ordinal};
use crate::markdown::sections::comparison::curves::epoch_ticks;
use crate::markdown::sections::comparison::spread::{Shown, shown};
use crate::stats;

const MAX_RATES: usize = 12;
/// Optimizers in the figure.
const MAX_SEARCHES: usize = 4;
/// First steps in the figure: as many as there are colours.
const MAX_LINES: usize = 9;

pub(crate) fn write(page: &mut Page, sweep: &Sweep<'_>) {
    let searches: Vec<&String> =
        sweep.optimizers.iter().filter(|name| is_line_search(sweep, name)).collect();
    if searches.is_empty() {
        return;
    }
    page.heading(3, "Line search diagnostics");
    let Shown { values: rates, note } =
        shown(sweep.axis_values("learning_rate"), MAX_RATES, "first steps");
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
    page.block(&format!(
        "First step: the step a search starts from. Backtracks: probes that were refused, mean over \
         trials; percentile and most are the largest of any trial. Probes per gradient: samples probed \
         for each sample whose gradient was computed. Steps not taken: no probe was accepted.{note}",
    ));
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
    let counted: Vec<Backtracks> = work.iter().filter_map(|work| work.backtracks).collect();
    let mean = stats::mean(&counted.iter().map(|b| b.mean).collect::<Vec<_>>())?;
    let gradients: u64 = work.iter().map(|work| work.grad_samples).sum();
    let probes: u64 = work.iter().map(|work| work.probe_samples).sum();
    let last_steps: Vec<f64> =
        runs(&points).filter_map(|run| Some(StepSizes::of(epochs(run).last()?)?.median)).collect();
    let dash = || "–".to_string();
    Some(vec![
        escape(optimizer),
        value_label(rate),
        counted.len().to_string(),
        format!("{mean:.3}"),
        counted.iter().map(|b| b.p95).max().unwrap_or(0).to_string(),
        counted.iter().map(|b| b.max).max().unwrap_or(0).to_string(),
        if gradients == 0 { dash() } else { format!("{:.2}", probes as f64 / gradients as f64) },
        work.iter().map(|work| work.steps_without_step).sum::<u64>().to_string(),
        stats::median(&last_steps)
            .map_or_else(dash, |step| value_label(&Value::Number(significant(step, 3)))),
    ])
}

/// Accepted steps and backtracks over training, a row of panels an optimizer, a line a first step.
fn figure(page: &mut Page, sweep: &Sweep<'_>, searches: &[&String], rates: &[Value]) {
    let most = |run: &Run<'_>| run.done()?.work.backtracks.map(|it| it.max);
    if sweep.points.iter().flat_map(|point| &point.runs).filter_map(most).all(|most| most == 0) {
        page.block(
            "No search refused a probe: every accepted step is the step the search starts from, so its \
             course over training is not drawn.",
        );
        return;
    }
    let searches = &searches[..searches.len().min(MAX_SEARCHES)];
    let stride = rates.len().div_ceil(MAX_LINES).max(1);
    let rates: Vec<&Value> = rates.iter().step_by(stride).collect();
    let labelled: Vec<(String, &Point<'_>)> = searches
        .iter()
        .flat_map(|name| sweep.points_of(name).into_iter().map(|point| ((*name).clone(), point)))
        .collect();
    let panels = searches.iter().flat_map(|name| {
        let panel = |what: &str, y: AxisStyle, course: &dyn Fn(&[&Point<'_>]) -> Course| Panel {
            title: Some(format!("{name}: {what}")),
            x: AxisStyle::linear("epoch").ticks(epoch_ticks(&labelled)),
            y,
            series: rates
                .iter()
                .enumerate()
                .map(|(style, rate)| {
                    let Course { points, band } = course(&at_rate(sweep, name, rate));
                    let label = format!("first step {}", value_label(rate));
                    Series { label, style, mark: Mark::Line, points, band }
                })
                .collect(),
        };
        [
            panel("accepted step", AxisStyle::log("accepted step (log)"), &steps),
            panel("backtracks", AxisStyle::linear("backtracks per step").with_zero(), &backtracks),
        ]
    });
    let title = "Line searches over training: accepted steps and backtracks".to_string();
    let panels: Vec<Panel> = panels.collect();
    let n_trials: usize = labelled.iter().map(|(_, point)| point.runs.len()).sum();
    if let Some(svg) = chart(&Chart { title: title.clone(), panels }) {
        let caption = format!(
            "{} by the step their searches start from. Steps: median over trials of each epoch's lower \
             median, the band from the smallest to the largest step of an epoch (medians over trials \
             too). Backtracks: mean over the trials that completed.{}",
            count(n_trials, "trial"),
            if stride > 1 {
                format!(" Every {} first step is shown.", ordinal(stride))
            } else {
                String::new()
            }
        );
        page.figure(Figure { name: "line-search".to_string(), alt: title, svg }, &caption);
    }
}

/// A line over the epochs with its band.
struct Course {
    points: Vec<(f64, f64)>,
    band: Vec<(f64, f64, f64)>,
}

/// Numbers of the epochs to show, from 0; longer trainings are thinned.
fn epoch_numbers(points: &[&Point<'_>]) -> impl Iterator<Item = usize> {
    const MAX_STEPS: usize = 200;
    let n_epochs = runs(points).map(|run| epochs(run).len()).max().unwrap_or(0);
    (0..n_epochs).step_by(n_epochs.div_ceil(MAX_STEPS).max(1))
}

fn steps(points: &[&Point<'_>]) -> Course {
    let mut course = Course { points: Vec::new(), band: Vec::new() };
    for index in epoch_numbers(points) {
        let of_runs: Vec<StepSizes> =
            runs(points).filter_map(|run| StepSizes::of(epochs(run).get(index)?)).collect();
        let median = |part: fn(&StepSizes) -> f64| {
            stats::median(&of_runs.iter().map(part).collect::<Vec<_>>())
        };
        let (Some(low), Some(middle), Some(high)) =
            (median(|s| s.min), median(|s| s.median), median(|s| s.max))
        else {
            continue;
        };
        let epoch = index as f64 + 1.0;
        course.points.push((epoch, middle));
        course.band.push((epoch, low, high));
    }
    course
}

/// Backtracks by epoch of completed trials alone, whose epochs all have equally many steps.
fn backtracks(points: &[&Point<'_>]) -> Course {
    let per_step = |run: &Run<'_>, index: usize| {
        let done = run.done().filter(|_| !run.is_diverged())?;
        let n_steps = done.work.n_steps as f64 / done.history.len() as f64;
        Some(done.history.get(index)?[N_BACKTRACKS] as f64 / n_steps)
    };
    let means = epoch_numbers(points).filter_map(|index| {
        let of_runs: Vec<f64> = runs(points).filter_map(|run| per_step(run, index)).collect();
        Some((index as f64 + 1.0, stats::mean(&of_runs)?))
    });
    Course { points: means.collect(), band: Vec::new() }
}
