//! Why a state cannot be used.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;

use crate::store::schema::SCHEMA_VERSION;
use crate::store::schema::rescue::rescue;

#[derive(Debug, Error)]
pub enum StoreError {
    #[error("{path}: cannot open the sweep's state")]
    Open { path: PathBuf, source: SqliteError },
    #[error(
        "{path}: written by a newer version (schema {found}, this build knows {SCHEMA_VERSION}); use that version, or start over with --fresh"
    )]
    Newer { path: PathBuf, found: i64 },
    #[error(
        "{path}: written by an older version (schema {found}, this build knows {SCHEMA_VERSION}); `coordinator --sweep FILE` with the sweep's file brings it up to date"
    )]
    Older { path: PathBuf, found: i64 },
    #[error(
        "{path}: is not the state of a sweep but {found}; nothing was changed. Expected the sweep.db of a run, or a copy that `export` made; --state takes another place"
    )]
    NotState { path: PathBuf, found: String },
    #[error(
        "{path}: this user may only read the state; make the file and its folder writable, or give another place with --state"
    )]
    ReadOnly { path: PathBuf },
    #[error(
        "{path}: is no state yet: a coordinator is just making it, or was stopped while it did; try again in a moment"
    )]
    Unmade { path: PathBuf },
    #[error(
        "{path}: the database is gone, and {left}, which belongs to it, is there; put the database back if there is a copy of it, or start anew with --fresh, which sets aside what is left"
    )]
    Gone { path: PathBuf, left: PathBuf },
    #[error("{path}: cannot look for the sweep's state")]
    Hidden { path: PathBuf, source: std::io::Error },
    #[error("{path}: cannot make the sweep's state")]
    Make { path: PathBuf, source: std::io::Error },
    #[error("{path}: the database is damaged ({found}); nothing was started or changed. {rescue}")]
    Broken { path: PathBuf, found: String, rescue: String },
    #[error("{path}: cannot read the log of the sweep's state")]
    Log { path: PathBuf, source: std::io::Error },
    #[error(
        "{path}: its trials measured {what}; give this sweep another `name`, or set the state aside with --fresh"
    )]
    Measures { path: PathBuf, what: String },
    #[error("SQLite {0} can lose commits; version 3.51.3 or newer is needed")]
    OldLibrary(&'static str),
    #[error("the disk that holds the sweep's state is full")]
    Full { source: SqliteError },
    #[error(
        "{path}: the disk has not answered for {silent_s} s, and the stop waits no longer; what was acknowledged is recorded, and the same command goes on from there"
    )]
    Silent { path: PathBuf, silent_s: u64 },
    #[error("cannot write the sweep's state")]
    Write { source: SqliteError },
    #[error("cannot read the sweep's state")]
    Read { source: SqliteError },
    #[error("{path}: cannot write the copy of the sweep's state")]
    Copy { path: PathBuf, source: SqliteError },
    #[error("{path}: cannot keep a copy of the state before it is brought up to date")]
    SetAside { path: PathBuf, source: std::io::Error },
    #[error(
        "the sweep's state is damaged: {0}; `verify` tells more, and --fresh sets the state aside, loses nothing of it, and starts anew"
    )]
    Damaged(String),
}

/// What SQLite says. It gives the same in other words as its own cause, which is left out here.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct SqliteError(rusqlite::Error);

impl From<rusqlite::Error> for SqliteError {
    fn from(error: rusqlite::Error) -> Self {
        Self(error)
    }
}

impl StoreError {
    /// Says what can be done, and which copies there are.
    pub fn broken(path: &Path, found: String) -> Self {
        Self::Broken { path: path.into(), found, rescue: rescue(path) }
    }

    /// Damage that is found when the state is opened: its place is known, and what helps.
    pub fn at_opening(self, path: &Path) -> Self {
        match self {
            Self::Damaged(found) => Self::broken(path, found),
            error => error,
        }
    }

    pub fn open(path: &Path, source: rusqlite::Error) -> Self {
        match is_damage(&source) {
            true => Self::broken(path, source.to_string()),
            false if source.sqlite_error_code() == Some(ErrorCode::ReadOnly) => {
                Self::ReadOnly { path: path.into() }
            }
            false => Self::Open { path: path.into(), source: source.into() },
        }
    }

    pub fn read(source: rusqlite::Error) -> Self {
        match is_damage(&source) || is_odd(&source) {
            true => Self::Damaged(source.to_string()),
            false => Self::Read { source: source.into() },
        }
    }

    pub fn write(source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { source: source.into() },
            _ if is_damage(&source) => Self::Damaged(source.to_string()),
            _ => Self::Write { source: source.into() },
        }
    }
}

/// A value that its column cannot have.
fn is_odd(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType};
    matches!(
        error,
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..)
    )
}

pub fn is_damage(error: &rusqlite::Error) -> bool {
    use ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, OpenFlags};

    use super::*;

    /// The error of a write that the file does not allow.
    fn refused_write() -> rusqlite::Error {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (c)").unwrap();
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = Connection::open_with_flags(&path, flags).unwrap();
        connection.execute("INSERT INTO t VALUES (1)", []).unwrap_err()
    }

    #[test]
    fn what_sqlite_says_is_said_once() {
        let said = format!("{:#}", anyhow::Error::from(StoreError::write(refused_write())));
        assert_eq!(said.to_lowercase().matches("readonly database").count(), 1, "{said}");
        let said = format!(
            "{:#}",
            anyhow::Error::from(StoreError::open(Path::new("s.db"), refused_write()))
        );
        assert!(
            said.starts_with("s.db: this user may only read") && said.contains("--state"),
            "{said}"
        );
    }
}
