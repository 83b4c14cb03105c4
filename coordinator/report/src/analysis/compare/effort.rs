//! What a result costs: epochs, samples and processor seconds to a target, and what a budget buys.

use trial::EpochRecord;
use trial::known::{GRAD_SAMPLES, PROBE_SAMPLES, VALID_ACCURACY};

use super::clock::Clock;
use crate::analysis::points::{Point, Run};
use crate::analysis::sweep::Sweep;
use crate::stats;

/// Samples whose gradient or probe was computed, from the first epoch to `epoch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Samples {
    pub(crate) gradient: u64,
    pub(crate) probe: u64,
}

impl Samples {
    pub(crate) fn total(self) -> u64 {
        self.gradient + self.probe
    }
}

pub(crate) fn samples_until(run: &Run<'_>, epoch: u32) -> Samples {
    let epochs = || epochs(run).iter().filter(move |e| e.epoch <= epoch);
    Samples {
        gradient: epochs().map(|e| e[GRAD_SAMPLES]).sum(),
        probe: epochs().map(|e| e[PROBE_SAMPLES]).sum(),
    }
}

pub(crate) fn epochs<'a>(run: &Run<'a>) -> &'a [EpochRecord] {
    run.done().map_or(&[], |done| &done.history)
}

/// How soon a point's runs reach a validation accuracy; means over those that reach it.
pub(crate) struct Reached {
    pub(crate) n_runs: usize,
    pub(crate) n_reached: usize,
    pub(crate) epochs: Option<f64>,
    pub(crate) gradient_samples: Option<f64>,
    pub(crate) all_samples: Option<f64>,
    pub(crate) cpu_s: Option<f64>,
}

pub(crate) fn reach(point: &Point<'_>, target: f64, clock: &Clock) -> Reached {
    let hits: Vec<(&Run<'_>, u32)> = point
        .runs
        .iter()
        .filter_map(|run| {
            let epoch = epochs(run).iter().find(|epoch| epoch[VALID_ACCURACY] >= target)?;
            Some((run, epoch.epoch))
        })
        .collect();
    let mean = |cost: &dyn Fn(&Run<'_>, u32) -> Option<f64>| {
        stats::mean(&hits.iter().filter_map(|(run, epoch)| cost(run, *epoch)).collect::<Vec<_>>())
    };
    Reached {
        n_runs: point.runs.len(),
        n_reached: hits.len(),
        epochs: mean(&|_, epoch| Some(f64::from(epoch))),
        gradient_samples: mean(&|run, epoch| Some(samples_until(run, epoch).gradient as f64)),
        all_samples: mean(&|run, epoch| Some(samples_until(run, epoch).total() as f64)),
        cpu_s: mean(&|run, epoch| clock.cpu_s_until(run, epoch)),
    }
}

/// Among one optimizer's points whose seeds all reach the target, the one with the fewest samples on
/// the way, the first in row order if several.
pub(crate) fn quickest<'p, 'a>(
    sweep: &'p Sweep<'a>,
    optimizer: &str,
    target: f64,
    clock: &Clock,
) -> Option<&'p Point<'a>> {
    sweep
        .points_of(optimizer)
        .into_iter()
        .filter_map(|point| {
            let reached = reach(point, target, clock);
            (reached.n_reached == reached.n_runs).then_some((point, reached.all_samples?))
        })
        .reduce(|best, other| if other.1 < best.1 { other } else { best })
        .map(|(point, _)| point)
}

/// Best validation accuracy within a budget, mean over the runs with a result; `cost` is
/// what a run has spent when an epoch ends. An epoch beyond the budget does not count, and a run
/// whose first epoch is beyond it makes the whole `None`.
pub(crate) fn accuracy_within(
    point: &Point<'_>,
    budget: f64,
    cost: impl Fn(&Run<'_>, u32) -> Option<f64>,
) -> Option<f64> {
    let best_of = |run: &Run<'_>| {
        let epochs = epochs(run);
        // What was spent only grows, so the epochs within the budget come first.
        let is_within = |epoch: &EpochRecord| cost(run, epoch.epoch).is_some_and(|s| s <= budget);
        let n_within = epochs.partition_point(is_within);
        epochs[..n_within].iter().map(|epoch| epoch[VALID_ACCURACY]).reduce(f64::max)
    };
    let with_result = point.runs.iter().filter(|run| run.done().is_some());
    let bests: Option<Vec<f64>> = with_result.map(best_of).collect();
    stats::mean(&bests?)
}
