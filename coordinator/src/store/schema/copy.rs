//! A copy of a state as one plain file, made while a coordinator may be writing.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::Backup;

use crate::store::Reader;
use crate::store::error::StoreError;

const WAIT_IF_BUSY: Duration = Duration::from_millis(100);

impl Reader {
    /// Duplicates the moment that this reader sees into `to`, an empty or missing file.
    pub fn copy_to(&self, to: &Path) -> Result<(), StoreError> {
        let copied = copy(&self.connection, to);
        copied.map_err(|source| StoreError::Copy { path: to.into(), source: source.into() })
    }
}

fn copy(from: &Connection, to: &Path) -> rusqlite::Result<()> {
    let mut target = Connection::open(to)?;
    // All pages in one step: readers hold up no writer of a WAL database, so nobody needs a pause.
    Backup::new(from, &mut target)?.run_to_completion(i32::MAX, WAIT_IF_BUSY, None)?;
    // Without WAL the copy is one file, wherever it is carried to.
    target.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
    target.close().map_err(|(_, error)| error)
}
