//! The workers that took part: how many there were is a question of which of them were there at the
//! same time, since a worker that is started anew has another id and says the same of itself.

use std::collections::BTreeMap;

use coordinator_core::event::WorkerInfo;
use coordinator_core::lease::{OpenLease, WorkerId};
use coordinator_core::limits::MAX_WORKERS;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::times::time_of_day_ms;
use crate::store::Reader;
use crate::store::error::StoreError;

/// Workers that never got a trial are kept up to this number, the latest ones: more than can be
/// connected, so that one that waits for its first trial is among them.
const MAX_IDLE_WORKERS: usize = 2 * MAX_WORKERS;

/// So many joins pass between two looks at that number.
const JOINS_PER_LOOK: u64 = 256;

/// A worker, or several that say the same of themselves and were there one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerRow {
    pub name: String,
    pub isa: String,
    pub cpu: String,
    pub n_slots: u32,
    /// Attempts it was given.
    pub n_attempts: u64,
}

/// The time from which on to which a worker is known to have been there.
#[derive(Clone, Copy, Debug)]
struct Span {
    first_ms: i64,
    last_ms: i64,
}

pub fn write(
    transaction: &Transaction<'_>,
    worker: &WorkerId,
    facts: &WorkerInfo,
    n_joins: u64,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO workers VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
               ON CONFLICT (worker_id) DO UPDATE
               SET name = ?2, isa = ?3, cpu = ?4, n_slots = ?5, is_local = ?6";
    let is_local = facts.local_index.is_some();
    let [name, isa, cpu] = [&facts.name, &facts.isa, &facts.cpu]
        .map(|text| proto::text::clean_line(text, proto::MAX_NAME_BYTES));
    let row = params![worker.0, name, isa, cpu, facts.n_slots, is_local, time_of_day_ms()];
    transaction.prepare_cached(sql)?.execute(row)?;
    if n_joins.is_multiple_of(JOINS_PER_LOOK) { forget_idle(transaction) } else { Ok(()) }
}

/// Who joins again and again under new ids must not fill the disk.
fn forget_idle(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let sql = "DELETE FROM workers WHERE worker_id IN (
                   SELECT worker_id FROM workers
                   WHERE worker_id NOT IN (SELECT worker_id FROM attempts)
                   ORDER BY joined_ms DESC LIMIT -1 OFFSET ?1)";
    transaction.execute(sql, [MAX_IDLE_WORKERS as u64]).map(drop)
}

/// What is known of the workers that hold these leases.
pub fn load(
    connection: &Connection,
    open: &[OpenLease],
) -> rusqlite::Result<BTreeMap<WorkerId, WorkerInfo>> {
    let sql = "SELECT name, isa, cpu, n_slots FROM workers WHERE worker_id = ?1";
    let mut statement = connection.prepare(sql)?;
    let mut known = BTreeMap::new();
    for worker in open.iter().filter(|lease| !lease.local).map(|lease| lease.worker) {
        let facts = statement.query_row([worker.0], |row| {
            Ok(WorkerInfo {
                name: row.get(0)?,
                isa: row.get(1)?,
                cpu: row.get(2)?,
                n_slots: row.get(3)?,
                local_index: None,
            })
        });
        known.extend(facts.optional()?.map(|facts| (worker, facts)));
    }
    Ok(known)
}

impl Reader {
    /// The workers that took part, those that replaced one another as one.
    pub fn workers(&self) -> Result<Vec<WorkerRow>, StoreError> {
        Ok(places(self.spans().map_err(StoreError::read)?))
    }

    /// Each id with the time it was there, as far as it is known. A worker that was lost may have
    /// been gone for long when that was noticed: only what it did itself counts.
    fn spans(&self) -> rusqlite::Result<Vec<(WorkerRow, Option<Span>)>> {
        let sql = "SELECT name, isa, cpu, n_slots, coalesce(n, 0), joined_ms, first_ms, last_ms, is_busy
                   FROM workers LEFT JOIN (
                       SELECT worker_id, count(*) AS n, min(began_ms) AS first_ms,
                              max(max(began_ms, CASE WHEN closed IN ('completed', 'checked', 'failed')
                                                THEN ended_ms ELSE began_ms END)) AS last_ms,
                              max(closed IS NULL) AS is_busy
                       FROM attempts GROUP BY worker_id
                   ) USING (worker_id)";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            let worker = WorkerRow {
                name: row.get(0)?,
                isa: row.get(1)?,
                cpu: row.get(2)?,
                n_slots: row.get(3)?,
                n_attempts: row.get(4)?,
            };
            let known: [Option<i64>; 3] = [row.get(5)?, row.get(6)?, row.get(7)?];
            let is_busy = row.get::<_, Option<bool>>(8)?.unwrap_or_default();
            let first = known.into_iter().flatten().min();
            let last = known.into_iter().flatten().max();
            let span = first.zip(last).map(|(first_ms, last_ms)| Span {
                first_ms,
                last_ms: if is_busy { i64::MAX } else { last_ms },
            });
            Ok((worker, span))
        })?;
        rows.collect()
    }
}

/// Puts each worker into the first place of its like that is free by then. Those of which no time
/// is known are taken for one.
fn places(mut workers: Vec<(WorkerRow, Option<Span>)>) -> Vec<WorkerRow> {
    workers.sort_by_key(|(_, span)| span.map_or(i64::MIN, |span| span.first_ms));
    /// What workers say of themselves.
    type Like = (String, String, String, u32);
    let mut groups: BTreeMap<Like, Vec<(i64, u64)>> = BTreeMap::new();
    for (worker, span) in workers {
        let WorkerRow { name, isa, cpu, n_slots, n_attempts } = worker;
        let group = groups.entry((name, isa, cpu, n_slots)).or_default();
        let span = span.unwrap_or(Span { first_ms: i64::MIN, last_ms: i64::MIN });
        let is_free =
            |(last_ms, _): &&mut (i64, u64)| *last_ms < span.first_ms || span.first_ms == i64::MIN;
        match group.iter_mut().find(is_free) {
            Some((last_ms, n)) => (*last_ms, *n) = (span.last_ms, *n + n_attempts),
            None => group.push((span.last_ms, n_attempts)),
        }
    }
    let rows = groups.into_iter().flat_map(|((name, isa, cpu, n_slots), places)| {
        places.into_iter().map(move |(_, n_attempts)| WorkerRow {
            name: name.clone(),
            isa: isa.clone(),
            cpu: cpu.clone(),
            n_slots,
            n_attempts,
        })
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(name: &str, n_attempts: u64, span: Option<(i64, i64)>) -> (WorkerRow, Option<Span>) {
        let (isa, cpu) = ("portable".into(), "model".into());
        let row = WorkerRow { name: name.into(), isa, cpu, n_slots: 2, n_attempts };
        (row, span.map(|(first_ms, last_ms)| Span { first_ms, last_ms }))
    }

    fn counts(workers: Vec<(WorkerRow, Option<Span>)>) -> Vec<(String, u64)> {
        places(workers).into_iter().map(|row| (row.name, row.n_attempts)).collect()
    }

    #[test]
    fn workers_of_one_name_are_as_many_as_were_there_at_the_same_time() {
        let both = vec![worker("a", 3, Some((0, 50))), worker("a", 4, Some((10, 60)))];
        assert_eq!(counts(both), [("a".into(), 3), ("a".into(), 4)]);
        let one_by_one = vec![worker("a", 4, Some((51, 60))), worker("a", 3, Some((0, 50)))];
        assert_eq!(counts(one_by_one), [("a".into(), 7)]);
        let mixed = vec![
            worker("b", 1, Some((0, 9))),
            worker("a", 1, Some((0, 9))),
            worker("a", 2, Some((5, i64::MAX))),
            worker("a", 4, Some((20, 30))),
        ];
        assert_eq!(counts(mixed), [("a".into(), 5), ("a".into(), 2), ("b".into(), 1)]);
    }

    #[test]
    fn workers_of_unknown_times_are_taken_for_one() {
        let old = vec![worker("a", 1, None), worker("a", 2, None), worker("a", 4, Some((5, 6)))];
        assert_eq!(counts(old), [("a".into(), 7)]);
    }
}
