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
mod sound;
#[cfg(test)]
pub mod tests;
mod times;
mod trial;
mod workers;
mod write;
mod writer;

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use thiserror::Error;

pub use checkpoints::{CheckpointFiles, Receiving, WholeCheckpoint};
pub use folder::{StateFolder, database_in};
pub use load::Recorded;
use numbers::Numbers;
pub use read::{OpenAttempt, Reader, TrialRow, TrialState};
pub use times::AttemptTimes;
use times::Running;
pub use trial::TrialReader;
pub use writer::Writer;

/// Raised with every change of `schema.sql`; kept in SQLite's `user_version`.
const SCHEMA_VERSION: i64 = 3;

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
        "{path}: written by an older version (schema {found}, this build knows {SCHEMA_VERSION}); `coordinator --sweep FILE` with the sweep's file brings it up to date"
    )]
    Older { path: PathBuf, found: i64 },
    #[error(
        "{path}: is no state yet: a coordinator is just making it, or was stopped while it did; try again in a moment"
    )]
    Unmade { path: PathBuf },
    #[error("{path}: cannot make the sweep's state")]
    Make { path: PathBuf, source: std::io::Error },
    #[error("{path}: the database is damaged ({found}); nothing was started or changed. {rescue}")]
    Broken { path: PathBuf, found: String, rescue: String },
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

impl StoreError {
    fn open(path: &Path, source: rusqlite::Error) -> Self {
        match is_damage(&source) {
            true => sound::broken(path, source.to_string()),
            false => Self::Open { path: path.into(), source },
        }
    }

    fn read(source: rusqlite::Error) -> Self {
        match is_damage(&source) {
            true => Self::Damaged(source.to_string()),
            false => Self::Read { source },
        }
    }

    fn write(source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { source },
            _ if is_damage(&source) => Self::Damaged(source.to_string()),
            _ => Self::Write { source },
        }
    }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    use ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

/// The one connection that writes.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    /// Once they are needed.
    numbers: Option<Numbers>,
    /// Once a term has begun.
    running: Option<Running>,
    n_joins: u64,
}

impl Store {
    /// Opens or creates the database.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if rusqlite::version_number() < SQLITE_VERSION_MIN {
            return Err(StoreError::OldLibrary(rusqlite::version()));
        }
        migrate::make(path)?;
        let open = |source| StoreError::open(path, source);
        let mut connection = Connection::open(path).map_err(open)?;
        configure(&connection).map_err(open)?;
        sound::check(&connection, path)?;
        migrate::migrate(&mut connection, path)?;
        Ok(Self { connection, numbers: None, running: None, n_joins: 0 })
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

/// A value of `meta` in a state of any schema, all of which have that table; `None` where there is
/// no such state or value.
pub fn meta_of_any_schema(database: &Path, key: &str) -> Option<String> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags).ok()?;
    read::meta(&connection, key).ok()?
}

/// A connection that reads and takes no lock that a writer would wait for.
fn open_read_only(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = |source| StoreError::open(path, source);
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
        _ if found == 0 => Err(StoreError::Unmade { path }),
        Ordering::Less => Err(StoreError::Older { path, found }),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(StoreError::Newer { path, found }),
    }
}
