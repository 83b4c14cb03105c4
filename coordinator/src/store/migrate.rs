//! Brings a database to this build's schema: a new one gets the tables, one of a former version is
//! copied aside and then moved over in one transaction.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, Transaction};
use worker::faults;

use super::{SCHEMA_VERSION, StoreError, check_version};

const SCHEMA: &str = include_str!("schema.sql");

/// Tables of schema 1, all of which schema 2 has too.
const TABLES_1: [&str; 8] =
    ["meta", "workers", "trials", "attempts", "outcomes", "epochs", "timings", "conflicts"];

pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let open = |source| StoreError::Open { path: path.into(), source };
    let found: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(open)?;
    let change: fn(&Transaction<'_>) -> rusqlite::Result<()> = match found {
        0 => |transaction| transaction.execute_batch(SCHEMA),
        1 => from_1,
        _ => return check_version(path, found),
    };
    if found != 0 {
        set_aside(connection, path, found)?;
    }
    faults::point("coordinator.schema.before");
    let transaction = connection.transaction().map_err(open)?;
    change(&transaction).map_err(open)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(open)?;
    faults::point("coordinator.schema.written");
    transaction.commit().map_err(open)?;
    faults::point("coordinator.schema.committed");
    Ok(())
}

/// A durable copy of the database as it was. One that a crash cut short is made anew.
fn set_aside(connection: &Connection, path: &Path, version: i64) -> Result<(), StoreError> {
    let to = former(path, version);
    let failed = |source: io::Error| StoreError::SetAside { path: to.clone(), source };
    match fs::remove_file(&to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    // As bytes, because a path need not be UTF-8.
    connection
        .execute("VACUUM INTO CAST(?1 AS TEXT)", [to.as_os_str().as_bytes()])
        .map_err(|source| StoreError::Copy { path: to.clone(), source })?;
    File::open(&to).and_then(|file| file.sync_all()).map_err(failed)
}

/// Where the copy of a database of a former version lies.
fn former(path: &Path, version: i64) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".schema-{version}"));
    name.into()
}

fn from_1(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    for table in TABLES_1 {
        transaction.execute_batch(&format!("ALTER TABLE {table} RENAME TO {table}_1"))?;
    }
    transaction.execute_batch(SCHEMA)?;
    transaction.execute_batch(include_str!("migrations/to_2.sql"))?;
    for table in TABLES_1 {
        transaction.execute_batch(&format!("DROP TABLE {table}_1"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use coordinator_core::{event::Record, lease::TrialIndex, ledger::Ledger};

    use super::super::{
        Reader, Store,
        tests::{history, plan},
    };
    use super::*;

    const SCHEMA_1: &str = include_str!("migrations/schema_1.sql");

    /// Rewrites a database as a build of schema 1 would have written it.
    fn to_1(path: &Path) {
        let connection = Connection::open(path).unwrap();
        for table in TABLES_1 {
            connection.execute_batch(&format!("ALTER TABLE {table} RENAME TO {table}_2")).unwrap();
        }
        connection.execute_batch(SCHEMA_1).unwrap();
        for table in TABLES_1 {
            let names = format!("SELECT name FROM pragma_table_info('{table}')");
            let mut statement = connection.prepare(&names).unwrap();
            let names: Vec<String> =
                statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
            let names = names.join(", ");
            let from = match table {
                "meta" | "workers" | "trials" => format!("{table}_2"),
                _ => format!("{table}_2 JOIN trials_2 USING (trial)"),
            };
            let copy = format!("INSERT INTO {table} ({names}) SELECT {names} FROM {from}");
            connection.execute_batch(&copy).unwrap();
        }
        for table in TABLES_1 {
            connection.execute_batch(&format!("DROP TABLE {table}_2")).unwrap();
        }
        connection.pragma_update(None, "user_version", 1).unwrap();
    }

    fn in_order(path: &Path) -> Vec<String> {
        let trials = Reader::open(path).unwrap().trials().unwrap();
        let mut rows: Vec<_> = trials.iter().map(|trial| format!("{trial:?}")).collect();
        rows.sort();
        rows
    }

    #[test]
    fn nothing_is_lost_on_the_way_from_schema_1() {
        let plan = plan(2);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sweep.db");
        let mut ledger = Ledger::empty(plan.trials.len());
        for record in &history() {
            ledger.book(record);
        }
        Store::open(&path).unwrap().commit(&plan, &history()).unwrap();
        let (before, findings) = (in_order(&path), Reader::open(&path).unwrap().check().unwrap());
        to_1(&path);
        assert!(Reader::open(&path).is_err(), "who only reads changes nothing");

        let loaded = Store::open(&path).unwrap().load(&plan).unwrap();
        assert_eq!(loaded.ledger, ledger);
        assert_eq!(in_order(&path), before);
        assert_eq!(Reader::open(&path).unwrap().check().unwrap(), findings);
        let copy = Connection::open(former(&path, 1)).unwrap();
        let count = |sql| copy.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count("PRAGMA user_version"), 1);
        assert_eq!(count("SELECT count(*) FROM attempts"), 11);
    }

    #[test]
    fn a_state_whose_path_is_no_text_is_copied_aside_like_any_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(std::ffi::OsStr::from_bytes(b"\xff.db"));
        drop(Store::open(&path).unwrap());
        to_1(&path);
        drop(Store::open(&path).unwrap());
        assert!(former(&path, 1).exists());
    }

    #[test]
    fn a_trial_that_was_given_up_ungranted_is_open_again() {
        let plan = plan(2);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sweep.db");
        let cancelled = [Record::Cancelled { trial: TrialIndex(0) }];
        Store::open(&path).unwrap().commit(&plan, &cancelled).unwrap();
        to_1(&path);
        Connection::open(&path).unwrap().execute_batch("DELETE FROM trials").unwrap();
        let loaded = Store::open(&path).unwrap().load(&plan).unwrap();
        assert_eq!(loaded.ledger, Ledger::empty(plan.trials.len()));
    }
}
