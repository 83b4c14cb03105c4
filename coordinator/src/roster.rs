//! The roster: the trials of a run, by place and by id. It grows while the sweep runs: confirm trials
//! join it when the grid is done.

use std::collections::HashMap;
use std::sync::Arc;

use coordinator_core::lease::TrialIndex;
use coordinator_core::sweep::{Plan, TrialId};

#[derive(Debug)]
pub struct Roster {
    pub plan: Arc<Plan>,
    places: HashMap<TrialId, TrialIndex>,
}

impl Roster {
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
