//! Section 4: what accuracy costs, and how safely it comes.

use super::answer::metric_name;
use super::comparison::{clock_sentence, mean_of};
use super::curves::best_points;
use super::line_search;
use super::page::{Left, Page, Right, count, escape};
use crate::analysis::{Clock, Point, Sweep, axis_effects, points_of, quickest, reach, sensitivity};
use crate::figures::{AxisStyle, Chart, Figure, Mark, Panel, Series, chart};
use crate::input::{Metric, Value};
use crate::stats;

const TARGETS: [f64; 2] = [0.97, 0.98];
/// More dots would only hide each other.
const MAX_DOTS: usize = 2_000;
const MAX_BATCH_SIZES: usize = 6;

pub(crate) fn write(page: &mut Page, sweep: &Sweep<'_>, clock: &Clock) {
    page.heading(2, "4. Trade-offs");
    speed(page, sweep, clock);
    stability(page, sweep);
    cost_per_step(page, sweep, clock);
    pareto(page, sweep, clock);
    line_search::write(page, sweep);
}

fn speed(page: &mut Page, sweep: &Sweep<'_>, clock: &Clock) {
    page.heading(3, "Convergence speed");
    let header = [
        (Right, "target"),
        (Left, "optimizer"),
        (Left, "point"),
        (Right, "reached"),
        (Right, "epochs"),
        (Right, "gradient samples, M"),
        (Right, "with probes, M"),
        (Right, "CPU s"),
    ];
    let mut rows = Vec::new();
    for target in TARGETS {
        for (name, best) in best_points(sweep) {
            rows.push(speed_row(sweep, target, &name, "best", best, clock));
            // The best point is often also the quickest: then one row says it.
            let quickest = quickest(sweep, &name, target, clock);
            if let Some(point) = quickest.filter(|point| !std::ptr::eq(*point, best)) {
                rows.push(speed_row(sweep, target, &name, "quickest", point, clock));
            }
        }
    }
    if rows.is_empty() {
        page.block("No trial has a complete epoch yet.");
        return;
    }
    page.table(&header, &rows);
    page.block(&format!(
        "To the end of the first epoch whose validation accuracy reaches the target; means over the \
         seeds that reach it. *Best* is the optimizer's best point, *quickest* the one whose seeds all \
         reach the target with the fewest samples, gradients and probes together. {}",
        clock_sentence(clock)
    ));
}

fn speed_row(
    sweep: &Sweep<'_>,
    target: f64,
    optimizer: &str,
    role: &str,
    point: &Point<'_>,
    clock: &Clock,
) -> Vec<String> {
    let reached = reach(point, target, clock);
    let number = |value: Option<f64>, unit: f64, decimals: usize| {
        value.map_or_else(|| "–".to_string(), |value| format!("{:.decimals$}", value / unit))
    };
    let described = sweep.describe(point);
    // The optimizer has its own column.
    let rest = described.strip_prefix(&format!("{optimizer}, ")).unwrap_or_default();
    vec![
        format!("{:.0} %", target * 100.0),
        escape(optimizer),
        if rest.is_empty() { format!("*{role}*") } else { format!("*{role}*: {}", escape(rest)) },
        format!("{} / {}", reached.n_reached, reached.n_runs),
        number(reached.epochs, 1.0, 1),
        number(reached.gradient_samples, 1e6, 2),
        number(reached.all_samples, 1e6, 2),
        number(reached.cpu_s, 1.0, 2),
    ]
}

fn stability(page: &mut Page, sweep: &Sweep<'_>) {
    page.heading(3, "Stability");
    let metric = sweep.metric();
    let has_rates = sweep.swept_axes.contains(&"learning_rate");
    let dash = || "–".to_string();
    let spread = |value: Option<f64>| {
        value.map_or_else(dash, |sd| points_of(metric, sd).trim_start_matches('+').to_string())
    };
    let rows: Vec<Vec<String>> = sweep
        .optimizers
        .iter()
        .map(|name| {
            let points = sweep.points_of(name);
            // Chance beside a trained seed is no spread of training: those points are left out.
            let trained = points.iter().filter(|point| point.n_diverged() == 0);
            let sds: Vec<f64> = trained.filter_map(|point| point.sd(metric)).collect();
            let runs = || points.iter().flat_map(|point| &point.runs);
            let rate = sensitivity(sweep, "learning_rate", name).filter(|_| has_rates);
            vec![
                escape(name),
                runs().filter(|run| run.score.is_some()).count().to_string(),
                runs().filter(|run| run.is_diverged()).count().to_string(),
                runs().filter(|run| run.is_collapsed()).count().to_string(),
                spread(stats::median(&sds)),
                spread(sds.iter().copied().reduce(f64::max)),
                spread(rate),
            ]
        })
        .collect();
    let header = [
        (Left, "optimizer"),
        (Right, "trials"),
        (Right, "diverged"),
        (Right, "collapsed"),
        (Right, "median sd"),
        (Right, "largest sd"),
        (Right, "range over learning rates"),
    ];
    page.table(&header, &rows);
    page.block(&format!(
        "sd: of {} over the seeds of a point, over points where nothing diverged{}. Range: between the \
         best and the worst learning rate, each with the best of everything else; small means that the \
         rate needs little tuning.",
        metric_name(metric),
        if sweep.seeds().len() < 2 { " (it takes two seeds at least)" } else { "" },
    ));
    if has_rates {
        sensitivity_figure(page, sweep);
    }
}

fn sensitivity_figure(page: &mut Page, sweep: &Sweep<'_>) {
    let effects = axis_effects(sweep, "learning_rate", &sweep.optimizers);
    let rates: Vec<f64> = effects
        .values
        .iter()
        .filter_map(|value| if let Value::Number(rate) = value { Some(*rate) } else { None })
        .collect();
    let metric = sweep.metric();
    let (label, unit) = match metric {
        Metric::ValidAccuracy => ("best validation error, % (log)", 100.0),
        Metric::ValidLoss => ("best validation loss (log)", 1.0),
    };
    let series = sweep.optimizers.iter().enumerate().map(|(style, name)| Series {
        label: name.clone(),
        style,
        mark: Mark::DottedLine,
        points: rates
            .iter()
            .zip(&effects.effects)
            .filter_map(|(rate, row)| {
                let best = row[style]?.best;
                let shown = if metric == Metric::ValidAccuracy { 1.0 - best } else { best };
                Some((*rate, shown * unit))
            })
            .collect(),
        band: Vec::new(),
    });
    let title = "Sensitivity to the learning rate".to_string();
    let ticks = if rates.len() <= 8 { rates.clone() } else { Vec::new() };
    let panel = Panel {
        title: String::new(),
        x: AxisStyle::log("learning rate (line search: the step it starts from)").ticks(ticks),
        y: AxisStyle::log(label),
        series: series.collect(),
    };
    if let Some(svg) = chart(&Chart { title: title.clone(), panels: vec![panel] }) {
        let caption = format!(
            "At each learning rate the best over the other axes of the mean over {}; lower is better. \
             A flat line needs no tuning.",
            count(sweep.seeds().len(), "seed")
        );
        let name = "learning-rate-sensitivity".to_string();
        page.figure(Figure { name, alt: title, svg }, &caption);
    }
}

fn cost_per_step(page: &mut Page, sweep: &Sweep<'_>, clock: &Clock) {
    page.heading(3, "Cost per step");
    let sizes: Vec<Value> =
        sweep.axis_values("batch_size").into_iter().take(MAX_BATCH_SIZES).collect();
    let labels: Vec<String> =
        sizes.iter().map(|size| format!("batch {}", crate::analysis::value_label(size))).collect();
    let mut header = vec![(Left, "CPU µs per step")];
    header.extend(labels.iter().map(|label| (Right, label.as_str())));
    header.push((Right, "CPU s per epoch"));
    let rows: Vec<Vec<String>> = sweep
        .optimizers
        .iter()
        .map(|name| {
            let points = sweep.points_of(name);
            let median = |cost: &dyn Fn(&Point<'_>) -> Option<f64>, decimals: usize| {
                let costs: Vec<f64> = points.iter().filter_map(|point| cost(point)).collect();
                stats::median(&costs).map_or_else(|| "–".to_string(), |c| format!("{c:.decimals$}"))
            };
            let mut row = vec![escape(name)];
            row.extend(sizes.iter().map(|size| {
                median(
                    &|point| {
                        let value = sweep.value(point.trial(), "batch_size");
                        (value.as_ref() == Some(size)).then(|| us_per_step(point, clock)).flatten()
                    },
                    0,
                )
            }));
            row.push(median(&|point| s_per_epoch(point, clock), 2));
            row
        })
        .collect();
    page.table(&header, &rows);
    page.block(&format!(
        "Medians over points of means over seeds, validation after each epoch included. {}",
        clock_sentence(clock)
    ));
}

fn us_per_step(point: &Point<'_>, clock: &Clock) -> Option<f64> {
    mean_of(point, &|run| {
        let n_steps = run.done()?.work.n_steps;
        (n_steps > 0).then_some(clock.cpu_s(run)? * 1e6 / n_steps as f64)
    })
}

fn s_per_epoch(point: &Point<'_>, clock: &Clock) -> Option<f64> {
    mean_of(point, &|run| {
        let n_epochs = run.done()?.timings.len();
        (n_epochs > 0).then_some(clock.cpu_s(run)? / n_epochs as f64)
    })
}

/// Accuracy against processor time: which points nothing else beats in both.
fn pareto(page: &mut Page, sweep: &Sweep<'_>, clock: &Clock) {
    page.heading(3, "Accuracy against CPU seconds");
    let mut dots: Vec<Dot<'_, '_>> = sweep
        .points
        .iter()
        .filter(|point| point.n_diverged() == 0)
        .filter_map(|point| {
            let accuracy = point.mean(Metric::ValidAccuracy)?;
            Some(Dot { point, seconds: clock.mean_cpu_s(point)?, accuracy })
        })
        .collect();
    dots.sort_by(|a, b| a.seconds.total_cmp(&b.seconds).then(b.accuracy.total_cmp(&a.accuracy)));
    let mut front: Vec<&Dot<'_, '_>> = Vec::new();
    for dot in &dots {
        if front.last().is_none_or(|best| dot.accuracy > best.accuracy) {
            front.push(dot);
        }
    }
    if front.is_empty() {
        page.block("No point has both an accuracy and timings.");
        return;
    }
    pareto_figure(page, sweep, clock, &dots, &front);
    const MAX_ROWS: usize = 12;
    let rows: Vec<Vec<String>> = front
        .iter()
        .rev()
        .take(MAX_ROWS)
        .map(|dot| {
            vec![
                escape(&sweep.describe(dot.point)),
                format!("{} %", crate::analysis::percent(dot.accuracy)),
                format!("{:.2}", dot.seconds),
            ]
        })
        .collect();
    page.block(&format!(
        "{} on the front: nothing else is both quicker and better. The best {}:",
        count(front.len(), "point"),
        rows.len()
    ));
    let header = [(Left, "point"), (Right, "validation accuracy"), (Right, "CPU s per trial")];
    page.table(&header, &rows);
}

struct Dot<'p, 'a> {
    point: &'p Point<'a>,
    seconds: f64,
    accuracy: f64,
}

fn pareto_figure(
    page: &mut Page,
    sweep: &Sweep<'_>,
    clock: &Clock,
    dots: &[Dot<'_, '_>],
    front: &[&Dot<'_, '_>],
) {
    // An error of nothing has no place on a log axis.
    let place = |dot: &Dot<'_, '_>| (dot.seconds, ((1.0 - dot.accuracy) * 100.0).max(0.01));
    let stride = dots.len().div_ceil(MAX_DOTS).max(1);
    let mut series: Vec<Series> = sweep
        .optimizers
        .iter()
        .enumerate()
        .map(|(style, name)| Series {
            label: name.clone(),
            style,
            mark: Mark::Dots,
            points: dots
                .iter()
                .filter(|dot| sweep.optimizer(dot.point) == *name)
                .step_by(stride)
                .map(place)
                .collect(),
            band: Vec::new(),
        })
        .collect();
    series.push(Series {
        label: "front".to_string(),
        style: 0,
        mark: Mark::Steps,
        points: front.iter().map(|dot| place(dot)).collect(),
        band: Vec::new(),
    });
    let title = "Validation error against CPU seconds per trial".to_string();
    let panel = Panel {
        title: String::new(),
        x: AxisStyle::log("CPU seconds per trial (log)"),
        y: AxisStyle::log("validation error, % (log)"),
        series,
    };
    if let Some(svg) = chart(&Chart { title: title.clone(), panels: vec![panel] }) {
        let caption = format!(
            "{} where nothing diverged, means over {}; lower left is better. {}",
            count(dots.len(), "point"),
            count(sweep.seeds().len(), "seed"),
            clock_sentence(clock)
        );
        page.figure(Figure { name: "pareto".to_string(), alt: title, svg }, &caption);
    }
}
