//! Whether a database is sound, asked before anything is started on it: damage that shows at the
//! first write only costs the time until then.

use std::path::{Path, PathBuf};

use report::command;
use rusqlite::Connection;

use super::StoreError;
use super::migrate::former;

/// Up to this size all pages are looked at, which takes a second or so.
const MAX_WHOLE_BYTES: u64 = 256 * 1024 * 1024;

/// Of larger databases, those tables alone that every start reads and that stay small.
const SMALL_TABLES: [&str; 4] = ["meta", "workers", "trials", "attempts"];

pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
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
        Some(found) => Err(broken(path, found)),
    }
}

fn first_finding(connection: &Connection, what: &str) -> rusqlite::Result<Option<String>> {
    let sql = format!("PRAGMA quick_check({what})");
    let line: String = connection.query_row(&sql, [], |row| row.get(0))?;
    Ok((line != "ok").then(|| line.replace('\n', " ").trim_matches(['*', ' ']).to_owned()))
}

/// Says what can be done, and which copies there are.
pub(super) fn broken(path: &Path, found: String) -> StoreError {
    let saved = path.with_extension("saved.db");
    let recover = command::line("sqlite3", [command::path(path), ".recover".into()]);
    let into = command::line("sqlite3", [command::path(&saved)]);
    let mut rescue = format!(
        "`{recover} | {into}` saves what is readable; --fresh sets the state aside, loses nothing of it, and starts anew"
    );
    let copies = copies_of(path);
    if !copies.is_empty() {
        let names: Vec<String> = copies.iter().map(|copy| copy.display().to_string()).collect();
        rescue += &format!("; former copies: {}", names.join(", "));
    }
    StoreError::Broken { path: path.into(), found, rescue }
}

/// Those that this program made: before it brought the state up to date, and by `export`.
fn copies_of(path: &Path) -> Vec<PathBuf> {
    let exported = path.parent().and_then(Path::parent).map(|out| out.join("export/sweep.db"));
    let former = (1..super::SCHEMA_VERSION).rev().map(|version| former(path, version));
    former.chain(exported).filter(|copy| copy.is_file()).collect()
}
