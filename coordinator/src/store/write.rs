//! Records to rows. A batch is one transaction: all of it is durable when `commit` returns, or none.

use coordinator_core::{
    event::{CloseCause, Record, Timing, WorkerFacts},
    lease::{OpenLease, TrialIndex, WorkerId},
    sweep::{Plan, TrialId},
};
use rusqlite::{ErrorCode, Transaction, TransactionBehavior, params};
use trainer::{Ending, EpochRecord, TrialResult};

use super::{Store, StoreError};
use crate::values::hyperparameters_json;

impl Store {
    /// Makes a batch durable.
    pub fn commit(&mut self, plan: &Plan, records: &[Record]) -> Result<(), StoreError> {
        self.transact(|transaction| {
            records.iter().try_for_each(|record| write(transaction, plan, record))
        })
    }

    pub fn set_meta(&mut self, entries: &[(&str, &str)]) -> Result<(), StoreError> {
        self.transact(|transaction| {
            let mut statement =
                transaction.prepare_cached("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")?;
            entries.iter().try_for_each(|entry| statement.execute(*entry).map(drop))
        })
    }

    /// Closes the open attempts of trials that the sweep file no longer names.
    pub fn close_attempts(&mut self, ids: &[TrialId]) -> Result<(), StoreError> {
        self.transact(|transaction| {
            let mut statement = transaction.prepare_cached(
                "UPDATE attempts SET closed = 'coordinator_ended' WHERE trial_id = ?1 AND closed IS NULL",
            )?;
            ids.iter().try_for_each(|id| statement.execute(params![id.0]).map(drop))
        })
    }

    fn transact(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let run = || {
            let transaction =
                self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            work(&transaction)?;
            transaction.commit()
        };
        run().map_err(|source| match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full { source },
            _ => StoreError::Write { source },
        })
    }
}

fn write(transaction: &Transaction<'_>, plan: &Plan, record: &Record) -> rusqlite::Result<()> {
    let id = |trial: &TrialIndex| &plan.trials[trial.at()].id.0;
    match record {
        Record::WorkerJoined { worker, facts } => write_worker(transaction, worker, facts),
        Record::Granted(open) => write_grant(transaction, plan, open),
        Record::Closed { trial, attempt, cause } => {
            let (word, detail) = close_words(cause);
            close_attempt(transaction, id(trial), *attempt, word, detail)
        }
        Record::Completed { trial, attempt, result, timings } => {
            close_attempt(transaction, id(trial), *attempt, "completed", None)?;
            write_result(transaction, id(trial), *attempt, result)?;
            result.history.iter().try_for_each(|e| write_epoch(transaction, id(trial), e))?;
            timings.iter().try_for_each(|t| write_timing(transaction, id(trial), t))
        }
        Record::Failed { trial, cause } => {
            write_end(transaction, id(trial), "failed", Some(cause.as_str()))
        }
        Record::Cancelled { trial } => write_end(transaction, id(trial), "cancelled", None),
        Record::Reopened { trial } => reopen(transaction, id(trial)),
        Record::Conflict { trial, attempt, digest } => {
            let sql = "INSERT OR IGNORE INTO conflicts VALUES (?1, ?2, ?3)";
            transaction.prepare_cached(sql)?.execute(params![id(trial), attempt, digest]).map(drop)
        }
    }
}

fn write_worker(
    transaction: &Transaction<'_>,
    worker: &WorkerId,
    facts: &WorkerFacts,
) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO workers VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let is_local = facts.local_index.is_some();
    let row = params![worker.0, facts.name, facts.isa, facts.cpu, facts.n_slots, is_local];
    transaction.prepare_cached(sql)?.execute(row).map(drop)
}

fn write_grant(
    transaction: &Transaction<'_>,
    plan: &Plan,
    open: &OpenLease,
) -> rusqlite::Result<()> {
    let lease = open.lease;
    let trial = &plan.trials[lease.trial.at()];
    if lease.attempt == 1 {
        let json = hyperparameters_json(&plan.config(lease.trial.at()));
        let sql = "INSERT OR IGNORE INTO trials VALUES (?1, ?2, ?3, ?4)";
        let row = params![trial.id.0, trial.phase.name(), trial.seed, json];
        transaction.prepare_cached(sql)?.execute(row)?;
    }
    let sql = "INSERT INTO attempts (trial_id, attempt, term, nonce, worker_id, is_alone, is_local)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let row = params![
        trial.id.0,
        lease.attempt,
        lease.term,
        lease.nonce.cast_signed(),
        open.worker.0,
        open.alone,
        open.local
    ];
    transaction.prepare_cached(sql)?.execute(row).map(drop)
}

/// The words that `attempts.closed` uses.
fn close_words(cause: &CloseCause) -> (&'static str, Option<&str>) {
    match cause {
        CloseCause::Lost => ("lost", None),
        CloseCause::LostAlone => ("lost_alone", None),
        CloseCause::Released => ("released", None),
        CloseCause::CoordinatorEnded => ("coordinator_ended", None),
        CloseCause::Superseded => ("superseded", None),
        CloseCause::Checked => ("checked", None),
        CloseCause::Failed(text) => ("failed", Some(text)),
    }
}

fn close_attempt(
    transaction: &Transaction<'_>,
    id: &[u8; 32],
    attempt: u32,
    word: &str,
    detail: Option<&str>,
) -> rusqlite::Result<()> {
    let sql = "UPDATE attempts SET closed = ?3, detail = ?4 
               WHERE trial_id = ?1 AND attempt = ?2 AND closed IS NULL";
    transaction.prepare_cached(sql)?.execute(params![id, attempt, word, detail]).map(drop)
}

fn write_end(
    transaction: &Transaction<'_>,
    id: &[u8; 32],
    outcome: &str,
    cause: Option<&str>,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO outcomes (trial_id, outcome, cause) VALUES (?1, ?2, ?3)";
    transaction.prepare_cached(sql)?.execute(params![id, outcome, cause]).map(drop)
}

fn reopen(transaction: &Transaction<'_>, id: &[u8; 32]) -> rusqlite::Result<()> {
    let forgive = "UPDATE attempts SET is_forgiven = 1 WHERE trial_id = ?1";
    transaction.prepare_cached(forgive)?.execute(params![id])?;
    let forget = "DELETE FROM outcomes WHERE trial_id = ?1";
    transaction.prepare_cached(forget)?.execute(params![id]).map(drop)
}

fn write_result(
    transaction: &Transaction<'_>,
    id: &[u8; 32],
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
    let work = &result.work;
    let sql = "INSERT INTO outcomes VALUES
        (?1, ?2, NULL, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";
    let row = params![
        id,
        outcome,
        attempt,
        result.digest,
        best_epoch,
        test_accuracy,
        collapsed,
        step,
        loss,
        work.n_steps,
        work.grad_samples,
        work.probe_samples,
        work.macs_textbook,
        work.macs_executed,
        work.backtracks.map(|b| b.mean),
        work.backtracks.map(|b| b.p95),
        work.backtracks.map(|b| b.max),
        work.steps_without_step
    ];
    transaction.prepare_cached(sql)?.execute(row).map(drop)
}

fn write_epoch(
    transaction: &Transaction<'_>,
    id: &[u8; 32],
    epoch: &EpochRecord,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO epochs VALUES
        (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
    let row = params![
        id,
        epoch.epoch,
        epoch.train_loss,
        epoch.train_accuracy,
        epoch.valid_loss,
        epoch.valid_accuracy,
        epoch.learning_rate,
        epoch.steps.map(|s| s.min),
        epoch.steps.map(|s| s.median),
        epoch.steps.map(|s| s.max),
        epoch.n_backtracks,
        epoch.gradient_norm,
        epoch.grad_samples,
        epoch.probe_samples
    ];
    transaction.prepare_cached(sql)?.execute(row).map(drop)
}

fn write_timing(
    transaction: &Transaction<'_>,
    id: &[u8; 32],
    timing: &Timing,
) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO timings VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let row = params![
        id,
        timing.epoch,
        timing.wall_s,
        timing.cpu_s,
        timing.worker,
        timing.isa,
        timing.attempt,
        timing.n_slots_in_use
    ];
    transaction.prepare_cached(sql)?.execute(row).map(drop)
}
