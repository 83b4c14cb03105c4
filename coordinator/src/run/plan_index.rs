//! The plan index: the trials of a run, by place and by id. It grows while the sweep runs: confirm trials
//! join it when the grid is done.

use std::collections::HashMap;
use std::sync::Arc;

use coordinator_core::grant_order::GrantOrder;
use coordinator_core::lease::TrialIndex;
use coordinator_core::ledger::trial::TrialSpec;
use sweep::Plan;
use trial::TrialId;

#[derive(Debug)]
pub struct PlanIndex {
    pub plan: Arc<Plan>,
    places: HashMap<TrialId, TrialIndex>,
}

impl PlanIndex {
    pub fn new(plan: Arc<Plan>) -> Self {
        let indexed = (0..).map(TrialIndex).zip(&plan.trials);
        let places = indexed.map(|(index, trial)| (trial.id, index)).collect();
        Self { plan, places }
    }

    /// `None` for a trial that the plan does not name.
    pub fn place(&self, id: TrialId) -> Option<TrialIndex> {
        self.places.get(&id).copied()
    }
}

/// In which order the core grants a plan's trials; `audit_share` of them are trained twice.
pub fn grant_order(plan: &Plan, audit_share: f64) -> GrantOrder {
    let index = |trial: usize| TrialIndex(trial.try_into().expect("plans are below 2^32 trials"));
    let order = plan.grant_order().into_iter().map(index).collect();
    let facts = plan.trials.iter().enumerate().map(|(index, trial)| TrialSpec {
        cost_macs: plan.cost_macs(trial.point as usize) as f32,
        is_audited: plan.is_audited(index, audit_share),
    });
    GrantOrder { order, facts: facts.collect() }
}
