//! Processor time, told apart by class of machine: seconds of different machines are never mixed.

use std::collections::BTreeMap;

use super::points::{Point, Run};
use super::sweep::Sweep;
use crate::input::Timing;
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
        let mut clock = Self { class: None, processors, n_classes: 0, slots: (u32::MAX, 0) };
        let mut n_epochs: BTreeMap<(String, String), usize> = BTreeMap::new();
        let runs = sweep.points.iter().flat_map(|point| &point.runs);
        for timing in runs.filter_map(|run| run.done()).flat_map(|done| &done.timings) {
            *n_epochs.entry(clock.class_of(timing)).or_default() += 1;
            clock.slots.0 = clock.slots.0.min(timing.slots_in_use);
            clock.slots.1 = clock.slots.1.max(timing.slots_in_use);
        }
        clock.n_classes = n_epochs.len();
        // Of equally used classes the first by name.
        clock.class = n_epochs
            .into_iter()
            .reduce(|most, class| if class.1 > most.1 { class } else { most })
            .map(|(class, _)| class);
        clock
    }

    fn class_of(&self, timing: &Timing) -> (String, String) {
        let processor = self.processors.get(&timing.worker).cloned().unwrap_or_default();
        (timing.isa.clone(), processor)
    }

    /// Processor seconds up to and with an epoch; `None` when it was not measured on this class.
    pub(crate) fn cpu_s_until(&self, run: &Run<'_>, epoch: u32) -> Option<f64> {
        let timings = &run.done()?.timings;
        let until: Vec<&Timing> = timings.iter().filter(|timing| timing.epoch <= epoch).collect();
        let is_whole = until.len() == epoch as usize;
        let is_ours = until.iter().all(|timing| Some(self.class_of(timing)) == self.class);
        (is_whole && is_ours).then(|| until.iter().map(|timing| timing.cpu_s).sum())
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
