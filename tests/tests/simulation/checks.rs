//! What must hold of the state after every crash of the coordinator, and at the end.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use coordinator::parts::{Reader, TrialRow, TrialState};
use trial::{TrialId, TrialResult};

use crate::script;

/// What was seen so far and must stay true.
#[derive(Default)]
pub struct Checks {
    recorded: BTreeMap<TrialId, TrialResult>,
    n_attempts: BTreeMap<TrialId, u32>,
    n_lost: u64,
}

impl Checks {
    /// Compares the state with what workers saw: `acknowledged` are trials that they know to be
    /// recorded, `granted` the highest attempts that they began.
    pub fn look(
        &mut self,
        database: &Path,
        acknowledged: &BTreeSet<String>,
        granted: &BTreeMap<TrialId, u32>,
    ) -> Result<(), String> {
        if !database.exists() {
            return if granted.is_empty() { Ok(()) } else { Err("the state is gone".into()) };
        }
        let reader = Reader::open(database).map_err(|error| format!("{error:?}"))?;
        let trials = reader.trials().map_err(|error| format!("{error:?}"))?;
        let counts = reader.attempt_counts().map_err(|error| format!("{error:?}"))?;
        self.n_lost = counts.n_lost;
        if counts.n_conflicts > 0 {
            return Err(format!("{} conflicts", counts.n_conflicts));
        }
        check_acknowledged(&trials, acknowledged)?;
        for (id, attempt) in granted {
            let n_attempts = trials.get(id).map_or(0, |row| row.n_attempts);
            if n_attempts < *attempt {
                return Err(format!(
                    "attempt {attempt} at trial {id} was granted and only {n_attempts} are recorded"
                ));
            }
        }
        self.compare_with_before(&trials)
    }

    fn compare_with_before(&mut self, trials: &HashMap<TrialId, TrialRow>) -> Result<(), String> {
        for (id, before) in &self.n_attempts {
            if trials.get(id).is_none_or(|row| row.n_attempts < *before) {
                return Err(format!("trial {} has lost attempts", id));
            }
        }
        for (id, before) in &self.recorded {
            let same = |row: &TrialRow| matches!(&row.state, TrialState::Done { result, .. } if **result == *before);
            if !trials.get(id).is_some_and(same) {
                return Err(format!("the result of trial {} has changed", id));
            }
        }
        self.n_attempts = trials.iter().map(|(id, row)| (*id, row.n_attempts)).collect();
        for (id, row) in trials {
            if let TrialState::Done { result, .. } = &row.state {
                self.recorded.insert(*id, (**result).clone());
            }
        }
        Ok(())
    }

    /// The table is that of a plain loop over the trials; without a fault nothing was given up for lost.
    pub fn finish(&self, n_trials: usize, had_faults: bool) -> Result<(), String> {
        if self.recorded.len() != n_trials || self.n_attempts.len() != n_trials {
            return Err(format!("{} of {n_trials} trials have a result", self.recorded.len()));
        }
        if !had_faults && self.n_lost > 0 {
            return Err(format!("{} attempts were given up for lost without a fault", self.n_lost));
        }
        for (id, result) in &self.recorded {
            if *result != script::result(id) {
                return Err(format!("trial {} has another result than a plain loop's", id));
            }
        }
        Ok(())
    }
}

/// What a worker was told to be recorded is: a result, or that the attempt failed.
fn check_acknowledged(
    trials: &HashMap<TrialId, TrialRow>,
    acknowledged: &BTreeSet<String>,
) -> Result<(), String> {
    let rows: BTreeMap<String, _> =
        trials.iter().map(|(id, row)| (id.to_string(), (id, row))).collect();
    for name in acknowledged {
        let Some((id, row)) = rows.get(name) else {
            return Err(format!("trial {name} was acknowledged and is unknown"));
        };
        let is_open = matches!(row.state, TrialState::Open);
        if is_open && !script::fails_once(id) {
            return Err(format!("trial {name} was acknowledged and is not recorded"));
        }
    }
    Ok(())
}
