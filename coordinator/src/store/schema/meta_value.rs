//! A value of the table `meta`, which every schema has.

use rusqlite::{Connection, OptionalExtension};

use crate::store::error::StoreError;

pub fn meta(connection: &Connection, key: &str) -> Result<Option<String>, StoreError> {
    connection
        .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
        .optional()
        .map_err(StoreError::read)
}
