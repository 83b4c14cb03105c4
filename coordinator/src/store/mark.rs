//! The mark beside the database: a lower bound of what was committed. A log that was removed, emptied
//! or cut short leaves a sound database with less in it; the mark tells it from one that never had
//! more.
//!
//! It is written after a commit, and so never says more than the disk had. It may say less: it is
//! written at most every tenth of a second, and synced at most once a second, which a loss of power
//! may take away. A copy of the database without its mark has nothing to be compared with.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use coordinator_core::event::Record;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Deserialize;
use worker::parts::sync_folder_of;

use crate::store::error::StoreError;
use crate::store::schema::rescue::{mark_of, rescue_lost};

const WRITE_EVERY: Duration = Duration::from_millis(100);

const SYNC_EVERY: Duration = Duration::from_secs(1);

/// Between two syncs passes at least this multiple of what one took: a slow disk has better to do.
const SYNC_REST: u32 = 50;

/// Between two warnings that it cannot be written.
const WARN_EVERY: Duration = Duration::from_secs(60);

const KIND: &str = "sweep-mark-1";

/// Longer than any mark, and within what a disk writes whole or not at all.
const FILE_BYTES: usize = 256;

/// What was committed at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    state_id: [u8; 16],
    term: u64,
    /// What `terms.ran_ms` says of the term at least.
    ran_ms: u64,
    n_outcomes: u64,
}

impl Mark {
    /// The mark of the database at `path`. One that cannot be read says nothing: it bounds nothing.
    pub fn of(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(mark_of(path)).ok()?;
        Self::parse(text.lines().next()?)
    }

    fn parse(line: &str) -> Option<Self> {
        let (said, sum) = line.trim_end().rsplit_once(' ')?;
        let mut words = said.split(' ');
        let is_whole = u32::from_str_radix(sum, 16).ok()? == crc32c::crc32c(said.as_bytes());
        let kind = words.next()?;
        let state_id = u128::from_str_radix(words.next()?, 16).ok()?.to_be_bytes();
        let mut number = || words.next()?.parse().ok();
        let mark = Self { state_id, term: number()?, ran_ms: number()?, n_outcomes: number()? };
        (is_whole && kind == KIND).then_some(mark)
    }

    fn bytes(&self) -> Vec<u8> {
        let Self { state_id, term, ran_ms, n_outcomes } = self;
        let state_id = u128::from_be_bytes(*state_id);
        let said = format!("{KIND} {state_id:032x} {term} {ran_ms} {n_outcomes}");
        let line = format!("{said} {:08x}", crc32c::crc32c(said.as_bytes()));
        format!("{line:<width$}\n", width = FILE_BYTES - 1).into_bytes()
    }

    /// Refuses a database that has less than its mark, which was read before it was opened.
    pub fn check(&self, connection: &Connection, path: &Path) -> Result<(), StoreError> {
        let found = self.missing(connection).map_err(StoreError::read)?;
        let rescue = || rescue_lost(path);
        match found {
            None => Ok(()),
            Some(found) => Err(StoreError::Broken { path: path.into(), found, rescue: rescue() }),
        }
    }

    fn missing(&self, connection: &Connection) -> rusqlite::Result<Option<String>> {
        match state_id(connection)? {
            // Another database was put here.
            StateId::Is(id) if id != self.state_id => return Ok(None),
            // What is wrong with it is told by those who need it.
            StateId::Unreadable => return Ok(None),
            StateId::Is(_) | StateId::None => {}
        }
        let sql = "SELECT count(*) FROM terms WHERE term > ?1 OR (term = ?1 AND ran_ms >= ?2)";
        let n_as_far: u64 =
            connection.query_row(sql, params![self.term, self.ran_ms], |row| row.get(0))?;
        if n_as_far > 0 {
            return Ok(None);
        }
        let n_outcomes = count_outcomes(connection)?;
        Ok(Some(format!(
            "its last commits are missing: {} outcomes were recorded at least, and {n_outcomes} are there, so its log was removed, emptied or cut short",
            self.n_outcomes
        )))
    }
}

/// Whose state a database is, as its description says.
enum StateId {
    Is([u8; 16]),
    None,
    Unreadable,
}

fn state_id(connection: &Connection) -> rusqlite::Result<StateId> {
    #[derive(Deserialize)]
    struct Description {
        state_id: [u8; 16],
    }
    let sql = "SELECT value FROM meta WHERE key = 'sweep'";
    let json: Option<String> = connection.query_row(sql, [], |row| row.get(0)).optional()?;
    let Some(json) = json else { return Ok(StateId::None) };
    let description: Result<Description, _> = serde_json::from_str(&json);
    Ok(description.map_or(StateId::Unreadable, |it| StateId::Is(it.state_id)))
}

fn count_outcomes(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT count(*) FROM outcomes", [], |row| row.get(0))
}

/// Keeps the mark of a state that is written to.
#[derive(Debug)]
pub struct Marker {
    path: PathBuf,
    file: Option<File>,
    mark: Mark,
    /// When it is to be written again.
    due: Instant,
    /// When it is to be synced again.
    sync_due: Instant,
    warned: Option<Instant>,
}

impl Marker {
    /// A term has begun, which the first mark says; `None` if the state has no id.
    pub fn begin(
        connection: &Connection,
        database: &Path,
        term: u64,
    ) -> Result<Option<Self>, StoreError> {
        let StateId::Is(state_id) = state_id(connection).map_err(StoreError::read)? else {
            return Ok(None);
        };
        let n_outcomes = count_outcomes(connection).map_err(StoreError::read)?;
        let mark = Mark { state_id, term, ran_ms: 0, n_outcomes };
        let (path, now) = (mark_of(database), Instant::now());
        let mut marker = Self { path, file: None, mark, due: now, sync_due: now, warned: None };
        marker.write();
        Ok(Some(marker))
    }

    /// These records are durable, and so is that the term has run for `ran_ms`.
    pub fn committed(&mut self, records: &[Record], ran_ms: u64) {
        let n_outcomes = &mut self.mark.n_outcomes;
        for record in records {
            match record {
                Record::Completed { .. } | Record::Failed { .. } | Record::Cancelled { .. } => {
                    *n_outcomes += 1;
                }
                Record::Reopened { .. } => *n_outcomes = n_outcomes.saturating_sub(1),
                _ => {}
            }
        }
        self.mark.ran_ms = ran_ms;
        if self.due <= Instant::now() {
            self.write();
        }
    }

    /// The term has ended, and what it committed is durable.
    pub fn end(&mut self, ran_ms: u64) {
        self.mark.ran_ms = ran_ms;
        self.sync_due = Instant::now();
        self.write();
    }

    /// Results are safe without it, so a mark that cannot be written stops nothing.
    fn write(&mut self) {
        self.due = Instant::now() + WRITE_EVERY;
        let Err(error) = self.try_write() else { return };
        if self.warned.is_none_or(|warned| warned.elapsed() > WARN_EVERY) {
            self.warned = Some(Instant::now());
            tracing::warn!(
                "{}: cannot be written ({error}); while it is not, nobody would notice that the log of the state was cut short",
                self.path.display()
            );
        }
    }

    fn try_write(&mut self) -> io::Result<()> {
        let is_new = self.file.is_none();
        let file = match self.file.take() {
            Some(file) => file,
            None => File::options().write(true).create(true).truncate(false).open(&self.path)?,
        };
        file.write_all_at(&self.mark.bytes(), 0)?;
        let started = Instant::now();
        if self.sync_due <= started {
            file.sync_data()?;
            self.sync_due = Instant::now() + (started.elapsed() * SYNC_REST).max(SYNC_EVERY);
        }
        if is_new {
            sync_folder_of(&self.path)?;
        }
        self.file = Some(file);
        Ok(())
    }
}
