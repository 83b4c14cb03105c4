//! Records to rows. A batch is one transaction: all of it is durable when `commit` returns, or none.

pub mod times;
pub mod workers;
pub mod writer;
use coordinator_core::event::{CloseCause, Record};
use coordinator_core::lease::{OpenLease, TrialIndex};
use proto::text::{clean_line, clean_lines};
use proto::{MAX_NAME_BYTES, MAX_TEXT_BYTES};
use rusqlite::types::Value;
use rusqlite::{Transaction, TransactionBehavior, params, params_from_iter};
use sweep::Plan;
use trial::{Ending, EpochRecord, Measure, Reading, Timing, TrialResult, Work};

use super::numbers::Numbers;
use crate::reporting::values::hyperparameters_json;
use crate::store::connection::{Running, Store};
use crate::store::error::StoreError;
use times::time_of_day_ms;

impl Store {
    /// Makes a batch durable.
    pub fn commit(&mut self, plan: &Plan, records: &[Record]) -> Result<(), StoreError> {
        let mut numbers = match self.numbers.take() {
            Some(numbers) => numbers,
            None => Numbers::load(&self.connection, plan)?,
        };
        faults::point("coordinator.batch.before");
        faults::hang("hang.coordinator.commit");
        let (running, mut n_joins, now_ms) = (self.running.take(), self.n_joins, time_of_day_ms());
        let term = running.as_ref().map_or(0, |running| running.term);
        let ran_ms = running.as_ref().map_or(0, Running::ran_ms);
        let committed = self.transact(|transaction| {
            let numbers = &mut numbers;
            let n_joins = &mut n_joins;
            let mut batch = Batch { transaction, plan, numbers, n_joins, now_ms, term };
            records.iter().try_for_each(|record| batch.write(record))?;
            running.as_ref().map_or(Ok(()), |running| running.stamp(transaction, now_ms))?;
            faults::point("coordinator.batch.written");
            Ok(())
        });
        faults::point("coordinator.batch.committed");
        (self.running, self.n_joins) = (running, n_joins);
        numbers.settle(committed.is_ok());
        self.numbers = Some(numbers);
        committed?;
        if let Some(marker) = self.running.as_mut().and_then(|running| running.marker.as_mut()) {
            marker.committed(records, ran_ms);
        }
        Ok(())
    }

    /// Closes the open attempts of trials that the sweep file no longer names.
    pub fn close_attempts(&mut self, numbers: &[u32]) -> Result<(), StoreError> {
        self.transact(|transaction| {
            // What ended with its coordinator ended when that was last seen.
            let mut statement = transaction.prepare_cached(
                "UPDATE attempts SET closed = ?2, ended_ms =
                     (SELECT max(began_ms, seen_ms) FROM terms WHERE terms.term = attempts.term)
                 WHERE trial = ?1 AND closed IS NULL",
            )?;
            let word = CloseCause::CoordinatorEnded.word();
            numbers.iter().try_for_each(|number| statement.execute((number, word)).map(drop))
        })
    }

    pub(super) fn transact(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let run = || {
            let transaction =
                self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            work(&transaction)?;
            transaction.commit()
        };
        run().map_err(StoreError::write)
    }
}

/// What the records of one transaction need to become rows.
struct Batch<'a> {
    transaction: &'a Transaction<'a>,
    plan: &'a Plan,
    numbers: &'a mut Numbers,
    n_joins: &'a mut u64,
    now_ms: i64,
    /// The term of the coordinator that writes; 0 if none has begun.
    term: u64,
}

impl Batch<'_> {
    fn write(&mut self, record: &Record) -> rusqlite::Result<()> {
        let transaction = self.transaction;
        match record {
            Record::WorkerJoined { worker, facts } => {
                *self.n_joins += 1;
                workers::write(transaction, worker, facts, *self.n_joins)
            }
            Record::Granted(open) => {
                let number = self.number(open.lease.trial)?;
                write_grant(transaction, number, open, self.now_ms)
            }
            Record::Closed { trial, attempt, cause } => {
                let detail = cause.detail().map(|text| clean_lines(text, MAX_TEXT_BYTES));
                let number = self.number(*trial)?;
                self.close_attempt(number, *attempt, cause.word(), detail.as_deref())
            }
            Record::Completed { trial, attempt, result, timings, .. } => {
                let number = self.number(*trial)?;
                self.close_attempt(number, *attempt, COMPLETED, None)?;
                write_result(transaction, number, *attempt, result)?;
                faults::point("coordinator.batch.outcome_row");
                result.history.iter().try_for_each(|e| write_epoch(transaction, number, e))?;
                timings.iter().try_for_each(|t| write_timing(transaction, number, t))
            }
            Record::Failed { trial, cause } => {
                let cause = clean_lines(cause, MAX_TEXT_BYTES);
                write_end(transaction, self.number(*trial)?, "failed", Some(&cause))
            }
            Record::Cancelled { trial } => {
                write_end(transaction, self.number(*trial)?, "cancelled", None)
            }
            Record::Reopened { trial } => reopen(transaction, self.number(*trial)?),
            Record::Conflict { trial, attempt, digest } => {
                let row = params![self.number(*trial)?, attempt, digest.0];
                let sql = "INSERT OR IGNORE INTO conflicts VALUES (?1, ?2, ?3)";
                transaction.prepare_cached(sql)?.execute(row).map(drop)
            }
        }
    }

    /// It ends now, and no earlier than it began, wherever the clock was set to meanwhile; one that
    /// ended with a former coordinator ended when that was last seen.
    fn close_attempt(
        &self,
        number: u32,
        attempt: u32,
        word: &str,
        detail: Option<&str>,
    ) -> rusqlite::Result<()> {
        let sql = "UPDATE attempts SET closed = ?3, detail = ?4, ended_ms = max(
                       coalesce(began_ms, 0),
                       coalesce((SELECT seen_ms FROM terms WHERE terms.term = attempts.term
                                 AND ?3 = ?7 AND terms.term <> ?6), ?5))
                   WHERE trial = ?1 AND attempt = ?2 AND closed IS NULL";
        let ended = CloseCause::CoordinatorEnded.word();
        let row = params![number, attempt, word, detail, self.now_ms, self.term, ended];
        self.transaction.prepare_cached(sql)?.execute(row).map(drop)
    }

    /// The trial's number; its first record gives it one.
    fn number(&mut self, trial: TrialIndex) -> rusqlite::Result<u32> {
        let planned = &self.plan.trials[trial.index()];
        if let Some(number) = self.numbers.of(trial, &planned.id) {
            return Ok(number);
        }
        let number = self.numbers.give(trial);
        let json = hyperparameters_json(&self.plan.hyperparameters(trial.index()));
        let sql = "INSERT INTO trials VALUES (?1, ?2, ?3, ?4, ?5)";
        let row = params![number, planned.id.bytes(), planned.phase.name(), planned.seed, json];
        self.transaction.prepare_cached(sql)?.execute(row)?;
        Ok(number)
    }
}

fn write_grant(
    transaction: &Transaction<'_>,
    number: u32,
    open: &OpenLease,
    now_ms: i64,
) -> rusqlite::Result<()> {
    let lease = open.lease;
    let sql = "INSERT INTO attempts
               (trial, attempt, term, nonce, worker_id, is_alone, is_local, began_ms)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let row = params![
        number,
        lease.attempt,
        lease.term,
        lease.nonce.cast_signed(),
        open.worker.0,
        open.alone,
        open.local,
        now_ms
    ];
    transaction.prepare_cached(sql)?.execute(row).map(drop)
}

/// The word of `attempts.closed` for an attempt that brought the outcome.
const COMPLETED: &str = "completed";

/// Every word that `attempts.closed` may be.
pub(super) fn closed_words() -> Vec<&'static str> {
    [COMPLETED].into_iter().chain(CloseCause::ALL.map(|cause| cause.word())).collect()
}

fn write_end(
    transaction: &Transaction<'_>,
    number: u32,
    outcome: &str,
    cause: Option<&str>,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO outcomes (trial, outcome, cause) VALUES (?1, ?2, ?3)";
    transaction.prepare_cached(sql)?.execute(params![number, outcome, cause]).map(drop)
}

fn reopen(transaction: &Transaction<'_>, number: u32) -> rusqlite::Result<()> {
    let forgive = "UPDATE attempts SET is_forgiven = 1 WHERE trial = ?1";
    transaction.prepare_cached(forgive)?.execute(params![number])?;
    let forget = "DELETE FROM outcomes WHERE trial = ?1";
    transaction.prepare_cached(forget)?.execute(params![number]).map(drop)
}

fn write_result(
    transaction: &Transaction<'_>,
    number: u32,
    attempt: u32,
    result: &TrialResult,
) -> rusqlite::Result<()> {
    let (outcome, best_epoch, test_accuracy, collapsed, step, loss) = match result.ending {
        Ending::Completed { best_epoch, test_accuracy, collapsed } => {
            ("completed", Some(best_epoch), test_accuracy, Some(collapsed), None, None)
        }
        Ending::Diverged { step, last_finite_loss } => {
            ("diverged", None, None, None, Some(step), last_finite_loss)
        }
    };
    let (names, places) = columns(Work::measures(), 10);
    let sql = format!(
        "INSERT INTO outcomes (trial, outcome, attempt, digest, best_epoch, test_accuracy, collapsed,
            diverged_step, last_finite_loss{names})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9{places})"
    );
    let mut row: Vec<Value> = vec![
        number.into(),
        outcome.to_owned().into(),
        attempt.into(),
        result.digest.0.to_vec().into(),
        best_epoch.into(),
        test_accuracy.into(),
        collapsed.into(),
        step.map(count).transpose()?.into(),
        loss.into(),
    ];
    row.extend(values(&result.work.readings())?);
    transaction.prepare_cached(&sql)?.execute(params_from_iter(row)).map(drop)
}

/// The names and the places of the columns of measures, as the end of two lists. The first place has
/// this number.
fn columns(measures: &[Measure], first: usize) -> (String, String) {
    let names = measures.iter().map(|measure| format!(", \"{}\"", measure.name));
    let places = (first..).zip(measures).map(|(place, _)| format!(", ?{place}"));
    (names.collect(), places.collect())
}

fn values(readings: &[Option<Reading>]) -> rusqlite::Result<Vec<Value>> {
    let value = |reading: &Option<Reading>| match *reading {
        None => Ok(Value::Null),
        Some(Reading::Number(number)) => Ok(Value::Real(number)),
        Some(Reading::Count(n)) => count(n).map(Value::Integer),
    };
    readings.iter().map(value).collect()
}

fn count(n: u64) -> rusqlite::Result<i64> {
    i64::try_from(n).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn write_epoch(
    transaction: &Transaction<'_>,
    number: u32,
    epoch: &EpochRecord,
) -> rusqlite::Result<()> {
    let (names, places) = columns(epoch.measures(), 3);
    let sql = format!("INSERT INTO epochs (trial, epoch{names}) VALUES (?1, ?2{places})");
    let readings = values(epoch.readings())?;
    let row = [number, epoch.epoch].map(Value::from).into_iter().chain(readings);
    transaction.prepare_cached(&sql)?.execute(params_from_iter(row)).map(drop)
}

fn write_timing(
    transaction: &Transaction<'_>,
    number: u32,
    timing: &Timing,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO timings VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let row = params![
        number,
        timing.epoch,
        timing.wall_s,
        timing.cpu_s,
        clean_line(&timing.worker, MAX_NAME_BYTES),
        clean_line(&timing.isa, MAX_NAME_BYTES),
        timing.attempt,
        timing.n_slots_in_use
    ];
    transaction.prepare_cached(sql)?.execute(row).map(drop)
}
