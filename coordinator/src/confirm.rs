//! The confirm phase: its trials follow from what is recorded of the grid, so that a run, every start
//! after it and every report come to the same.

use std::{collections::HashSet, path::PathBuf, sync::Arc};

use coordinator_core::{
    event::Action,
    sweep::{Outcome, Plan, Score, TrialId},
};

use crate::{
    prepare::reopen,
    store::{Reader, Recorded, StoreError},
};

/// Adds to a plan the confirm trials that follow what is recorded of its grid and that it does not
/// have yet, and gives their number. `chance` is what a diverged trial counts as.
pub fn extend(plan: &mut Plan, reader: &Reader, chance: Score) -> Result<usize, StoreError> {
    if plan.n_confirm_seeds == 0 {
        return Ok(0);
    }
    let outcomes = reader.outcomes(plan, chance)?;
    let confirmed = &plan.trials[plan.grid().len()..];
    let known: HashSet<TrialId> = confirmed.iter().map(|trial| trial.id).collect();
    let mut missing = plan.confirm_trials(&outcomes);
    missing.retain(|trial| !known.contains(&trial.id));
    let n_missing = missing.len();
    plan.trials.extend(missing);
    Ok(n_missing)
}

/// Where a run looks for the trials that follow.
#[derive(Debug)]
pub struct Confirm {
    pub database: PathBuf,
    pub chance: Score,
    /// Failed trials are to run again.
    pub retry_failed: bool,
}

/// A plan that has grown.
#[derive(Debug)]
pub struct Grown {
    pub plan: Arc<Plan>,
    pub recorded: Recorded,
    /// Makes those of the new ones ready that an earlier run gave up.
    pub actions: Vec<Action>,
}

impl Confirm {
    /// Adds the confirm trials that follow what is recorded before a run starts. A failed trial of
    /// the grid that is to run again still has its outcome to come, so nothing follows yet.
    pub fn extend(&self, plan: &mut Plan) -> Result<(), StoreError> {
        let reader = Reader::open(&self.database)?;
        let waits_for_failed =
            self.retry_failed && reader.outcomes(plan, self.chance)?.contains(&Outcome::Failed);
        if !waits_for_failed {
            extend(plan, &reader, self.chance)?;
        }
        Ok(())
    }

    /// The plan with the trials that follow what is recorded; `None` if there are none.
    pub fn grow(&self, plan: &Plan) -> Result<Option<Grown>, StoreError> {
        let reader = Reader::open(&self.database)?;
        let mut grown = plan.clone();
        if extend(&mut grown, &reader, self.chance)? == 0 {
            return Ok(None);
        }
        let mut recorded = reader.load(&grown)?;
        let actions = reopen(&mut recorded.ledger, plan.trials.len(), self.retry_failed);
        Ok(Some(Grown { plan: Arc::new(grown), recorded, actions }))
    }
}
