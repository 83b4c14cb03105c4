//! The connections to a state: the one that writes, and those that read.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, params};
use trial::Measure;

use crate::store::error::StoreError;
use crate::store::mark::{Mark, Marker};
use crate::store::numbers::Numbers;
use crate::store::read;
use crate::store::schema::kind;
use crate::store::schema::meta_value::meta;
use crate::store::schema::rescue::rescue_lost;
use crate::store::schema::version::check_version;
use crate::store::schema::{self, SCHEMA_VERSION};
use crate::store::wal;

/// The first SQLite release without the WAL-reset race, which could lose commits.
const SQLITE_VERSION_MIN: i32 = 3_051_003;

const CACHE_KIB: i64 = 16 * 1024;

/// Pages of 4 KiB in the log before they are copied into the database: the more, the fewer of them
/// are copied twice.
const CHECKPOINT_PAGES: i64 = 4 * 1024;

/// The one connection that writes.
#[derive(Debug)]
pub struct Store {
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
    measures: Arc<[Measure]>,
    /// Once they are needed.
    pub(super) numbers: Option<Numbers>,
    /// Once a term has begun.
    pub(super) running: Option<Running>,
    pub(super) n_joins: u64,
}

impl Store {
    /// Opens or creates the database of trials that measure this.
    pub fn open(path: &Path, measures: &Arc<[Measure]>) -> Result<Self, StoreError> {
        if rusqlite::version_number() < SQLITE_VERSION_MIN {
            return Err(StoreError::OldLibrary(rusqlite::version()));
        }
        schema::migrate::make(path, measures)?;
        check_whole(path).map_err(|error| error.at_opening(path))?;
        let open = |source| StoreError::open(path, source);
        let mut connection = Connection::open(path).map_err(open)?;
        configure(&connection).map_err(open)?;
        read::sound::check(&connection, path)?;
        schema::migrate::migrate(&mut connection, path, measures)?;
        let measures = schema::measures::bring_up_to(&mut connection, path, measures)?;
        Ok(Self {
            path: path.into(),
            connection,
            measures,
            numbers: None,
            running: None,
            n_joins: 0,
        })
    }

    /// What its trials measure, in the order of the columns.
    pub fn measures(&self) -> &Arc<[Measure]> {
        &self.measures
    }

    pub fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        meta(&self.connection, key)
    }
}

/// WAL with a sync at each commit: what was committed survives power loss.
fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "busy_timeout", 5_000)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    only_tables(connection)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// A value of `meta` in a state of any schema, all of which have that table; `None` where there is
/// no such state or value.
pub fn meta_of_any_schema(database: &Path, key: &str) -> Option<String> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags).ok()?;
    only_tables(&connection).ok()?;
    meta(&connection, key).ok()?
}

/// Lets nothing act that a file may define beside tables: no trigger, no view, no function.
fn only_tables(connection: &Connection) -> rusqlite::Result<()> {
    for config in [
        DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA,
        DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER,
        DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW,
    ] {
        connection.set_db_config(config, false)?;
    }
    Ok(())
}

/// Before anything is changed: what was committed is there.
fn check_whole(path: &Path) -> Result<(), StoreError> {
    let mark = Mark::of(path);
    let (connection, version) = look_at(path)?;
    match mark {
        Some(mark) if version == SCHEMA_VERSION => mark.check(&connection, path),
        Some(_) if version == 0 => {
            let (found, rescue) = ("it is empty, and was not".into(), rescue_lost(path));
            Err(StoreError::Broken { path: path.into(), found, rescue })
        }
        _ => Ok(()),
    }
}

/// A connection that reads and takes no lock that a writer would wait for. What was committed is
/// there, or it is refused.
pub fn open_read_only(path: &Path) -> Result<Connection, StoreError> {
    // Before the database is opened, because a coordinator may write on.
    let mark = Mark::of(path);
    let (connection, version) = look_at(path)?;
    check_version(path, version)?;
    let check = mark.map_or(Ok(()), |mark| mark.check(&connection, path));
    check.map_err(|error| error.at_opening(path))?;
    Ok(connection)
}

/// Opens what is a state with an intact log, or may become one, and gives its version.
fn look_at(path: &Path) -> Result<(Connection, i64), StoreError> {
    kind::check_file(path)?;
    wal::check(path)?;
    let open = |source| StoreError::open(path, source);
    let connection = read_only(path).map_err(open)?;
    let version = version_of(&connection).map_err(open)?;
    kind::check_tables(&connection, path, version)?;
    Ok((connection, version))
}

fn read_only(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    only_tables(&connection)?;
    connection.pragma_update(None, "busy_timeout", 5_000)?;
    // Who only looks leaves the log as it is.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

fn version_of(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// The start of a coordinator that this process is.
#[derive(Debug)]
pub struct Running {
    pub term: u64,
    pub started: Instant,
    /// `None` in a state without an id.
    pub marker: Option<Marker>,
}

impl Running {
    /// By the clock that nobody sets.
    pub fn ran_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// With each commit, so that the time is right after a kill. A clock that was set back does not
    /// take it back.
    pub fn stamp(&self, transaction: &Transaction<'_>, now_ms: i64) -> rusqlite::Result<()> {
        let sql = "UPDATE terms SET seen_ms = max(seen_ms, ?2), ran_ms = ?3 WHERE term = ?1";
        let ran_ms = i64::try_from(self.ran_ms()).unwrap_or(i64::MAX);
        transaction.prepare_cached(sql)?.execute(params![self.term, now_ms, ran_ms]).map(drop)
    }
}
