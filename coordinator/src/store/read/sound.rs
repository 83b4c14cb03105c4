//! Whether a database is sound, asked before anything is started on it: damage that shows at the
//! first write only costs the time until then.

use std::path::Path;

use rusqlite::Connection;

use crate::store::error::StoreError;

/// Up to this size all pages are looked at, which takes a second or so.
const MAX_WHOLE_BYTES: u64 = 256 * 1024 * 1024;

/// What is checked of larger databases: the tables that every start reads and that stay small.
const SMALL_TABLES: [&str; 4] = ["meta", "workers", "trials", "attempts"];

pub fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let n_bytes = path.metadata().map_or(0, |metadata| metadata.len());
    let found = match n_bytes <= MAX_WHOLE_BYTES {
        true => first_finding(connection, "1"),
        false => SMALL_TABLES.iter().try_fold(None, |found, table| match found {
            None => first_finding(connection, table),
            found => Ok(found),
        }),
    };
    match found.map_err(|source| StoreError::open(path, source))? {
        None => Ok(()),
        Some(found) => Err(StoreError::broken(path, found)),
    }
}

fn first_finding(connection: &Connection, what: &str) -> rusqlite::Result<Option<String>> {
    let sql = format!("PRAGMA quick_check({what})");
    let line: String = connection.query_row(&sql, [], |row| row.get(0))?;
    Ok((line != "ok").then(|| line.replace('\n', " ").trim_matches(['*', ' ']).to_owned()))
}
