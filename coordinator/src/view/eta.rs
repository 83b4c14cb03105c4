//! How long a sweep still takes, from how fast it got on so far. Pure: no clock, and no word of a
//! worker about times, which may be wrong.

use std::time::Duration;

/// What was learned counts half once this much of the time learned from has gone by again, or this
/// many seconds. A sweep trains its costliest trials first and begins anew with each seed, so that too
/// short a memory takes the trials of a moment for all of them.
const HALF_LIFE_SHARE: f64 = 0.5;
const HALF_LIFE_MIN_S: f64 = 10.0;

/// What was learned with other slots counts as if it had been learned in this time.
const UNSETTLED_S: f64 = 5.0;

/// Between two looks at a sweep there is less, unless this process or its machine was stopped.
const MAX_STEP_S: f64 = 10.0;

/// Learns the seconds that one unit of cost takes in a busy slot, as they are now: where slots share
/// cores, more of them make each slower. A unit is whatever the caller counts costs in, such as
/// multiply-adds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Eta {
    cost: f64,
    slot_s: f64,
    /// Since the slots are what they are.
    wall_s: f64,
    n_slots: usize,
    /// Without progress so far: it belongs to the next.
    open: Passed,
}

/// Time that went by, and what all busy slots together had of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Passed {
    wall_s: f64,
    slot_s: f64,
}

/// What is left of a trial that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Left {
    pub cost: f64,
    /// The least that a unit of its cost takes, seen by how long it has run already.
    pub least_pace_s: f64,
}

impl Left {
    /// What a trial has left that has run for `ran_s` here and done this many of its epochs. The epoch
    /// it is in may end at any moment, and not earlier.
    pub fn of(cost: f64, n_epochs_done: u32, n_epochs: u32, ran_s: f64) -> Self {
        let n_epochs = f64::from(n_epochs.max(1));
        let share = |n_done: f64| (n_done / n_epochs).min(1.0);
        let n_done = f64::from(n_epochs_done);
        let least_pace_s = ran_s / (cost * share(n_done + 1.0));
        Self {
            cost: cost * (1.0 - share(n_done)),
            least_pace_s: if least_pace_s.is_finite() { least_pace_s } else { 0.0 },
        }
    }
}

impl Eta {
    /// Takes in that `n_busy` of `n_slots` slots got this much done in `wall_s` seconds. Nothing done
    /// is no news: the time then belongs to what comes next.
    pub fn learn(&mut self, cost: f64, wall_s: f64, n_busy: usize, n_slots: usize) {
        if !(cost.is_finite() && cost >= 0.0 && wall_s.is_finite() && wall_s >= 0.0) {
            return;
        }
        if n_slots != self.n_slots {
            self.unsettle(n_slots);
        }
        self.open.wall_s += wall_s;
        self.open.slot_s += wall_s * n_busy as f64;
        if cost > 0.0 {
            let Passed { wall_s, slot_s } = std::mem::take(&mut self.open);
            self.wall_s += wall_s;
            let half_life_s = (HALF_LIFE_SHARE * self.wall_s).max(HALF_LIFE_MIN_S);
            let kept = libm::exp2(-wall_s / half_life_s);
            self.cost = self.cost * kept + cost;
            self.slot_s = self.slot_s * kept + slot_s;
        }
    }

    /// Whether other slots share the cores of the former ones is soon seen; until then each is taken
    /// to be as fast as before.
    fn unsettle(&mut self, n_slots: usize) {
        let kept = (UNSETTLED_S * self.n_slots as f64 / self.slot_s).min(1.0);
        if kept.is_finite() {
            self.cost *= kept;
            self.slot_s *= kept;
        }
        self.n_slots = n_slots;
        self.wall_s = 0.0;
    }

    /// The time until the last trial ends, if all slots stay busy with the cost that waits and with
    /// what is left of each running trial. At least as long as the longest of those. `None` while
    /// nothing was done or nothing can run.
    pub fn estimate(
        &self,
        waiting_cost: f64,
        running: impl IntoIterator<Item = Left>,
    ) -> Option<Duration> {
        if self.cost == 0.0 || self.n_slots == 0 {
            return None;
        }
        let pace_s = self.slot_s / self.cost;
        let (mut total_s, mut longest_s) = (waiting_cost * pace_s, 0.0_f64);
        for left in running {
            let left_s = left.cost * pace_s.max(left.least_pace_s);
            total_s += left_s;
            longest_s = longest_s.max(left_s);
        }
        Duration::try_from_secs_f64((total_s / self.n_slots as f64).max(longest_s)).ok()
    }
}

/// Looks at a running sweep again and again, and tells an [`Eta`] what it got done in between.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Meter {
    pub eta: Eta,
    looked_s: Option<f64>,
    /// The most that was ever done: what is lost with a worker is done again, and no progress.
    done: f64,
}

impl Meter {
    /// `done` is the cost of all that was done so far, parts of running trials included.
    pub fn look(&mut self, now_s: f64, done: f64, n_busy: usize, n_slots: usize) {
        let gained = (done - self.done).max(0.0);
        self.done = self.done.max(done);
        // How long it took what was done before the first look, nobody knows.
        let Some(looked_s) = self.looked_s.replace(now_s) else { return };
        let step_s = now_s - looked_s;
        if (0.0..=MAX_STEP_S).contains(&step_s) {
            self.eta.learn(gained, step_s, n_busy, n_slots);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(cost: f64) -> Left {
        Left { cost, least_pace_s: 0.0 }
    }

    fn seconds(estimate: Option<Duration>) -> f64 {
        estimate.expect("an estimate").as_secs_f64()
    }

    #[test]
    fn knows_nothing_before_anything_was_done_or_without_slots() {
        let mut eta = Eta::default();
        assert_eq!(eta.estimate(10.0, []), None);
        eta.learn(0.0, 5.0, 1, 1);
        eta.learn(5.0, f64::NAN, 1, 1);
        eta.learn(5.0, -1.0, 1, 1);
        assert_eq!(eta.estimate(10.0, []), None);
        eta.learn(1.0, 1.0, 1, 0);
        assert_eq!(eta.estimate(10.0, []), None);
    }

    #[test]
    fn shares_the_cost_between_slots() {
        let mut eta = Eta::default();
        eta.learn(400.0, 4.0, 2, 2);
        assert_eq!(seconds(eta.estimate(1_000.0, [])), 10.0);
        assert_eq!(seconds(eta.estimate(1_000.0, [left(500.0), left(100.0)])), 16.0);
        assert_eq!(seconds(eta.estimate(0.0, [left(500.0), left(100.0)])), 10.0);
        assert_eq!(seconds(eta.estimate(0.0, [])), 0.0);
    }

    #[test]
    fn time_without_progress_belongs_to_what_comes_next() {
        let mut eta = Eta::default();
        for _ in 0..9 {
            eta.learn(0.0, 1.0, 2, 2);
        }
        assert_eq!(eta.estimate(1.0, []), None);
        eta.learn(100.0, 1.0, 2, 2);
        assert_eq!(seconds(eta.estimate(100.0, [])), 10.0);
    }

    /// Eight slots on the cores of two do no more than those.
    #[test]
    fn slots_that_share_cores_are_soon_known_to_be_slow() {
        let mut eta = Eta::default();
        for _ in 0..600 {
            eta.learn(2.0, 1.0, 2, 2);
        }
        assert!((seconds(eta.estimate(600.0, [])) - 300.0).abs() < 1.0);
        let mut estimates = Vec::new();
        for _ in 0..60 {
            eta.learn(2.0, 1.0, 8, 8);
            estimates.push(seconds(eta.estimate(600.0, [])));
        }
        assert!((270.0..301.0).contains(&estimates[20]), "{estimates:?}");
        assert!((295.0..301.0).contains(&estimates[59]), "{estimates:?}");
        // With cores of their own they are as fast as before, and that is right at once.
        let mut apart = eta;
        apart.learn(4.0, 1.0, 16, 16);
        assert!((seconds(apart.estimate(600.0, [])) - 150.0).abs() < 15.0);
    }

    #[test]
    fn what_is_long_ago_counts_less() {
        let mut eta = Eta::default();
        for _ in 0..100 {
            eta.learn(10.0, 1.0, 1, 1);
        }
        for _ in 0..100 {
            eta.learn(1.0, 1.0, 1, 1);
        }
        let mean_of_all = 100.0 / 5.5;
        assert!(seconds(eta.estimate(100.0, [])) > 1.5 * mean_of_all);
    }

    #[test]
    fn a_stop_of_the_machine_teaches_nothing() {
        let mut meter = Meter::default();
        for s in 0..60_i32 {
            meter.look(f64::from(s), f64::from(s), 1, 1);
        }
        let before = meter.eta;
        meter.look(1e9, 61.0, 1, 1);
        assert_eq!(meter.eta, before);
        meter.look(1e9 + 1.0, 62.0, 1, 1);
        assert!((seconds(meter.eta.estimate(10.0, [])) - 10.0).abs() < 0.1);
    }

    #[test]
    fn what_is_trained_again_is_no_progress() {
        let mut meter = Meter::default();
        for (s, done) in [(0.0, 0.0), (1.0, 10.0), (2.0, 4.0), (3.0, 8.0), (4.0, 12.0)] {
            meter.look(s, done, 1, 1);
        }
        let pace_s = seconds(meter.eta.estimate(1.0, []));
        assert!((pace_s - 4.0 / 12.0).abs() < 0.1, "{pace_s}");
    }

    #[test]
    fn a_trial_that_takes_longer_than_expected_lengthens_the_estimate() {
        let mut eta = Eta::default();
        eta.learn(100.0, 100.0, 1, 1);
        let after = |ran_s| seconds(eta.estimate(0.0, [Left::of(10.0, 4, 10, ran_s)]));
        assert_eq!(after(0.0), 6.0);
        assert_eq!(after(5.0), 6.0, "the fifth epoch may just be over");
        assert_eq!(after(50.0), 60.0, "five epochs of ten seconds at least");
        assert_eq!(Left::of(0.0, 0, 0, 1.0), left(0.0));
    }

    #[test]
    fn costs_beyond_reason_give_no_estimate() {
        let mut eta = Eta::default();
        eta.learn(1.0, 1.0, 1, 1);
        assert_eq!(eta.estimate(f64::INFINITY, []), None);
    }
}
