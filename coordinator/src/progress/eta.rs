//! How long a sweep still takes, from what its finished trials took. Pure: no clock.

use std::time::Duration;

/// Learns the seconds that one unit of cost takes in a slot. A unit is whatever the caller counts
/// costs in, such as multiply-adds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Eta {
    cost: f64,
    seconds: f64,
}

impl Eta {
    /// Takes in a finished trial (or a part of one) of this cost that kept a slot for `seconds`. No
    /// training takes 0 s: that is a trial whose times nobody knows.
    pub fn learn(&mut self, cost: f64, seconds: f64) {
        if cost > 0.0 && seconds > 0.0 && cost.is_finite() && seconds.is_finite() {
            self.cost += cost;
            self.seconds += seconds;
        }
    }

    /// The time until the last trial ends, if `n_slots` stay busy with the cost that waits and with
    /// what is left of each running trial. At least as long as the longest of those. `None` while
    /// no trial has ended or nothing can run.
    pub fn estimate(
        &self,
        waiting_cost: f64,
        running_costs: impl IntoIterator<Item = f64>,
        n_slots: usize,
    ) -> Option<Duration> {
        let (mut total, mut longest) = (waiting_cost, 0.0_f64);
        for cost in running_costs {
            total += cost;
            longest = longest.max(cost);
        }
        if self.cost == 0.0 || n_slots == 0 {
            return None;
        }
        let shared = total / n_slots as f64;
        Duration::try_from_secs_f64(shared.max(longest) * self.seconds / self.cost).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_nothing_before_a_trial_ended_or_without_slots() {
        let mut eta = Eta::default();
        assert_eq!(eta.estimate(10.0, [], 1), None);
        eta.learn(0.0, 5.0);
        eta.learn(5.0, f64::NAN);
        eta.learn(5.0, [].iter().sum());
        assert_eq!(eta.estimate(10.0, [], 1), None);
        eta.learn(1.0, 1.0);
        assert_eq!(eta.estimate(10.0, [], 0), None);
    }

    #[test]
    fn shares_the_cost_between_slots() {
        let mut eta = Eta::default();
        eta.learn(100.0, 4.0);
        eta.learn(300.0, 4.0);
        let seconds = |estimate: Option<Duration>| estimate.expect("an estimate").as_secs_f64();
        assert_eq!(seconds(eta.estimate(1_000.0, [], 1)), 20.0);
        assert_eq!(seconds(eta.estimate(1_000.0, [500.0, 100.0], 2)), 16.0);
        assert_eq!(seconds(eta.estimate(0.0, [500.0, 100.0], 2)), 10.0);
        assert_eq!(seconds(eta.estimate(0.0, [], 2)), 0.0);
    }

    #[test]
    fn costs_beyond_reason_give_no_estimate() {
        let mut eta = Eta::default();
        eta.learn(1.0, 1.0);
        assert_eq!(eta.estimate(f64::INFINITY, [], 1), None);
    }
}
