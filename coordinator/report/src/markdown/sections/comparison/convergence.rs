//! Section 3, last part: how fast each optimizer's best point gets better.

use sweep::Objective;
use trial::EpochRecord;
use trial::known::VALID_ACCURACY;

use super::curves::{epoch_ticks, mean_line};
use crate::analysis::{Clock, Point, Run, Sweep, error, error_label, samples_until};
use crate::figures::chart;
use crate::figures::{AxisStyle, Chart, Figure, Panel};
use crate::markdown::page::Page;
use crate::markdown::phrases::{clock_sentence, half_row_note, seeds};

/// By epochs and by work, which are canonical, and in a figure of its own by processor time, which
/// is not.
pub(crate) fn write(
    page: &mut Page,
    sweep: &Sweep<'_>,
    clock: &Clock,
    best: &[(String, &Point<'_>)],
) {
    let seeds = seeds(sweep);
    let band = format!(
        "Each optimizer's best point: mean over {seeds}, the band from the lowest to the highest; lower \
         and further left is better."
    );
    let by_epochs = AxisStyle::linear("epochs").ticks(epoch_ticks(best));
    let by_work = AxisStyle::linear("gradient and probe samples, millions");
    let samples = |run: &Run<'_>, epoch: u32| Some(samples_until(run, epoch).total() as f64 / 1e6);
    let title = "Validation error by epochs and by work".to_string();
    let n_valid = sweep.input.data.n_valid;
    let panels = vec![
        panel(best, n_valid, Some("by epochs"), by_epochs, &|_, epoch| Some(f64::from(epoch))),
        panel(best, n_valid, Some("by work"), by_work, &samples),
    ];
    let note = half_row_note(sweep, Objective::VALID_ACCURACY, &panels);
    if let Some(svg) = chart(&Chart { title: title.clone(), panels }) {
        let figure = Figure { name: "convergence".to_string(), alt: title, svg };
        page.figure(
            figure,
            &format!("{band}{note} Work counts the samples that line searches probe."),
        );
    }
    let title = "Validation error by CPU time".to_string();
    let by_time = AxisStyle::linear("CPU seconds of a trial, validation included");
    let cost = |run: &Run<'_>, epoch: u32| clock.cpu_s_until(run, epoch);
    let panels = vec![panel(best, n_valid, None, by_time, &cost)];
    if let Some(svg) = chart(&Chart { title: title.clone(), panels }) {
        let figure = Figure { name: "convergence-by-time".to_string(), alt: title, svg };
        page.figure(figure, &format!("{band}{note} {}", clock_sentence(clock)));
    }
}

fn panel(
    best: &[(String, &Point<'_>)],
    n_valid: u32,
    title: Option<&str>,
    x: AxisStyle,
    cost: &dyn Fn(&Run<'_>, u32) -> Option<f64>,
) -> Panel {
    let shown =
        |epoch: &EpochRecord| error(Objective::VALID_ACCURACY, epoch[VALID_ACCURACY], n_valid);
    let x_of = |run: &Run<'_>, epoch: &EpochRecord| cost(run, epoch.epoch);
    let series = best.iter().enumerate();
    let series =
        series.map(|(style, (name, point))| mean_line(name.clone(), style, point, x_of, shown));
    Panel {
        title: title.map(String::from),
        x,
        y: AxisStyle::log(&error_label(Objective::VALID_ACCURACY)),
        series: series.collect(),
    }
}
