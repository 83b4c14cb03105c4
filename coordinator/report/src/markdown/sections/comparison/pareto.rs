//! Section 4: accuracy against processor time.

use sweep::Objective;

use crate::analysis::{Clock, Point, Sweep, error, error_label, percent};
use crate::figures::chart;
use crate::figures::{AxisStyle, Chart, Figure, Mark, Panel, Series, usual_limit};
use crate::markdown::page::{Left, Page, Right, amount, count, escape};
use crate::markdown::phrases::{clock_sentence, half_row_note, seeds};

/// More dots would only hide each other.
const MAX_DOTS: usize = 1_000;
const MAX_ROWS: usize = 12;

/// Accuracy against processor time: which points nothing else beats in both.
pub(crate) fn write(page: &mut Page, sweep: &Sweep<'_>, clock: &Clock) {
    page.heading(3, "Accuracy against CPU seconds");
    let mut dots: Vec<Dot<'_, '_>> = sweep
        .points
        .iter()
        .filter(|point| point.is_trained())
        .filter_map(|point| {
            let accuracy = point.mean(Objective::VALID_ACCURACY)?;
            Some(Dot { point, seconds: clock.mean_cpu_s(point)?, accuracy })
        })
        .collect();
    let by_accuracy = |a: &Dot<'_, '_>, b: &Dot<'_, '_>| sweep.by_accuracy(a.point, b.point);
    dots.sort_by(|a, b| a.seconds.total_cmp(&b.seconds).then_with(|| by_accuracy(a, b)));
    let mut front: Vec<&Dot<'_, '_>> = Vec::new();
    for dot in &dots {
        if front.last().is_none_or(|best| by_accuracy(dot, best).is_lt()) {
            front.push(dot);
        }
    }
    if front.is_empty() {
        page.block("No point has both an accuracy and timings.");
        return;
    }
    figure(page, sweep, clock, &dots, &front);
    let rows: Vec<Vec<String>> = front
        .iter()
        .rev()
        .take(MAX_ROWS)
        .map(|dot| {
            vec![
                escape(&sweep.describe(dot.point)),
                format!("{} %", percent(dot.accuracy)),
                amount(dot.seconds, 2),
            ]
        })
        .collect();
    let shown = if front.len() > rows.len() {
        format!(" The most accurate {}:", rows.len())
    } else {
        String::new()
    };
    page.block(&format!(
        "{} on the front: nothing else is both quicker and better.{shown}",
        count(front.len(), "point"),
    ));
    let header = [(Left, "point"), (Right, "validation accuracy"), (Right, "CPU s per trial")];
    page.table(&header, &rows);
}

struct Dot<'p, 'a> {
    point: &'p Point<'a>,
    seconds: f64,
    accuracy: f64,
}

fn figure(
    page: &mut Page,
    sweep: &Sweep<'_>,
    clock: &Clock,
    dots: &[Dot<'_, '_>],
    front: &[&Dot<'_, '_>],
) {
    let n_valid = sweep.input.data.n_valid;
    let shown = |accuracy| error(Objective::VALID_ACCURACY, accuracy, n_valid);
    let place = |dot: &Dot<'_, '_>| (dot.seconds, shown(dot.accuracy));
    let (seconds, errors): (Vec<f64>, Vec<f64>) = dots.iter().map(place).unzip();
    let (x_limit, y_limit) = (usual_limit(seconds), usual_limit(errors));
    let n_beyond = dots.iter().map(place).filter(|(x, y)| *x > x_limit || *y > y_limit).count();
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
    // A single point makes no line.
    if front.len() > 1 {
        series.push(Series {
            label: "front".to_string(),
            style: 0,
            mark: Mark::Steps,
            points: front.iter().map(|dot| place(dot)).collect(),
            band: Vec::new(),
        });
    }
    let title = "Validation error against CPU seconds per trial".to_string();
    let panel = Panel {
        title: None,
        x: AxisStyle::log("CPU seconds per trial (log)").at_most(x_limit),
        y: AxisStyle::log(&error_label(Objective::VALID_ACCURACY)).at_most(y_limit),
        series,
    };
    let panels = vec![panel];
    let note = half_row_note(sweep, Objective::VALID_ACCURACY, &panels);
    if let Some(svg) = chart(&Chart { title: title.clone(), panels }) {
        let caption = format!(
            "{} where nothing diverged or collapsed, means over {}; lower left is better{}.{note} {}",
            count(dots.len(), "point"),
            seeds(sweep),
            match n_beyond {
                0 => String::new(),
                n =>
                    format!("; {} beyond the axes on their border, as triangles", count(n, "point")),
            },
            clock_sentence(clock)
        );
        page.figure(Figure { name: "pareto".to_string(), alt: title, svg }, &caption);
    }
}
