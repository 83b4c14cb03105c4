//! Section 4: what accuracy costs, and how safely it comes.

use trial::Value;

use super::curves::best_points;
use super::pareto;
use super::spread::{Shown, shown};
use crate::analysis::{
    AxisEffects, Clock, Effect, Point, Sweep, axis_effects, error, error_label, points_of,
    quickest, reach, sensitivity,
};
use crate::figures::chart;
use crate::figures::{AxisStyle, Chart, Figure, Mark, Panel, Series};
use crate::markdown::page::{Left, Page, Right, amount, count, escape};
use crate::markdown::phrases::{clock_sentence, half_row_note, mean_of, nothing_trained, seeds};
use crate::markdown::sections::tuning::line_search;
use crate::stats;

const TARGETS: [f64; 2] = [0.97, 0.98];
const MAX_BATCH_SIZES: usize = 6;
/// A longer line would hide its own band, and make a large file.
const MAX_RATES_DRAWN: usize = 200;

pub(crate) fn write(page: &mut Page, sweep: &Sweep<'_>, clock: &Clock) {
    page.heading(2, "4. Trade-offs");
    speed(page, sweep, clock);
    stability(page, sweep);
    cost_per_step(page, sweep, clock);
    pareto::write(page, sweep, clock);
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
    let best = best_points(sweep);
    if best.is_empty() {
        page.block(&format!("{}.", nothing_trained(sweep)));
        return;
    }
    let (mut rows, mut missed) = (Vec::new(), Vec::new());
    for target in TARGETS {
        let is_reached = |(name, best): &(String, &Point<'_>)| {
            quickest(sweep, name, target, clock).is_some()
                || reach(best, target, clock).n_reached > 0
        };
        if best.iter().any(is_reached) {
            let of =
                |(name, best): &(String, &Point<'_>)| speed_rows(sweep, target, name, best, clock);
            rows.extend(best.iter().flat_map(of));
        } else {
            missed.push(format!("{:.0} %", target * 100.0));
        }
    }
    if !missed.is_empty() {
        page.block(&format!(
            "No seed of an optimizer's best point reaches {}, and no point does with all its seeds.",
            missed.join(" or ")
        ));
    }
    if rows.is_empty() {
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

/// The best point and the quickest one, if there is one and they differ.
fn speed_rows(
    sweep: &Sweep<'_>,
    target: f64,
    optimizer: &str,
    best: &Point<'_>,
    clock: &Clock,
) -> Vec<Vec<String>> {
    let quickest = quickest(sweep, optimizer, target, clock);
    let mut rows = vec![speed_row(sweep, target, optimizer, "best", best, clock)];
    // The best point is often also the quickest: then one row says it.
    if let Some(point) = quickest.filter(|point| !std::ptr::eq(*point, best)) {
        rows.push(speed_row(sweep, target, optimizer, "quickest", point, clock));
    }
    rows
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
        value.map_or_else(|| "–".to_string(), |value| amount(value / unit, decimals))
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
            let trained = points.iter().filter(|point| point.is_trained());
            let sds: Vec<f64> = trained.filter_map(|point| point.sd(metric)).collect();
            let runs = || points.iter().flat_map(|point| &point.runs);
            let rate = sensitivity(sweep, "learning_rate", name).filter(|_| has_rates);
            vec![
                escape(name),
                runs().filter(|run| run.score.is_some()).count().to_string(),
                runs().filter(|run| run.is_diverged()).count().to_string(),
                runs().filter(|run| run.is_collapsed()).count().to_string(),
                sds.len().to_string(),
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
        (Right, "points with sd"),
        (Right, "median sd"),
        (Right, "largest sd"),
        (Right, "range over learning rates"),
    ];
    page.table(&header, &rows);
    page.block(&format!(
        "sd: of {} over the seeds of a point, over points where nothing diverged or collapsed{} \
         (their number is beside it). Collapsed: completed, but no better than 1.5 times chance. Range: between the \
         best and the worst learning rate, each with the best of everything else; small means that the \
         rate needs little tuning.",
        metric.title,
        if sweep.seeds().len() < 2 { " (it takes two seeds at least)" } else { "" },
    ));
    if has_rates && sweep.counts.n_completed > 0 {
        sensitivity_figure(page, sweep);
    }
}

fn sensitivity_figure(page: &mut Page, sweep: &Sweep<'_>) {
    let effects = axis_effects(sweep, "learning_rate", &sweep.optimizers);
    let places: Vec<usize> = (0..effects.values.len()).collect();
    let Shown { values: places, note } = shown(places, MAX_RATES_DRAWN, "learning rates");
    let rate_at = |place: usize| match effects.values[place] {
        Value::Number(rate) => Some((rate, &effects.effects[place])),
        _ => None,
    };
    let drawn: Vec<_> = places.into_iter().filter_map(rate_at).collect();
    let rates: Vec<f64> = drawn.iter().map(|(rate, _)| *rate).collect();
    let is_trained = |style: &usize| effects.range_of_best(*style).is_some();
    let named = sweep.optimizers.iter().enumerate().filter(|(style, _)| is_trained(style));
    let series = named.map(|(style, name)| {
        let trained = drawn.iter().filter_map(|(rate, row)| Some((*rate, row[style]?)));
        let trained = trained.filter(|(_, effect)| !effect.is_diverged);
        sensitivity_line(sweep, name, style, &trained.collect::<Vec<_>>())
    });
    let title = "Sensitivity to the learning rate".to_string();
    let ticks = if rates.len() <= 8 { rates.clone() } else { Vec::new() };
    let panel = Panel {
        title: None,
        x: AxisStyle::log("learning rate (line search: the step it starts from)").ticks(ticks),
        y: AxisStyle::log(&format!("best {}", error_label(sweep.metric()))),
        series: series.collect(),
    };
    let panels = vec![panel];
    let zero = half_row_note(sweep, sweep.metric(), &panels);
    if let Some(svg) = chart(&Chart { title: title.clone(), panels }) {
        let caption = format!(
            "At each learning rate the best over the other axes of the mean over {}, the band from the \
             lowest to the highest of these; lower is better. A flat line needs no tuning.{zero}{note}{}",
            seeds(sweep),
            diverged_rates(sweep, &effects),
        );
        let name = "learning-rate-sensitivity".to_string();
        page.figure(Figure { name, alt: title, svg }, &caption);
    }
}

fn sensitivity_line(
    sweep: &Sweep<'_>,
    name: &str,
    style: usize,
    effects: &[(f64, Effect)],
) -> Series {
    let error = |value| error(sweep.metric(), value, sweep.input.data.n_valid);
    let point = |(rate, effect): &(f64, Effect)| (*rate, error(effect.best));
    let band = |(rate, effect): &(f64, Effect)| {
        let (a, b) = effect.of_seeds;
        let (a, b) = (error(a), error(b));
        (*rate, a.min(b), a.max(b))
    };
    Series {
        label: name.to_string(),
        style,
        mark: Mark::DottedLine,
        points: effects.iter().map(point).collect(),
        band: effects.iter().map(band).collect(),
    }
}

/// Where chance would stand as if it were a result; nothing if something trained at every rate.
fn diverged_rates(sweep: &Sweep<'_>, effects: &AxisEffects) -> String {
    let named = sweep.optimizers.iter().enumerate().filter_map(|(column, name)| {
        let diverged = effects.effects.iter().filter_map(|row| row[column]);
        let n = diverged.filter(|effect| effect.is_diverged).count();
        (n > 0).then(|| format!("{} at {}", escape(name), count(n, "rate")))
    });
    let named: Vec<String> = named.collect();
    if named.is_empty() {
        return String::new();
    }
    format!(" Left out, because every trial there diverged: {}.", named.join(", "))
}

fn cost_per_step(page: &mut Page, sweep: &Sweep<'_>, clock: &Clock) {
    page.heading(3, "Cost per step");
    let Shown { values: sizes, note } =
        shown(sweep.axis_values("batch_size"), MAX_BATCH_SIZES, "batch sizes");
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
                stats::median(&costs).map_or_else(|| "–".to_string(), |c| amount(c, decimals))
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
        "Medians over points of means over seeds, validation after each epoch included. {}{note}",
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
