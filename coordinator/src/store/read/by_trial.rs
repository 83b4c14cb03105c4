//! Trials as recorded, one at a time, for those who cannot hold all of them at once.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Row};
use trial::TrialId;

use crate::store::error::StoreError;
use crate::store::read::{epoch_record, timing, trial_state};
use crate::store::write::times::AttemptTimes;
use crate::store::{Reader, TrialRow, TrialState};

#[derive(Debug)]
pub struct TrialReader<'a> {
    reader: &'a Reader,
    numbers: HashMap<TrialId, u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialForm {
    pub phase: String,
    pub seed: u32,
    /// JSON.
    pub hyperparameters: String,
}

impl<'a> TrialReader<'a> {
    pub fn new(reader: &'a Reader) -> Result<Self, StoreError> {
        let read = || {
            let mut statement = reader.connection.prepare("SELECT trial_id, trial FROM trials")?;
            let rows = statement
                .query_map([], |row| Ok((TrialId::from_bytes(row.get(0)?), row.get(1)?)))?;
            rows.collect::<rusqlite::Result<_>>()
        };
        let numbers = read().map_err(StoreError::read)?;
        Ok(Self { reader, numbers })
    }

    /// What is recorded of a trial; `None` if nothing is.
    pub fn trial(&self, id: &TrialId) -> Result<Option<TrialRow>, StoreError> {
        let read = |&number| self.read(number).map_err(StoreError::read);
        self.numbers.get(id).map(read).transpose()
    }

    /// What a trial was first recorded as.
    pub fn form(&self, id: &TrialId) -> Result<Option<TrialForm>, StoreError> {
        let sql = "SELECT phase, seed, hyperparameters FROM trials WHERE trial = ?1";
        let read = |number| {
            let mut statement = self.reader.connection.prepare_cached(sql)?;
            statement.query_row([number], |row| {
                Ok(TrialForm {
                    phase: row.get(0)?,
                    seed: row.get(1)?,
                    hyperparameters: row.get(2)?,
                })
            })
        };
        let found = self.numbers.get(id).map(read).transpose();
        found.map_err(StoreError::read)
    }

    /// Times of the attempt that brought a trial's outcome; `None` where there is none or nobody knows.
    pub fn last_attempt_times(&self, id: &TrialId) -> Result<Option<AttemptTimes>, StoreError> {
        let sql = "SELECT began_ms, ended_ms FROM outcomes JOIN attempts USING (trial)
                   WHERE outcomes.trial = ?1 AND attempts.attempt = coalesce(outcomes.attempt,
                       (SELECT max(attempt) FROM attempts WHERE trial = ?1))
                   AND began_ms IS NOT NULL AND ended_ms IS NOT NULL";
        let read = |number| {
            let mut statement = self.reader.connection.prepare_cached(sql)?;
            let times = statement.query_row([number], |row| {
                Ok(AttemptTimes { began_ms: row.get(0)?, ended_ms: row.get(1)? })
            });
            times.optional()
        };
        let found = self.numbers.get(id).map(read).transpose().map_err(StoreError::read);
        Ok(found?.flatten())
    }

    /// Ids of all trials that anything is recorded of.
    pub fn ids(&self) -> impl Iterator<Item = &TrialId> {
        self.numbers.keys()
    }

    fn read(&self, number: u32) -> rusqlite::Result<TrialRow> {
        let history =
            self.rows_of(number, "epochs", |row| epoch_record(self.reader.measures(), row))?;
        let timings = self.rows_of(number, "timings", timing)?;
        let connection = &self.reader.connection;
        let sql = "SELECT max(attempt) FROM attempts WHERE trial = ?1";
        let n_attempts: Option<u32> =
            connection.prepare_cached(sql)?.query_row([number], |row| row.get(0))?;
        let mut statement = connection.prepare_cached("SELECT * FROM outcomes WHERE trial = ?1")?;
        let mut rows = statement.query([number])?;
        let state = rows.next()?.map(|row| trial_state(row, history, timings)).transpose()?;
        Ok(TrialRow {
            n_attempts: n_attempts.unwrap_or_default(),
            state: state.unwrap_or(TrialState::Open),
        })
    }

    fn rows_of<T>(
        &self,
        number: u32,
        table: &'static str,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        let sql = format!("SELECT * FROM {table} WHERE trial = ?1 ORDER BY epoch");
        let mut statement = self.reader.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([number], read)?;
        rows.collect()
    }
}
