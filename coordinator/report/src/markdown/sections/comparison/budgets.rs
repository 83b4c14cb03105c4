//! Section 3, second part: the optimizers' best points at equal budgets.

use trial::Work;

use super::convergence;
use super::curves::best_points;
use crate::analysis::{Clock, Run, Sweep, accuracy_within, percent, samples_until};
use crate::markdown::page::{Left, Page, Right, amount, escape};
use crate::markdown::phrases::{clock_sentence, mean_of, nothing_trained, without_best};

/// The best point of each optimizer by epochs, by work and by time.
pub(crate) fn write(page: &mut Page, sweep: &Sweep<'_>, clock: &Clock) {
    let best = best_points(sweep);
    if best.is_empty() {
        page.block(&format!("{}, so costs cannot be compared.", nothing_trained(sweep)));
        return;
    }
    page.heading(3, "At equal budgets");
    without_best(page, sweep);
    let work: Vec<Option<f64>> = best.iter().map(|(_, p)| mean_of(p, &total_samples)).collect();
    let time: Vec<Option<f64>> = best.iter().map(|(_, p)| clock.mean_cpu_s(p)).collect();
    let least = |costs: &[Option<f64>]| costs.iter().flatten().copied().reduce(f64::min);
    let (work_budget, time_budget) = (least(&work), least(&time));
    let dash = || "–".to_string();
    let accuracy = |share: Option<f64>| share.map_or_else(dash, |a| format!("{} %", percent(a)));
    let rows: Vec<Vec<String>> = best
        .iter()
        .zip(work.iter().zip(&time))
        .map(|((name, point), (samples, seconds))| {
            let spent = |run: &Run<'_>, epoch: u32| Some(samples_until(run, epoch).total() as f64);
            let macs = |of: &dyn Fn(&Work) -> u64| {
                mean_of(point, &|run| Some(of(&run.done()?.work) as f64))
                    .map_or_else(dash, |n| amount(n / 1e9, 1))
            };
            // A trial that sets a budget keeps all of it, seeds above its mean too.
            let within = |own: Option<f64>, budget: Option<f64>| {
                if own == budget { f64::INFINITY } else { budget.unwrap_or(0.0) }
            };
            vec![
                escape(name),
                mean_of(point, &|run| Some(run.done()?.history.len() as f64))
                    .map_or_else(dash, |n| format!("{n:.1}")),
                samples.map_or_else(dash, |n| amount(n / 1e6, 2)),
                macs(&|work| work.macs_textbook),
                macs(&|work| work.macs_executed),
                seconds.map_or_else(dash, |s| amount(s, 2)),
                accuracy(accuracy_within(point, f64::INFINITY, |_, _| Some(0.0))),
                accuracy(accuracy_within(point, within(*samples, work_budget), spent)),
                accuracy(accuracy_within(point, within(*seconds, time_budget), |run, epoch| {
                    clock.cpu_s_until(run, epoch)
                })),
            ]
        })
        .collect();
    let header = [
        (Left, "optimizer's best point"),
        (Right, "epochs"),
        (Right, "samples, M"),
        (Right, "multiply-adds by the book, G"),
        (Right, "executed, G"),
        (Right, "CPU s"),
        (Right, "accuracy, all epochs"),
        (Right, "at equal samples"),
        (Right, "at equal CPU s"),
    ];
    page.table(&header, &rows);
    page.block(&format!(
        "Means over seeds per trial. Samples are those whose gradient was computed plus those a line \
         search probed; multiply-adds by the book are those of dense products. Fewer are executed, because \
         the first layer leaves out zero inputs and line searches use the Gram form; the zeros that layers \
         above leave out are not subtracted. Equal budgets are the smallest mean total among these \
         points ({} M samples, {} CPU s); within it the best validation accuracy after a \
         whole epoch counts, and the point that sets a budget keeps its full score. {}",
        work_budget.map_or_else(dash, |n| amount(n / 1e6, 2)),
        time_budget.map_or_else(dash, |s| amount(s, 2)),
        clock_sentence(clock),
    ));
    convergence::write(page, sweep, clock, &best);
}

fn total_samples(run: &Run<'_>) -> Option<f64> {
    let work = &run.done()?.work;
    Some((work.grad_samples + work.probe_samples) as f64)
}
