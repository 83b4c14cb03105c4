//! Whether a file is a state at all, asked before anything is read from it or written to it.

use std::path::Path;

use proto::text::clean_line;
use rusqlite::Connection;

use crate::store::error::StoreError;
use crate::store::schema::SCHEMA_VERSION;

/// Tables of schema 1, all of which the later ones have too.
pub const TABLES_1: [&str; 8] =
    ["meta", "workers", "trials", "attempts", "outcomes", "epochs", "timings", "conflicts"];

/// Tables that a state of a newer version is known by.
const TABLES_OF_ALL: [&str; 2] = ["meta", "trials"];

/// The longest part of a table's name that is shown.
const MAX_SHOWN_BYTES: usize = 100;

/// Refuses what is there and is not a file: a pipe would wait for its other end.
pub fn check_file(path: &Path) -> Result<(), StoreError> {
    let Ok(metadata) = path.metadata() else { return Ok(()) };
    let found = match metadata.file_type() {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => "a folder",
        _ => "not a file",
    };
    Err(not_a_state(path, found.into()))
}

/// Refuses the database of something else. One without any table may become a state.
pub fn check_tables(connection: &Connection, path: &Path, version: i64) -> Result<(), StoreError> {
    let names = table_names(connection).map_err(|source| StoreError::open(path, source))?;
    let mut expected = match version {
        1..=SCHEMA_VERSION => TABLES_1.to_vec(),
        0 if names.is_empty() => Vec::new(),
        _ => TABLES_OF_ALL.to_vec(),
    };
    if version == SCHEMA_VERSION {
        expected.push("terms");
    }
    let is_there = |table: &str| names.iter().any(|name| name == table);
    let Some(lacking) = expected.iter().find(|table| !is_there(table)) else { return Ok(()) };
    let other = names.iter().find(|name| !TABLES_1.contains(&name.as_str()) && *name != "terms");
    let with =
        other.map(|name| format!(", with the table {:?}", clean_line(name, MAX_SHOWN_BYTES)));
    let with = with.unwrap_or_default();
    let found = format!("a database of something else{with} and without the table {lacking:?}");
    Err(not_a_state(path, found))
}

pub fn not_a_state(path: &Path, found: String) -> StoreError {
    StoreError::NotState { path: path.into(), found }
}

fn table_names(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table'
               AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
    let mut statement = connection.prepare(sql)?;
    let names = statement.query_map([], |row| row.get(0))?;
    names.collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::Reader;
    use crate::store::connection::Store;

    #[track_caller]
    fn assert_refused(path: &Path, words: &str) {
        for refused in
            [Store::open(path, trainer::measures()).map(drop), Reader::open(path).map(drop)]
        {
            let refused = refused.expect_err(words).to_string();
            assert!(refused.contains("is not the state of a sweep"), "{refused}");
            assert!(refused.contains(words) && refused.contains("--state"), "{refused}");
        }
    }

    #[test]
    fn a_database_of_something_else_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        for version in [-7, 0, 1, 2, SCHEMA_VERSION, 99] {
            let path = folder.path().join(format!("{version}.db"));
            let connection = Connection::open(&path).unwrap();
            connection.execute_batch("CREATE TABLE customers (name TEXT)").unwrap();
            connection.pragma_update(None, "user_version", version).unwrap();
            drop(connection);
            let before = fs::read(&path).unwrap();
            assert_refused(&path, "with the table \"customers\"");
            assert_eq!(fs::read(&path).unwrap(), before, "version {version}");
        }
    }

    #[test]
    fn a_state_that_lost_a_table_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sweep.db");
        drop(Store::open(&path, trainer::measures()).unwrap());
        Connection::open(&path).unwrap().execute_batch("DROP TABLE terms").unwrap();
        assert_refused(&path, "without the table \"terms\"");
    }

    #[test]
    fn what_is_no_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sweep.db");
        fs::create_dir(&path).unwrap();
        assert_refused(&path, "a folder");
        fs::remove_dir(&path).unwrap();
        let status = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(status.success());
        assert_refused(&path, "not a file");
    }

    #[test]
    fn an_empty_file_is_no_state_and_may_become_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sweep.db");
        fs::write(&path, "").unwrap();
        let refused = Reader::open(&path).unwrap_err().to_string();
        assert!(refused.contains("sweep.db") && refused.contains("empty"), "{refused}");
        assert!(!refused.contains("in a moment"), "{refused}");
        drop(Store::open(&path, trainer::measures()).unwrap());
        Reader::open(&path).unwrap();
        // Its mark says that it was more.
        fs::write(&path, "").unwrap();
        let mark = crate::store::schema::rescue::mark_of(&path);
        let killed = tempfile::tempdir().unwrap();
        crate::store::tests::killed(killed.path(), &[vec![]]);
        fs::copy(killed.path().join("sweep.db.mark"), mark).unwrap();
        let refused = Store::open(&path, trainer::measures()).unwrap_err().to_string();
        assert!(refused.contains("it is empty") && refused.contains("--fresh"), "{refused}");
    }
}
