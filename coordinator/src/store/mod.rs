//! The store: one SQLite file that holds everything a sweep must not lose. It knows no policy; it
//! makes batches of the core's records durable and gives back what they amount to.

mod check;
mod checkpoints;
mod copy;
mod folder;
mod load;
mod migrate;
mod numbers;
mod ranges;
mod read;
#[cfg(test)]
pub mod tests;
mod trial;
mod write;
mod writer;

use std::{
    cmp::Ordering,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};
use thiserror::Error;

pub use checkpoints::{CheckpointFiles, Receiving, WholeCheckpoint};
pub use folder::{StateFolder, database_in};
pub use load::Recorded;
use numbers::Numbers;
pub use read::{OpenAttempt, Reader, TrialRow, TrialState};
pub use trial::TrialReader;
pub use writer::Writer;

/// Raised with every change of `schema.sql`; kept in SQLite's `user_version`.
const SCHEMA_VERSION: i64 = 2;

/// The first SQLite release without the WAL-reset race, which could lose commits.
const SQLITE_VERSION_MIN: i32 = 3_051_003;

const CACHE_KIB: i64 = 16 * 1024;

/// Pages of 4 KiB in the log before they are copied into the database: the more, the fewer of them
/// are copied twice.
const CHECKPOINT_PAGES: i64 = 4 * 1024;

#[derive(Debug, Error)]
pub enum StoreError {
    #[error("{path}: cannot open the sweep's state")]
    Open { path: PathBuf, source: rusqlite::Error },
    #[error(
        "{path}: written by a newer version (schema {found}, this build knows {SCHEMA_VERSION}); use that version, or start over with --fresh"
    )]
    Newer { path: PathBuf, found: i64 },
    #[error(
        "{path}: written by an older version (schema {found}, this build knows {SCHEMA_VERSION}); `coordinator --sweep` with the sweep's file brings it up to date"
    )]
    Older { path: PathBuf, found: i64 },
    #[error("SQLite {0} can lose commits; version 3.51.3 or newer is needed")]
    OldLibrary(&'static str),
    #[error("the disk that holds the sweep's state is full")]
    Full { source: rusqlite::Error },
    #[error("cannot write the sweep's state")]
    Write { source: rusqlite::Error },
    #[error("cannot read the sweep's state")]
    Read { source: rusqlite::Error },
    #[error("{path}: cannot write the copy of the sweep's state")]
    Copy { path: PathBuf, source: rusqlite::Error },
    #[error("{path}: cannot keep a copy of the state before it is brought up to date")]
    SetAside { path: PathBuf, source: std::io::Error },
    #[error("the sweep's state is damaged: {0}")]
    Damaged(String),
}

/// The one connection that writes.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    /// Once they are needed.
    numbers: Option<Numbers>,
}

impl Store {
    /// Opens or creates the database.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if rusqlite::version_number() < SQLITE_VERSION_MIN {
            return Err(StoreError::OldLibrary(rusqlite::version()));
        }
        let open = |source| StoreError::Open { path: path.into(), source };
        let mut connection = Connection::open(path).map_err(open)?;
        configure(&connection).map_err(open)?;
        migrate::migrate(&mut connection, path)?;
        Ok(Self { connection, numbers: None })
    }

    pub fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        read::meta(&self.connection, key)
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
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// A connection that reads and takes no lock that a writer would wait for.
fn open_read_only(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = |source| StoreError::Open { path: path.into(), source };
    let connection = Connection::open_with_flags(path, flags).map_err(open)?;
    connection.pragma_update(None, "busy_timeout", 5_000).map_err(open)?;
    let found: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(open)?;
    check_version(path, found)?;
    Ok(connection)
}

fn check_version(path: &Path, found: i64) -> Result<(), StoreError> {
    let path = path.into();
    match found.cmp(&SCHEMA_VERSION) {
        Ordering::Less => Err(StoreError::Older { path, found }),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(StoreError::Newer { path, found }),
    }
}
