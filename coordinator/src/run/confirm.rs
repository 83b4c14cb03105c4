//! The confirm phase: its trials follow from what is recorded of the grid, so that a run, every start
//! after it and every report come to the same.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use coordinator_core::event::Action;
use coordinator_core::ledger::trial::TrialSpec;
use sweep::{Outcome, Plan, Score};
use trial::TrialId;

use crate::run::plan_index::grant_order;
use crate::store::error::StoreError;
use crate::store::{Reader, Recorded};

/// Adds to a plan the confirm trials that follow what is recorded of its grid and that it does not
/// have yet, and gives their number. `chance` is what a diverged trial counts as.
pub fn extend(plan: &mut Plan, reader: &Reader, chance: Score) -> Result<usize, StoreError> {
    if plan.n_confirm_seeds == 0 {
        return Ok(0);
    }
    let outcomes = reader.outcomes(plan, chance)?;
    Ok(extend_by(plan, &outcomes))
}

/// Adds the confirm trials that follow these outcomes of the grid.
pub fn extend_by(plan: &mut Plan, outcomes: &[Outcome]) -> usize {
    let confirmed = &plan.trials[plan.grid().len()..];
    let known: HashSet<TrialId> = confirmed.iter().map(|trial| trial.id).collect();
    let mut missing = plan.confirm_trials(outcomes);
    missing.retain(|trial| !known.contains(&trial.id));
    let n_missing = missing.len();
    plan.trials.extend(missing);
    n_missing
}

/// Where a run looks for the trials that follow.
#[derive(Debug)]
pub struct Confirm {
    pub database: PathBuf,
    pub chance: Score,
    /// Failed trials are to run again.
    pub retry_failed: bool,
    /// The share of trials that are trained twice.
    pub audit_share: f64,
}

/// A plan that has grown.
#[derive(Debug)]
pub struct Grown {
    pub plan: Arc<Plan>,
    pub recorded: Recorded,
    /// One for each trial of the plan.
    pub facts: Vec<TrialSpec>,
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
        let actions = recorded.ledger.reopen(plan.trials.len(), self.retry_failed);
        let facts = grant_order(&grown, self.audit_share).facts;
        Ok(Some(Grown { plan: Arc::new(grown), recorded, facts, actions }))
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use coordinator_core::event::Record;
    use coordinator_core::lease::{Lease, OpenLease, TrialIndex, WorkerId};
    use data::ClassCounts;
    use report::input::Input;
    use sweep::{self, Phase};
    use trainer::measures;
    use trial::known::{
        GRAD_SAMPLES, GRADIENT_NORM, LEARNING_RATE, N_BACKTRACKS, PROBE_SAMPLES, TRAIN_ACCURACY,
        TRAIN_LOSS, VALID_ACCURACY, VALID_LOSS,
    };
    use trial::{Digest, Ending, EpochRecord, TrialResult, Value, Work};

    use super::*;
    use crate::reporting::input as report_input;
    use crate::store::connection::Store;
    use crate::store::meta::{Data, SweepMeta};

    const FILE: &str = "name = \"t\"\n[dataset]\nname = \"mnist\"\ntrain = 100\nvalid = 50\n\
        [[grid]]\noptimizer = [\"sgd\", \"momentum\"]\nlearning_rate = [0.1, 0.2, 0.3]\n\
        batch_size = [10]\nhidden = [[4], [5]]\n[seeds]\nn = 3\n[confirm]\nseeds = 2\n";

    fn facts() -> SweepMeta {
        SweepMeta {
            sweep_toml: FILE.into(),
            sweep_path: "t.toml".into(),
            state_id: [1; 16],
            term: 1,
            numerics_version: trainer::NUMERICS_VERSION,
            wall_s: 0.0,
            sweep_folder: None,
            command: None,
            report_folder: None,
            data: Data {
                name: "mnist".into(),
                digest: [7; 32],
                n_train_rows: 150,
                n_test_rows: 10,
                n_inputs: 9,
                n_classes: 3,
                nonzero_share: 0.2,
                largest_class_share: 0.8,
                n_valid: None,
                classes: ClassCounts::default(),
            },
        }
    }

    fn plan() -> Plan {
        sweep::plan(&sweep::parse(FILE, trainer::interface()).unwrap(), &facts().data.to_core())
            .unwrap()
    }

    /// Numbers below `n`, the same for the same seed.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, n: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 33) % n
        }
    }

    /// A grant of each trial and its result.
    fn records(trials: Range<u32>, dice: &mut Dice) -> Vec<Record> {
        let worker = WorkerId([1; 16]);
        let record = |trial| {
            let lease = Lease { trial: TrialIndex(trial), attempt: 1, term: 1, nonce: 0 };
            let open = OpenLease { lease, worker, alone: false, local: false };
            let (result, timings) = (Box::new(result(trial, dice)), Vec::new());
            let Lease { trial, attempt, .. } = lease;
            [Record::Granted(open), Record::Completed { trial, attempt, worker, result, timings }]
        };
        trials.flat_map(record).collect()
    }

    /// One of few possible scores, so that ties are common; chance is one of them.
    fn result(trial: u32, dice: &mut Dice) -> TrialResult {
        let mut epoch = EpochRecord::new(measures(), 1);
        epoch[TRAIN_LOSS] = 0.5;
        epoch[TRAIN_ACCURACY] = 0.5;
        epoch[VALID_LOSS] = 0.1 * (1 + dice.below(3)) as f64;
        epoch[VALID_ACCURACY] = (40 + dice.below(2)) as f64 / 50.0;
        epoch[LEARNING_RATE] = 0.1;
        epoch[N_BACKTRACKS] = 0;
        epoch[GRADIENT_NORM] = 1.0;
        epoch[GRAD_SAMPLES] = 100;
        epoch[PROBE_SAMPLES] = 0;

        let ending = match dice.below(8) {
            0 => Ending::Diverged { step: 3, last_finite_loss: None },
            _ => Ending::Completed { best_epoch: 1, test_accuracy: Some(0.5), collapsed: false },
        };
        let digest = Digest([trial as u8; 32]);
        TrialResult { ending, history: vec![epoch], work: Work::default(), digest }
    }

    /// The report's best point of one optimizer: the trial of its lowest seed.
    fn best_in_report(input: &Input, optimizer: &str) -> String {
        let mut input = input.clone();
        let is_of = |value: &Option<Value>| *value == Some(Value::Text(optimizer.into()));
        input.trials.retain(|trial| is_of(&trial.values[0]));
        input.heatmaps.clear();
        let folder = tempfile::tempdir().unwrap();
        report::build(&input, folder.path()).unwrap().best.unwrap().trial_id
    }

    #[test]
    fn the_report_names_the_points_that_were_chosen() {
        let facts = facts();
        for seed in 0..4 {
            let folder = tempfile::tempdir().unwrap();
            let database = folder.path().join("sweep.db");
            let mut store = Store::open(&database, trainer::measures()).unwrap();
            let plan = plan();
            let mut dice = Dice(seed);
            let records = records(0..36, &mut dice);
            store.commit(&plan, &records[2..]).unwrap();
            let whole = || facts.plan(&Reader::open(&database).unwrap()).unwrap();
            assert_eq!(whole().trials.len(), 36, "one trial of the grid is open");
            store.commit(&plan, &records[..2]).unwrap();
            let whole = whole();
            assert_eq!(whole.trials.len(), 36 + 2 * 2);
            let input = report_input::input(&Reader::open(&database).unwrap(), &facts).unwrap();
            let chosen: Vec<String> = whole.trials[36..]
                .iter()
                .map(|it| whole.grid()[3 * it.point as usize].id.to_string())
                .collect();
            for optimizer in ["sgd", "momentum"] {
                let best = best_in_report(&input, optimizer);
                assert_eq!(chosen.iter().filter(|id| **id == best).count(), 2, "seed {seed}");
            }
        }
    }

    #[test]
    fn a_plan_grows_by_what_it_lacks_and_takes_up_what_is_recorded_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let confirm = Confirm {
            database: folder.path().join("sweep.db"),
            chance: facts().data.chance(),
            retry_failed: false,
            audit_share: 0.0,
        };
        let mut store = Store::open(&confirm.database, trainer::measures()).unwrap();
        let plan = plan();
        let mut dice = Dice(1);
        store.commit(&plan, &records(0..36, &mut dice)).unwrap();
        let grown = confirm.grow(&plan).unwrap().expect("confirm trials").plan;
        assert!(grown.trials[36..].iter().all(|trial| trial.phase == Phase::Confirm));
        assert!(confirm.grow(&grown).unwrap().is_none(), "all are known");

        let mut given_up = records(36..37, &mut dice);
        given_up.push(Record::Cancelled { trial: TrialIndex(37) });
        store.commit(&grown, &given_up).unwrap();
        let again = confirm.grow(&plan).unwrap().expect("the same trials");
        assert_eq!(again.plan.trials, grown.trials);
        let is_done: Vec<bool> =
            again.recorded.ledger.trials[36..].iter().map(|it| it.status.is_terminal()).collect();
        assert_eq!(is_done, [true, false, false, false], "a cancelled one runs again");
        assert_eq!(again.actions.len(), 1);
    }

    #[test]
    fn nothing_follows_a_grid_that_was_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("sweep.db");
        let mut store = Store::open(&database, trainer::measures()).unwrap();
        let mut dice = Dice(1);
        let mut records = records(1..36, &mut dice);
        records.push(Record::Cancelled { trial: TrialIndex(0) });
        store.commit(&plan(), &records).unwrap();
        let chance = facts().data.chance();
        let confirm = Confirm { database, chance, retry_failed: false, audit_share: 0.0 };
        assert!(confirm.grow(&plan()).unwrap().is_none());
    }

    #[test]
    fn nothing_follows_while_failed_trials_are_to_run_again() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("sweep.db");
        let mut store = Store::open(&database, trainer::measures()).unwrap();
        let mut dice = Dice(1);
        let mut records = records(1..36, &mut dice);
        records.push(Record::Failed { trial: TrialIndex(0), cause: "no memory".into() });
        store.commit(&plan(), &records).unwrap();
        let chance = facts().data.chance();
        for (retry_failed, n_trials) in [(false, 40), (true, 36)] {
            let confirm =
                Confirm { database: database.clone(), chance, retry_failed, audit_share: 0.0 };
            let mut plan = plan();
            confirm.extend(&mut plan).unwrap();
            assert_eq!(plan.trials.len(), n_trials);
        }
    }
}
