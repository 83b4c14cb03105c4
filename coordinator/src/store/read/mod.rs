//! A read-only view of a state, for reports and `status`; works while a coordinator runs.

pub mod by_trial;
pub mod check;
pub mod load;
pub mod ranges;
pub mod shape;
pub mod sound;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use coordinator_core::event::CloseCause;
use rusqlite::{Connection, Row};
use sweep::{Outcome, Plan, Score, Trial};
use trial::{Digest, Ending, EpochRecord, Measure, Reading, Timing, TrialId, TrialResult, Work};

use crate::store::connection::open_read_only;
use crate::store::error::StoreError;
use crate::store::schema::measures;
use crate::store::schema::meta_value::meta;

#[derive(Debug)]
pub struct Reader {
    pub(super) connection: Connection,
    measures: Arc<[Measure]>,
}

/// What is recorded of one trial.
#[derive(Debug)]
pub struct TrialRow {
    pub n_attempts: u32,
    pub state: TrialState,
}

#[derive(Debug)]
pub enum TrialState {
    Done { result: Box<TrialResult>, timings: Vec<Timing> },
    Failed { cause: String },
    Cancelled,
    Open,
}

/// An attempt that a worker holds now, as far as the state knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAttempt {
    pub trial_id: TrialId,
    pub attempt: u32,
    pub worker_id: Vec<u8>,
    pub worker: String,
    /// The worker's slots.
    pub n_slots: u32,
    /// Whether the worker has a slot for it. What it was granted beyond its slots waits there: the state
    /// does not tell which those are, and a worker begins what it got first.
    pub is_in_slot: bool,
    /// Whether its trial has an outcome, and is trained once more or still.
    pub has_outcome: bool,
}

/// Attempts by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttemptCounts {
    pub n_attempts: u64,
    pub n_lost: u64,
    /// Closed because their coordinator ended.
    pub n_ended: u64,
    pub n_conflicts: u64,
}

impl Reader {
    pub fn open(database: &Path) -> Result<Self, StoreError> {
        let connection = open_read_only(database)?;
        // One transaction for all reads: a report shows one moment.
        connection.execute_batch("BEGIN").map_err(StoreError::read)?;
        let measures = measures::read(&connection)?;
        Ok(Self { connection, measures })
    }

    /// What the trials measure, in the order of the columns.
    pub fn measures(&self) -> &Arc<[Measure]> {
        &self.measures
    }

    pub fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        meta(&self.connection, key)
    }

    /// Everything recorded, by trial id.
    pub fn trials(&self) -> Result<HashMap<TrialId, TrialRow>, StoreError> {
        self.read_trials().map_err(StoreError::read)
    }

    fn read_trials(&self) -> rusqlite::Result<HashMap<TrialId, TrialRow>> {
        let mut histories = self.grouped(
            "SELECT trial_id, epochs.* FROM epochs JOIN trials USING (trial) ORDER BY trial, epoch",
            |row| epoch_record(&self.measures, row),
        )?;
        let mut timings = self.grouped(
            "SELECT trial_id, epoch, wall_s, cpu_s, worker, isa, attempt, n_slots_in_use
             FROM timings JOIN trials USING (trial) ORDER BY trial, epoch",
            timing,
        )?;
        let mut trials = HashMap::new();
        let mut statement = self.connection.prepare(
            "SELECT trial_id, max(attempt) FROM attempts JOIN trials USING (trial) GROUP BY trial",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let trial = TrialRow { n_attempts: row.get(1)?, state: TrialState::Open };
            trials.insert(TrialId::from_bytes(row.get(0)?), trial);
        }
        let mut statement =
            self.connection.prepare("SELECT * FROM outcomes JOIN trials USING (trial)")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id = TrialId::from_bytes(row.get("trial_id")?);
            let history = histories.remove(&id).unwrap_or_default();
            let timings = timings.remove(&id).unwrap_or_default();
            let entry = trials
                .entry(id)
                .or_insert_with(|| TrialRow { n_attempts: 0, state: TrialState::Open });
            entry.state = trial_state(row, history, timings)?;
        }
        Ok(trials)
    }

    /// What each trial of the grid came to; `chance` is what a diverged one counts as.
    pub fn outcomes(&self, plan: &Plan, chance: Score) -> Result<Vec<Outcome>, StoreError> {
        let read = || {
            let mut outcomes = HashMap::new();
            let mut statement = self.connection.prepare(
                "SELECT trials.trial_id, outcomes.outcome, epochs.valid_accuracy, epochs.valid_loss
                 FROM outcomes JOIN trials USING (trial)
                 LEFT JOIN epochs
                    ON epochs.trial = outcomes.trial AND epochs.epoch = outcomes.best_epoch",
            )?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let id = TrialId::from_bytes(row.get(0)?);
                outcomes.insert(id, grid_outcome(row, chance)?);
            }
            Ok(outcomes)
        };
        let outcomes = read().map_err(StoreError::read)?;
        let of = |trial: &Trial| outcomes.get(&trial.id).copied().unwrap_or(Outcome::Open);
        Ok(plan.grid().iter().map(of).collect())
    }

    fn grouped<T>(
        &self,
        sql: &str,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<HashMap<TrialId, Vec<T>>> {
        let mut groups: HashMap<TrialId, Vec<T>> = HashMap::new();
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            groups.entry(TrialId::from_bytes(row.get(0)?)).or_default().push(read(row)?);
        }
        Ok(groups)
    }

    pub fn open_attempts(&self) -> Result<Vec<OpenAttempt>, StoreError> {
        let sql = "SELECT trial_id, attempt, worker_id, name, n_slots,
                          row_number() OVER (PARTITION BY worker_id ORDER BY began_ms, trial, attempt)
                              <= n_slots AS is_in_slot,
                          EXISTS (SELECT 1 FROM outcomes WHERE outcomes.trial = attempts.trial)
                   FROM attempts JOIN trials USING (trial) JOIN workers USING (worker_id)
                   WHERE closed IS NULL ORDER BY name, is_in_slot DESC, trial, attempt";
        let read = || {
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map([], |row| {
                Ok(OpenAttempt {
                    trial_id: TrialId::from_bytes(row.get(0)?),
                    attempt: row.get(1)?,
                    worker_id: row.get(2)?,
                    worker: row.get(3)?,
                    n_slots: row.get(4)?,
                    is_in_slot: row.get(5)?,
                    has_outcome: row.get(6)?,
                })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(StoreError::read)
    }

    pub fn attempt_counts(&self) -> Result<AttemptCounts, StoreError> {
        let count = |sql: &str| self.connection.query_row(sql, [], |row| row.get::<_, u64>(0));
        let n_closed = |cause: CloseCause| {
            count(&format!("SELECT count(*) FROM attempts WHERE closed = '{}'", cause.word()))
        };
        let read = || {
            Ok(AttemptCounts {
                n_attempts: count("SELECT count(*) FROM attempts")?,
                n_lost: n_closed(CloseCause::Lost)? + n_closed(CloseCause::LostAlone)?,
                n_ended: n_closed(CloseCause::CoordinatorEnded)?,
                n_conflicts: count("SELECT count(*) FROM conflicts")?,
            })
        };
        read().map_err(StoreError::read)
    }
}

fn grid_outcome(row: &Row<'_>, chance: Score) -> rusqlite::Result<Outcome> {
    let outcome: String = row.get(1)?;
    Ok(match outcome.as_str() {
        "cancelled" => Outcome::Open,
        "failed" => Outcome::Failed,
        "diverged" => Outcome::Diverged(chance),
        _ => Outcome::Scored(Score { accuracy: row.get(2)?, loss: row.get(3)? }),
    })
}

pub(super) fn trial_state(
    row: &Row<'_>,
    history: Vec<EpochRecord>,
    timings: Vec<Timing>,
) -> rusqlite::Result<TrialState> {
    let outcome: String = row.get("outcome")?;
    let ending = match outcome.as_str() {
        "cancelled" => return Ok(TrialState::Cancelled),
        "failed" => return Ok(TrialState::Failed { cause: row.get("cause")? }),
        "diverged" => Ending::Diverged {
            step: row.get("diverged_step")?,
            last_finite_loss: row.get("last_finite_loss")?,
        },
        _ => Ending::Completed {
            best_epoch: row.get("best_epoch")?,
            test_accuracy: row.get("test_accuracy")?,
            collapsed: row.get("collapsed")?,
        },
    };
    let result =
        TrialResult { ending, history, work: work(row)?, digest: Digest(row.get("digest")?) };
    Ok(TrialState::Done { result: Box::new(result), timings })
}

fn work(row: &Row<'_>) -> rusqlite::Result<Work> {
    let large = |_: &Measure| rusqlite::Error::IntegralValueOutOfRange(0, i64::from(u32::MAX) + 1);
    Work::read(|measure| reading(measure, row), large)
}

/// What a measure's column holds.
fn reading(measure: &Measure, row: &Row<'_>) -> rusqlite::Result<Option<Reading>> {
    measure.read_by(|name| row.get(name), |name| row.get(name))
}

pub(super) fn epoch_record(
    measures: &Arc<[Measure]>,
    row: &Row<'_>,
) -> rusqlite::Result<EpochRecord> {
    let mut record = EpochRecord::new(measures, row.get("epoch")?);
    for measure in measures.iter() {
        record.set(&measure.name, reading(measure, row)?);
    }
    Ok(record)
}

pub(super) fn timing(row: &Row<'_>) -> rusqlite::Result<Timing> {
    Ok(Timing {
        epoch: row.get("epoch")?,
        wall_s: row.get("wall_s")?,
        cpu_s: row.get("cpu_s")?,
        worker: row.get("worker")?,
        isa: row.get("isa")?,
        attempt: row.get("attempt")?,
        n_slots_in_use: row.get("n_slots_in_use")?,
    })
}
