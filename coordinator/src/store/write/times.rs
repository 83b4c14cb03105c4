//! Times: when a coordinator and its attempts began and ended. Times of day are for people, and the
//! time that a coordinator ran is counted by a clock that nobody sets; no decision uses either.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rusqlite::params;
use trial::TrialId;

use crate::store::Reader;
use crate::store::connection::Running;
use crate::store::connection::Store;
use crate::store::error::StoreError;
use crate::store::mark::Marker;

/// A start of a coordinator on the state. Times of day are milliseconds since 1970 (UTC), `None`
/// where an older schema did not know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermRow {
    pub term: u64,
    pub began_ms: Option<u64>,
    /// Time of its last commit.
    pub seen_ms: Option<u64>,
    /// `None` while it runs, and after it was killed.
    pub ended_ms: Option<u64>,
    pub ran_ms: Option<u64>,
}

/// When an attempt was granted and closed, in milliseconds since 1970 (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptTimes {
    pub began_ms: u64,
    pub ended_ms: u64,
}

/// The trials that brought their outcomes in the second half of the time that the last coordinator
/// has run so far, and how long that is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DoneLately {
    pub trials: Vec<TrialId>,
    pub seconds: f64,
}

/// Milliseconds since 1970 (UTC).
pub fn time_of_day_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl Store {
    /// Records that a coordinator has started, together with what it says of its sweep.
    pub fn begin_term(&mut self, term: u64, meta: &[(&str, &str)]) -> Result<(), StoreError> {
        let now_ms = time_of_day_ms();
        self.transact(|transaction| {
            let sql = "INSERT INTO terms (term, began_ms, seen_ms, ran_ms) VALUES (?1, ?2, ?2, 0)
                       ON CONFLICT (term) DO UPDATE SET began_ms = ?2, seen_ms = ?2, ended_ms = NULL";
            transaction.execute(sql, params![term, now_ms])?;
            let sql = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)";
            let mut statement = transaction.prepare_cached(sql)?;
            meta.iter().try_for_each(|entry| statement.execute(*entry).map(drop))?;
            faults::point("coordinator.meta.written");
            Ok(())
        })?;
        let marker = Marker::begin(&self.connection, &self.path, term)?;
        self.running = Some(Running { term, started: Instant::now(), marker });
        Ok(())
    }

    /// Records that this coordinator is still there.
    pub fn touch(&mut self) -> Result<(), StoreError> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        let (now_ms, ran_ms) = (time_of_day_ms(), running.ran_ms());
        let touched = self.transact(|transaction| running.stamp(transaction, now_ms));
        if let (Ok(()), Some(marker)) = (&touched, &mut running.marker) {
            marker.committed(&[], ran_ms);
        }
        self.running = Some(running);
        touched
    }

    /// Records that this coordinator has ended in good order.
    pub fn end_term(&mut self) -> Result<(), StoreError> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        let (now_ms, ran_ms) = (time_of_day_ms(), running.ran_ms());
        self.transact(|transaction| {
            running.stamp(transaction, now_ms)?;
            let sql = "UPDATE terms SET ended_ms = seen_ms WHERE term = ?1";
            transaction.execute(sql, [running.term]).map(drop)
        })?;
        if let Some(marker) = &mut running.marker {
            marker.end(ran_ms);
        }
        Ok(())
    }
}

impl Reader {
    /// Every start of a coordinator, the first one first.
    pub fn terms(&self) -> Result<Vec<TermRow>, StoreError> {
        let read = || {
            let sql = "SELECT term, began_ms, seen_ms, ended_ms, ran_ms FROM terms ORDER BY term";
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map([], |row| {
                Ok(TermRow {
                    term: row.get(0)?,
                    began_ms: row.get(1)?,
                    seen_ms: row.get(2)?,
                    ended_ms: row.get(3)?,
                    ran_ms: row.get(4)?,
                })
            })?;
            rows.collect::<rusqlite::Result<_>>()
        };
        read().map_err(StoreError::read)
    }

    /// Seconds that coordinators ran on this state, killed ones up to their last commit.
    pub fn ran_s(&self) -> Result<f64, StoreError> {
        let terms = self.terms()?.into_iter();
        let sum = terms.filter_map(|term| term.ran_ms).fold(0, u64::saturating_add);
        Ok(sum as f64 / 1000.0)
    }

    /// Seconds that a coordinator which runs now has run since its last commit.
    pub fn unrecorded_s(&self) -> Result<f64, StoreError> {
        let terms = self.terms()?;
        let open = terms.last().filter(|term| term.ended_ms.is_none());
        let Some(seen_ms) = open.and_then(|term| term.seen_ms) else { return Ok(0.0) };
        let now_ms = u64::try_from(time_of_day_ms()).unwrap_or(0);
        Ok(now_ms.saturating_sub(seen_ms) as f64 / 1000.0)
    }

    /// Nothing where no coordinator has started, or where nobody knows when.
    pub fn done_lately(&self) -> Result<DoneLately, StoreError> {
        let last = self.terms()?.pop();
        let Some((term, began_ms)) = last.and_then(|it| Some((it.term, it.began_ms?))) else {
            return Ok(DoneLately::default());
        };
        let now_ms = u64::try_from(time_of_day_ms()).unwrap_or(0);
        let half_ms = now_ms.saturating_sub(began_ms) / 2;
        let sql = "SELECT trial_id FROM attempts JOIN trials USING (trial)
                   WHERE closed = 'completed' AND term = ?1 AND ended_ms >= ?2";
        let read = || {
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map(params![term, began_ms + half_ms], |row| {
                row.get(0).map(TrialId::from_bytes)
            })?;
            rows.collect::<rusqlite::Result<_>>()
        };
        let trials = read().map_err(StoreError::read)?;
        Ok(DoneLately { trials, seconds: half_ms as f64 / 1_000.0 })
    }
}
