//! Why a state cannot be used.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;

use crate::store::schema::SCHEMA_VERSION;
use crate::store::schema::rescue::rescue;

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
    #[error("{path}: cannot look for the sweep's state")]
    Hidden { path: PathBuf, source: std::io::Error },
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
    /// Says what can be done, and which copies there are.
    pub fn broken(path: &Path, found: String) -> Self {
        Self::Broken { path: path.into(), found, rescue: rescue(path) }
    }

    pub fn open(path: &Path, source: rusqlite::Error) -> Self {
        match is_damage(&source) {
            true => Self::broken(path, source.to_string()),
            false => Self::Open { path: path.into(), source },
        }
    }

    pub fn read(source: rusqlite::Error) -> Self {
        match is_damage(&source) {
            true => Self::Damaged(source.to_string()),
            false => Self::Read { source },
        }
    }

    pub fn write(source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { source },
            _ if is_damage(&source) => Self::Damaged(source.to_string()),
            _ => Self::Write { source },
        }
    }
}

pub fn is_damage(error: &rusqlite::Error) -> bool {
    use ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}
