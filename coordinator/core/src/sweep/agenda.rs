//! The agenda: in which order a plan's trials are granted, what each is expected to cost, and which
//! are trained twice.

use super::plan::{Plan, Trial};
use crate::lease::TrialIndex;
use crate::trial::TrialFacts;

#[derive(Clone, Debug, PartialEq)]
pub struct Agenda {
    /// All points of the first seed, costliest first, then the next seed.
    pub order: Vec<TrialIndex>,
    /// One for each trial of the plan.
    pub facts: Vec<TrialFacts>,
}

impl Plan {
    /// `audit_share`, from 0 to 1, is the share of trials that are trained twice.
    pub fn agenda(&self, audit_share: f64) -> Agenda {
        let costs: Vec<f64> = (0..self.points.len()).map(|point| self.cost_macs(point)).collect();
        let cost = |trial: &Trial| costs[trial.point as usize];
        let mut order: Vec<TrialIndex> = (0..).map(TrialIndex).take(self.trials.len()).collect();
        order.sort_by(|a, b| {
            let (a, b) = (&self.trials[a.at()], &self.trials[b.at()]);
            a.seed.cmp(&b.seed).then(cost(b).total_cmp(&cost(a))).then(a.point.cmp(&b.point))
        });
        let facts = self.trials.iter().map(|trial| TrialFacts {
            cost_macs: cost(trial) as f32,
            is_audited: is_in_share(trial, audit_share),
        });
        Agenda { order, facts: facts.collect() }
    }
}

/// The first bits of an id are as good as random, and the same in every run: a larger share takes
/// in the smaller one.
fn is_in_share(trial: &Trial, share: f64) -> bool {
    let [a, b, c, d, ..] = trial.id.0;
    f64::from(u32::from_be_bytes([a, b, c, d])) < share * (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::{DatasetFacts, parse, plan};

    fn plan_of(seeds: u32) -> Plan {
        let text = format!(
            "name = \"t\"\n[dataset]\nname = \"mnist\"\ntrain = 100\nvalid = 50\n\
             [[grid]]\noptimizer = [\"sgd\"]\nlearning_rate = [0.1]\nbatch_size = [10]\n\
             hidden = [[4], [9], [6]]\n[seeds]\nn = {seeds}\n"
        );
        let facts = DatasetFacts {
            digest: [7; 32],
            n_train_rows: 150,
            n_test_rows: 10,
            n_inputs: 9,
            n_classes: 3,
            nonzero_share: 0.2,
        };
        plan(&parse(&text).unwrap(), &facts).unwrap()
    }

    #[test]
    fn each_seed_comes_whole_and_its_costliest_points_first() {
        let plan = plan_of(2);
        let agenda = plan.agenda(0.0);
        let trials: Vec<&Trial> = agenda.order.iter().map(|at| &plan.trials[at.at()]).collect();
        let seeds: Vec<u32> = trials.iter().map(|trial| trial.seed).collect();
        assert_eq!(seeds, [1, 1, 1, 2, 2, 2]);
        let costs = agenda.order.iter().map(|at| agenda.facts[at.at()].cost_macs);
        let costs: Vec<f32> = costs.collect();
        assert!(costs[0] > costs[1] && costs[1] > costs[2], "{costs:?}");
        assert!(0.0 < costs[2]);
    }

    #[test]
    fn the_share_is_kept_and_a_larger_one_takes_in_a_smaller() {
        let plan = plan_of(1_000);
        let chosen = |share| -> Vec<bool> {
            plan.agenda(share).facts.iter().map(|facts| facts.is_audited).collect()
        };
        let (small, large) = (chosen(0.1), chosen(0.3));
        let n_small = small.iter().filter(|it| **it).count();
        assert!((240..360).contains(&n_small), "{n_small} of 3000");
        assert!(small.iter().zip(&large).all(|(small, large)| !small || *large));
        assert!(chosen(1.0).iter().all(|it| *it));
        assert!(!chosen(0.0).iter().any(|it| *it));
    }
}
