//! Rows back to what the core needs to go on: the ledger of the plan's trials, and what the state
//! holds beside them.

use std::collections::BTreeMap;

use coordinator_core::event::{CloseCause, WorkerInfo};
use coordinator_core::lease::{Lease, OpenLease, TrialIndex, WorkerId};
use coordinator_core::ledger::Ledger;
use coordinator_core::ledger::trial::Status;
use rusqlite::{Connection, Row};
use sweep::{Objective, Phase, Plan, Score};
use trial::Digest;
use trial::timing::MAX_SLOTS;

use crate::store::Reader;
use crate::store::connection::Store;
use crate::store::error::StoreError;
use crate::store::numbers::{Numbers, Places};
use crate::store::write::workers;

/// What a state holds, seen from a plan.
#[derive(Debug)]
pub struct Recorded {
    pub ledger: Ledger,
    pub outside: Outside,
    /// What is known of the workers of other machines that hold a lease.
    pub workers: BTreeMap<WorkerId, WorkerInfo>,
    /// How many of the plan's trials diverged.
    pub n_diverged: usize,
    /// The best by the plan's metric.
    pub best: Option<(TrialIndex, Score)>,
}

/// Trials of the state that the plan does not name.
#[derive(Debug, Default)]
pub struct Outside {
    pub n_recorded: usize,
    /// How many of these are confirm trials of points that were once the best.
    pub n_confirm: usize,
    /// Those with an attempt that was never closed, by their numbers in the store.
    pub open: Vec<u32>,
}

impl Store {
    pub fn load(&mut self, plan: &Plan) -> Result<Recorded, StoreError> {
        let numbers = self.numbers.insert(Numbers::load(&self.connection, plan)?);
        load(&self.connection, plan, &numbers.places())
    }
}

impl Reader {
    pub fn load(&self, plan: &Plan) -> Result<Recorded, StoreError> {
        load(&self.connection, plan, &Numbers::load(&self.connection, plan)?.places())
    }
}

fn load(connection: &Connection, plan: &Plan, places: &Places) -> Result<Recorded, StoreError> {
    let mut recorded = Recorded {
        ledger: Ledger::empty(plan.trials.len()),
        outside: Outside::default(),
        workers: BTreeMap::new(),
        n_diverged: 0,
        best: None,
    };
    let read = StoreError::read;
    let n_granted = load_attempts(connection, places, &mut recorded).map_err(read)?;
    load_outcomes(connection, places, plan.report.metric, &mut recorded).map_err(read)?;
    recorded.ledger.open.sort_by_key(|open| open.lease);
    recorded.workers = workers::load(connection, &recorded.ledger.open).map_err(read)?;
    match impossible(&recorded, plan, &n_granted) {
        Some(found) => Err(StoreError::Damaged(found)),
        None => Ok(recorded),
    }
}

/// What no history leaves behind, and the core could not go on from. `n_granted` counts the attempts
/// of each trial.
fn impossible(recorded: &Recorded, plan: &Plan, n_granted: &[u32]) -> Option<String> {
    let ledger = &recorded.ledger;
    let id = |trial: TrialIndex| &plan.trials[trial.index()].id;
    for ((trial, index), &n) in ledger.trials.iter().zip((0..).map(TrialIndex)).zip(n_granted) {
        let last = trial.n_attempts;
        if last != n {
            return Some(format!(
                "trial {} has {n} attempts, and its last has number {last}",
                id(index)
            ));
        }
    }
    for open in ledger.open.chunk_by(|a, b| a.lease.trial == b.lease.trial) {
        let trial = open[0].lease.trial;
        let max = match ledger.trials[trial.index()].status {
            Status::Ready | Status::Leased => 2,
            // One that compares.
            Status::Completed { .. } => 1,
            Status::Failed | Status::Cancelled => 0,
        };
        let n = open.len();
        if n > max {
            return Some(format!(
                "trial {} has {n} open attempts, expected at most {max}",
                id(trial)
            ));
        }
        if n == 2 && open[0].worker == open[1].worker {
            return Some(format!("one worker has two open attempts at trial {}", id(trial)));
        }
    }
    let facts = recorded.workers.values().find(|it| !(1..=MAX_SLOTS).contains(&it.n_slots))?;
    Some(format!("worker {} has {} slots, expected 1 to {MAX_SLOTS}", facts.name, facts.n_slots))
}

fn load_attempts(
    connection: &Connection,
    places: &Places,
    recorded: &mut Recorded,
) -> rusqlite::Result<Vec<u32>> {
    let mut n_granted = vec![0; recorded.ledger.trials.len()];
    let mut statement = connection.prepare(
        "SELECT trial, attempt, term, nonce, worker_id, is_alone, is_local, closed, is_forgiven
         FROM attempts",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let number: u32 = row.get(0)?;
        let closed = row.get_ref(7)?.as_str_or_null()?;
        match (places.of(number), closed) {
            (None, Some(_)) => {}
            (None, None) => recorded.outside.open.push(number),
            (Some(place), closed) => {
                let trial = &mut recorded.ledger.trials[place.index()];
                let attempt = row.get(1)?;
                // They are numbered from 1 on.
                n_granted[place.index()] += u32::from(attempt > 0);
                let granted = open_lease(row, place)?;
                if closed.is_some() {
                    let seal = granted.lease.seal(granted.worker);
                    recorded.ledger.closed.insert((place, attempt), seal);
                }
                if trial.n_attempts < attempt {
                    trial.n_attempts = attempt;
                    trial.last_worker = Some(WorkerId(row.get(4)?));
                }
                match closed {
                    None => {
                        trial.status = Status::Leased;
                        recorded.ledger.open.push(granted);
                    }
                    Some(word) if !row.get::<_, bool>(8)? => {
                        CloseCause::from_word(word).iter().for_each(|cause| trial.book(cause));
                    }
                    Some(_) => {}
                }
            }
        }
    }
    Ok(n_granted)
}

fn open_lease(row: &Row<'_>, trial: TrialIndex) -> rusqlite::Result<OpenLease> {
    let lease = Lease {
        trial,
        attempt: row.get(1)?,
        term: row.get(2)?,
        nonce: row.get::<_, i64>(3)?.cast_unsigned(),
    };
    Ok(OpenLease { lease, worker: WorkerId(row.get(4)?), alone: row.get(5)?, local: row.get(6)? })
}

fn load_outcomes(
    connection: &Connection,
    places: &Places,
    metric: Objective,
    recorded: &mut Recorded,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        // A measure may have the name of another table's column.
        "SELECT outcomes.trial, outcomes.outcome, outcomes.digest, epochs.valid_accuracy,
            trials.phase, attempts.worker_id, epochs.valid_loss
         FROM outcomes JOIN trials USING (trial)
         LEFT JOIN attempts USING (trial, attempt)
         LEFT JOIN epochs
            ON epochs.trial = outcomes.trial AND epochs.epoch = outcomes.best_epoch",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Some(place) = places.of(row.get(0)?) else {
            let is_confirm = row.get_ref(4)?.as_str()? == Phase::Confirm.name();
            recorded.outside.n_recorded += 1;
            recorded.outside.n_confirm += usize::from(is_confirm);
            continue;
        };
        let outcome = row.get_ref(1)?.as_str()?;
        recorded.n_diverged += usize::from(outcome == "diverged");
        recorded.ledger.trials[place.index()].status = match outcome {
            "failed" => Status::Failed,
            "cancelled" => Status::Cancelled,
            _ => Status::Completed { digest: Digest(row.get(2)?), worker: WorkerId(row.get(5)?) },
        };
        if outcome == "completed" {
            let score = Score { accuracy: row.get(3)?, loss: row.get(6)? };
            if recorded.best.is_none_or(|(_, best)| score.is_better(&best, metric)) {
                recorded.best = Some((place, score));
            }
        }
    }
    Ok(())
}
