//! The order in which a plan's trials are granted, and which of them are trained twice.

use super::plan::{Plan, Trial};

impl Plan {
    /// Indexes of the trials: all points of the first seed, costliest first, then the next seed.
    pub fn grant_order(&self) -> Vec<usize> {
        let costs: Vec<f64> = (0..self.points.len()).map(|point| self.cost_macs(point)).collect();
        let cost = |trial: &Trial| costs[trial.point as usize];
        let mut order: Vec<usize> = (0..self.trials.len()).collect();
        order.sort_by(|a, b| {
            let (a, b) = (&self.trials[*a], &self.trials[*b]);
            a.seed.cmp(&b.seed).then(cost(b).total_cmp(&cost(a))).then(a.point.cmp(&b.point))
        });
        order
    }

    /// `share`, from 0 to 1, is the share of trials that are trained twice. The first bits of an id
    /// are as good as random, and the same in every run: a larger share takes in the smaller one.
    pub fn is_audited(&self, trial: usize, share: f64) -> bool {
        let [a, b, c, d, ..] = *self.trials[trial].id.bytes();
        f64::from(u32::from_be_bytes([a, b, c, d])) < share * (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use trial::Digest;

    use super::*;
    use crate::parse;
    use crate::{DatasetMeta, plan};

    fn plan_of(seeds: u32) -> Plan {
        let text = format!(
            "name = \"t\"\n[dataset]\nname = \"mnist\"\ntrain = 100\nvalid = 50\n\
             [[grid]]\noptimizer = [\"sgd\"]\nlearning_rate = [0.1]\nbatch_size = [10]\n\
             hidden = [[4], [9], [6]]\n[seeds]\nn = {seeds}\n"
        );
        let facts = DatasetMeta {
            digest: Digest([7; 32]),
            n_train_rows: 150,
            n_test_rows: 10,
            n_inputs: 9,
            n_classes: 3,
            nonzero_share: 0.2,
        };
        plan(&parse(&text, trainer::interface()).unwrap(), &facts).unwrap()
    }

    #[test]
    fn each_seed_comes_whole_and_its_costliest_points_first() {
        let plan = plan_of(2);
        let trials: Vec<&Trial> =
            plan.grant_order().into_iter().map(|trial| &plan.trials[trial]).collect();
        let seeds: Vec<u32> = trials.iter().map(|trial| trial.seed).collect();
        assert_eq!(seeds, [1, 1, 1, 2, 2, 2]);
        let costs: Vec<f64> =
            trials.iter().map(|trial| plan.cost_macs(trial.point as usize)).collect();
        assert!(costs[0] > costs[1] && costs[1] > costs[2], "{costs:?}");
        assert!(0.0 < costs[2]);
    }

    #[test]
    fn the_share_is_kept_and_a_larger_one_takes_in_a_smaller() {
        let plan = plan_of(1_000);
        let chosen = |share| -> Vec<bool> {
            (0..plan.trials.len()).map(|trial| plan.is_audited(trial, share)).collect()
        };
        let (small, large) = (chosen(0.1), chosen(0.3));
        let n_small = small.iter().filter(|it| **it).count();
        assert!((240..360).contains(&n_small), "{n_small} of 3000");
        assert!(small.iter().zip(&large).all(|(small, large)| !small || *large));
        assert!(chosen(1.0).iter().all(|it| *it));
        assert!(!chosen(0.0).iter().any(|it| *it));
    }
}
