//! The outlook of a running sweep: what was done, what is left, and how long that takes.

use std::collections::BTreeMap;
use std::time::Duration;

use coordinator_core::lease::TrialIndex;
use coordinator_core::machine::Core;
use coordinator_core::time::Millis;
use sweep::Plan;

use crate::view::observer::load::worker_load;
use crate::view::{Left, Meter};

/// Less than this left is not worth a word.
const ETA_MIN: Duration = Duration::from_secs(1);

/// Costs are in multiply-adds.
#[derive(Debug, Default)]
pub(super) struct Outlook {
    meter: Meter,
    /// What the trials without an outcome cost.
    cost_left: f64,
    /// What the trials cost that got their outcome in this run.
    cost_done: f64,
    /// A trial of this run has completed, so that its whole course is known.
    has_completed: bool,
}

pub(super) fn cost(plan: &Plan, trial: TrialIndex) -> f64 {
    plan.cost_macs(plan.trials[trial.index()].point as usize)
}

impl Outlook {
    /// A plan begins, whose trials without an outcome have this cost.
    pub(super) fn begin(&mut self, cost_left: f64) {
        self.cost_left = cost_left;
    }

    /// A trial got its outcome by being trained.
    pub(super) fn done(&mut self, cost: f64) {
        self.cost_left -= cost;
        self.cost_done += cost;
    }

    /// A trial will not be trained.
    pub(super) fn dropped(&mut self, cost: f64) {
        self.cost_left -= cost;
    }

    pub(super) fn completed(&mut self) {
        self.has_completed = true;
    }

    /// Looks at what was done since the last look, and at what is left. Times are this process's own.
    pub(super) fn look(&mut self, core: &Core, plan: &Plan, now: Millis) -> Option<Duration> {
        let running = left_of_running(core, plan, now);
        let whole: f64 = running.keys().map(|trial| cost(plan, *trial)).sum();
        let left: f64 = running.values().map(|left| left.cost).sum();
        let (mut n_busy, mut n_slots) = (0, 0);
        for load in core.workers().filter_map(|(_, worker)| worker_load(worker)) {
            n_busy += load.n_busy;
            n_slots += load.n_slots;
        }
        let trains = |started: Option<Millis>| started.is_some();
        let mut held = core.workers().flat_map(|(_, worker)| worker.leases.values());
        // Workers that fetch their data have slots, and do nothing yet.
        if self.cost_done > 0.0 || held.any(|held| trains(held.started)) {
            let now_s = now.0 as f64 / 1_000.0;
            self.meter.look(now_s, self.cost_done + whole - left, n_busy, n_slots);
        }
        let waiting = (self.cost_left - whole).max(0.0);
        let eta = self.meter.eta.estimate(waiting, running.into_values());
        eta.filter(|eta| self.has_completed && *eta >= ETA_MIN)
    }
}

/// What is left of each trial that a worker holds; of several attempts at one, the one that is
/// furthest.
fn left_of_running(core: &Core, plan: &Plan, now: Millis) -> BTreeMap<TrialIndex, Left> {
    let mut lefts: BTreeMap<TrialIndex, Left> = BTreeMap::new();
    for held in core.workers().flat_map(|(_, worker)| worker.leases.values()) {
        let trial = held.open.lease.trial;
        // Trained again, to compare.
        if core.trial(trial).status.is_terminal() {
            continue;
        }
        let ran_s = held.watched_ms(now) as f64 / 1_000.0;
        let n_epochs = plan.n_epochs(trial.index());
        let left = Left::of(cost(plan, trial), held.n_epochs_done, n_epochs, ran_s);
        let furthest = lefts.entry(trial).or_insert(left);
        if left < *furthest {
            *furthest = left;
        }
    }
    lefts
}
