//! Brings a database to this build's schema: a new one is made beside its place and gets its name
//! once it is whole, one of a former version is copied aside and then moved over in one transaction.

use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rusqlite::{Connection, Transaction};
use trial::Measure;
use worker::parts::{rename, sync_folder_of};

use crate::store::error::StoreError;
use crate::store::schema::SCHEMA_VERSION;
use crate::store::schema::kind::TABLES_1;
use crate::store::schema::measures;
use crate::store::schema::rescue::{former, mark_of, with_suffix};
use crate::store::schema::version::check_version;

pub const SCHEMA: &str = include_str!("schema.sql");
const SCHEMA_2: &str = include_str!("migrations/schema_2.sql");

/// Makes the database at `path` for trials that measure this, unless it is there. Who looks meanwhile finds no database or a whole
/// one; what a crash left half done is made anew.
pub fn make(path: &Path, measures: &[Measure]) -> Result<(), StoreError> {
    if path.exists() {
        return Ok(());
    }
    let left = [mark_of(path), with_suffix(path, "-wal")];
    if let Some(left) = left.into_iter().find(|left| left.exists()) {
        return Err(StoreError::Gone { path: path.into(), left });
    }
    let beside = with_suffix(path, ".new");
    let failed = |source: io::Error| StoreError::Make { path: path.into(), source };
    for leftover in ["", "-wal", "-shm", "-journal"] {
        match fs::remove_file(with_suffix(&beside, leftover)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    let open = |source| StoreError::open(path, source);
    let mut connection = Connection::open(&beside).map_err(open)?;
    faults::point("coordinator.schema.before");
    apply(&mut connection, |transaction| create(transaction, measures)).map_err(open)?;
    connection.close().map_err(|(_, source)| open(source))?;
    File::open(&beside).and_then(|file| file.sync_all()).map_err(failed)?;
    rename(&beside, path).map_err(failed)?;
    faults::point("coordinator.schema.committed");
    Ok(())
}

/// Makes all tables of this build's schema.
pub fn create(connection: &Connection, measures: &[Measure]) -> rusqlite::Result<()> {
    connection.execute_batch(SCHEMA)?;
    connection.execute_batch(&measures::epochs_table(measures))?;
    measures::write(connection, measures)
}

pub fn migrate(
    connection: &mut Connection,
    path: &Path,
    measures: &[Measure],
) -> Result<(), StoreError> {
    let open = |source| StoreError::open(path, source);
    let found: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(open)?;
    match found {
        0 => {}
        1 | 2 => set_aside(connection, path, found)?,
        _ => return check_version(path, found),
    }
    let change = |transaction: &Transaction<'_>| match found {
        0 => create(transaction, measures),
        1 => from_1(transaction).and_then(|()| from_2(transaction)),
        _ => from_2(transaction),
    };
    apply(connection, change).map_err(open)
}

fn apply(
    connection: &mut Connection,
    change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    change(&transaction)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    faults::point("coordinator.schema.written");
    transaction.commit()
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
        .map_err(|source| StoreError::Copy { path: to.clone(), source: source.into() })?;
    let synced = File::open(&to).and_then(|file| file.sync_all());
    synced.and_then(|()| sync_folder_of(&to)).map_err(failed)
}

fn from_1(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    for table in TABLES_1 {
        transaction.execute_batch(&format!("ALTER TABLE {table} RENAME TO {table}_1"))?;
    }
    transaction.execute_batch(SCHEMA_2)?;
    transaction.execute_batch(include_str!("migrations/to_2.sql"))?;
    for table in TABLES_1 {
        transaction.execute_batch(&format!("DROP TABLE {table}_1"))?;
    }
    Ok(())
}

fn from_2(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(include_str!("migrations/to_3.sql"))
}

#[cfg(test)]
mod tests {
    use coordinator_core::event::Record;
    use coordinator_core::lease::TrialIndex;
    use coordinator_core::ledger::Ledger;

    use super::*;
    use crate::store::connection::Store;
    use crate::store::tests::{history, plan};
    use crate::store::{Reader, TrialReader};

    const SCHEMA_1: &str = include_str!("migrations/schema_1.sql");

    /// Rewrites a database as a build of schema 2 would have written it.
    fn to_2(path: &Path) {
        let connection = Connection::open(path).unwrap();
        let sql = "DROP TABLE terms; DELETE FROM meta WHERE key = 'measures'; ALTER TABLE workers DROP COLUMN joined_ms;
            ALTER TABLE attempts DROP COLUMN began_ms; ALTER TABLE attempts DROP COLUMN ended_ms;";
        connection.execute_batch(sql).unwrap();
        connection.pragma_update(None, "user_version", 2).unwrap();
    }

    /// Rewrites a database as a build of schema 1 would have written it.
    fn to_1(path: &Path) {
        to_2(path);
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

    /// Names, types and keys of all columns of all tables.
    fn shape(path: &Path) -> Vec<String> {
        let connection = Connection::open(path).unwrap();
        let sql = "SELECT m.name || ' ' || c.cid || ' ' || c.name || ' ' || c.type || ' ' ||
            c.\"notnull\" || ' ' || c.pk FROM sqlite_schema m, pragma_table_info(m.name) c
            WHERE m.type = 'table' ORDER BY 1";
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn nothing_is_lost_on_the_way_from_former_schemas() {
        for (version, rewrite) in [(1, to_1 as fn(&Path)), (2, to_2)] {
            let plan = plan(2);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("sweep.db");
            let mut ledger = Ledger::empty(plan.trials.len());
            for record in &history() {
                ledger.book(record);
            }
            let mut store = Store::open(&path, trainer::measures()).unwrap();
            store.begin_term(3, &[]).unwrap();
            store.commit(&plan, &history()).unwrap();
            drop(store);
            let (before, findings) =
                (in_order(&path), Reader::open(&path).unwrap().check().unwrap());
            let new = shape(&path);
            rewrite(&path);
            assert!(Reader::open(&path).is_err(), "who only reads changes nothing");

            let loaded = Store::open(&path, trainer::measures()).unwrap().load(&plan).unwrap();
            assert_eq!(loaded.ledger, ledger);
            assert_eq!(in_order(&path), before);
            assert_eq!(shape(&path), new);
            let reader = Reader::open(&path).unwrap();
            assert_eq!(reader.check().unwrap(), findings);
            assert_eq!(reader.ran_s().unwrap(), 0.0, "nobody knows it any more");
            assert_eq!(reader.workers().unwrap().len(), 1);
            let trials = TrialReader::new(&reader).unwrap();
            assert!(trials.last_attempt_times(&plan.trials[2].id).unwrap().is_none());
            let copy = Connection::open(former(&path, version)).unwrap();
            let count = |sql| copy.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
            assert_eq!(count("PRAGMA user_version"), version);
            assert_eq!(count("SELECT count(*) FROM attempts"), 12);
        }
    }

    #[test]
    fn who_looks_while_a_database_is_made_finds_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sweep.db");
        // A crash left it half done.
        fs::write(folder.path().join("sweep.db.new"), "SQLite format 3").unwrap();
        std::thread::scope(|scope| {
            let looking = scope.spawn(|| {
                while !path.exists() {
                    std::thread::yield_now();
                }
                Reader::open(&path).map(drop)
            });
            Store::open(&path, trainer::measures()).unwrap();
            looking.join().unwrap().unwrap();
        });
        assert!(!folder.path().join("sweep.db.new").exists());
    }

    #[test]
    fn a_state_whose_path_is_no_text_is_copied_aside_like_any_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(std::ffi::OsStr::from_bytes(b"\xff.db"));
        drop(Store::open(&path, trainer::measures()).unwrap());
        to_1(&path);
        drop(Store::open(&path, trainer::measures()).unwrap());
        assert!(former(&path, 1).exists());
    }

    #[test]
    fn a_trial_that_was_given_up_ungranted_is_open_again() {
        let plan = plan(2);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sweep.db");
        let cancelled = [Record::Cancelled { trial: TrialIndex(0) }];
        Store::open(&path, trainer::measures()).unwrap().commit(&plan, &cancelled).unwrap();
        to_1(&path);
        Connection::open(&path).unwrap().execute_batch("DELETE FROM trials").unwrap();
        let loaded = Store::open(&path, trainer::measures()).unwrap().load(&plan).unwrap();
        assert_eq!(loaded.ledger, Ledger::empty(plan.trials.len()));
    }
}
