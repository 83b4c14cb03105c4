//! The pace of a worker, or of all: seconds for each estimated multiply-add, learned from whole
//! trials as they come in.

/// Weight of the newest trial in the running mean.
const NEWEST: f64 = 0.2;

#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    s_per_mac: Option<f64>,
}

impl Pace {
    /// Takes in a trial of `cost_macs` that trained for `wall_s` from its start to its end.
    pub fn learn(&mut self, cost_macs: f64, wall_s: f64) {
        if cost_macs <= 0.0 || !wall_s.is_finite() || wall_s < 0.0 {
            return;
        }
        let newest = wall_s / cost_macs;
        let mean = self.s_per_mac.map_or(newest, |mean| mean + NEWEST * (newest - mean));
        self.s_per_mac = Some(mean);
    }

    /// Seconds that a trial is expected to train; `None` while nothing is known of it.
    pub fn expected_s(&self, cost_macs: f64) -> Option<f64> {
        self.s_per_mac.filter(|_| 0.0 < cost_macs).map(|s_per_mac| s_per_mac * cost_macs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_what_trials_took() {
        let mut pace = Pace::default();
        assert_eq!(pace.expected_s(10.0), None);
        pace.learn(10.0, 5.0);
        assert_eq!(pace.expected_s(20.0), Some(10.0));
        for _ in 0..50 {
            pace.learn(10.0, 1.0);
        }
        let expected_s = pace.expected_s(20.0).unwrap();
        assert!((2.0..2.1).contains(&expected_s), "{expected_s}");
    }

    #[test]
    fn nonsense_teaches_nothing_and_an_unknown_cost_gives_no_expectation() {
        let mut pace = Pace::default();
        pace.learn(0.0, 1.0);
        pace.learn(10.0, f64::NAN);
        pace.learn(10.0, -1.0);
        assert_eq!(pace.expected_s(10.0), None);
        pace.learn(10.0, 1.0);
        assert_eq!(pace.expected_s(0.0), None);
    }
}
