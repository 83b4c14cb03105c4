//! Processor time, told apart by class of machine: seconds of different machines are never mixed.

use std::collections::BTreeMap;

use trial::Timing;

use crate::analysis::points::{Point, Run};
use crate::analysis::sweep::Sweep;
use crate::stats;

/// Measures the trials that ran on the most used class of machine from their first epoch to their
/// last.
pub(crate) struct Clock {
    /// Instruction set and processor; `None` without any timing.
    class: Option<(String, String)>,
    processors: BTreeMap<String, String>,
    n_classes: usize,
    /// Smallest and largest number of slots in use.
    slots: (u32, u32),
}

impl Clock {
    pub(crate) fn of(sweep: &Sweep<'_>) -> Self {
        let workers = &sweep.input.provenance.workers;
        let processors: BTreeMap<String, String> =
            workers.iter().map(|worker| (worker.name.clone(), worker.cpu.clone())).collect();
        let mut slots = (u32::MAX, 0);
        let mut n_epochs: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let runs = sweep.points.iter().flat_map(|point| &point.runs);
        for timing in runs.filter_map(|run| run.done()).flat_map(|done| &done.timings) {
            *n_epochs.entry(class_of(&processors, timing)).or_default() += 1;
            slots = (timing.n_slots_in_use.min(slots.0), timing.n_slots_in_use.max(slots.1));
        }
        let n_classes = n_epochs.len();
        // The first by name of classes that are used equally.
        let most_used = n_epochs.into_iter().reduce(|a, b| if b.1 > a.1 { b } else { a });
        let class = most_used.map(|((isa, cpu), _)| (isa.to_string(), cpu.to_string()));
        Self { class, processors, n_classes, slots }
    }

    /// Processor seconds up to and with an epoch; `None` when it was not measured on this class.
    pub(crate) fn cpu_s_until(&self, run: &Run<'_>, epoch: u32) -> Option<f64> {
        let (isa, cpu) = self.class.as_ref()?;
        let (mut n_measured, mut seconds) = (0, 0.0);
        for timing in run.done()?.timings.iter().filter(|timing| timing.epoch <= epoch) {
            if class_of(&self.processors, timing) != (isa, cpu) {
                return None;
            }
            n_measured += 1;
            seconds += timing.cpu_s;
        }
        (n_measured == epoch).then_some(seconds)
    }

    /// Processor seconds of the whole run.
    pub(crate) fn cpu_s(&self, run: &Run<'_>) -> Option<f64> {
        let last = run.done()?.timings.iter().map(|timing| timing.epoch).max()?;
        self.cpu_s_until(run, last)
    }

    /// Mean over the runs that were measured.
    pub(crate) fn mean_cpu_s(&self, point: &Point<'_>) -> Option<f64> {
        let seconds: Vec<f64> = point.runs.iter().filter_map(|run| self.cpu_s(run)).collect();
        stats::mean(&seconds)
    }

    /// Instruction set, processor and slots in use, in words without markup.
    pub(crate) fn describe(&self) -> Option<String> {
        let (isa, processor) = self.class.as_ref()?;
        let mut text =
            if processor.is_empty() { isa.clone() } else { format!("{processor}, {isa}") };
        match self.slots {
            (1, 1) => text.push_str(", 1 slot in use"),
            (low, high) if low == high => text.push_str(&format!(", {low} slots in use")),
            (low, high) => text.push_str(&format!(", {low} to {high} slots in use")),
        }
        if self.n_classes > 1 {
            text.push_str(&format!(
                "; one of {} classes of machine, the others are left out",
                self.n_classes
            ));
        }
        Some(text)
    }
}

/// Instruction set and processor of the worker that ran an epoch.
fn class_of<'t>(
    processors: &'t BTreeMap<String, String>,
    timing: &'t Timing,
) -> (&'t str, &'t str) {
    (&timing.isa, processors.get(&timing.worker).map_or("", String::as_str))
}
