//! Odd values in any column of any table: who reads the state gets an error or something that can be
//! gone on from, and never breaks down.

use std::fs;
use std::path::Path;

use coordinator_core::event::{Action, Call, Event, Join, Record};
use coordinator_core::machine::{Config, Core};
use coordinator_core::time::Millis;
use proptest::prelude::*;
use proptest::sample::Index;
use rusqlite::types::Value;
use rusqlite::{Connection, params};
use sweep::Score;

use super::{facts, history, plan};
use crate::run::plan_index::grant_order;
use crate::store::connection::Store;
use crate::store::schema::rescue::with_suffix;
use crate::store::{Reader, TrialReader};

const FAILED_BEFORE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/odd_rows.txt");

struct Table {
    name: String,
    columns: Vec<String>,
    keys: Vec<String>,
}

/// A value that takes the place of another, in one row, in a copy of it, or in all of them.
#[derive(Clone, Debug)]
struct Change {
    table: Index,
    column: Index,
    row: Index,
    how: How,
    value: Value,
}

#[derive(Clone, Copy, Debug)]
enum How {
    One,
    All,
    Copy,
}

fn values() -> impl Strategy<Value = Value> {
    let whole = [i64::MIN, -1, 0, 1, 2, 3, 4, 5, 77, 4_097, 4_294_967_295, 1 << 40, i64::MAX];
    let real = [f64::MAX, -1.0, f64::MIN_POSITIVE, f64::INFINITY];
    let texts = ["", "{", "failed", "completed", "nonsense", "\u{1b}[2J\u{202e}"];
    let whole = whole.into_iter().map(Value::Integer);
    let texts = texts.into_iter().map(|text| Value::Text(text.into()));
    let blobs = [0, 3, 16, 32].into_iter().map(|n| Value::Blob(vec![1; n]));
    let values = whole.chain(real.into_iter().map(Value::Real)).chain(texts).chain(blobs);
    let values = prop::sample::select(values.collect::<Vec<_>>());
    prop_oneof![3 => values, 1 => Just(Value::Null)]
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let how = prop::sample::select(vec![How::One, How::All, How::Copy]);
    let parts = (any::<Index>(), any::<Index>(), any::<Index>(), how, values());
    let change = parts.prop_map(|(table, column, row, how, value)| Change {
        table,
        column,
        row,
        how,
        value,
    });
    prop::collection::vec(change, 1..4)
}

fn tables(connection: &Connection) -> Vec<Table> {
    let strings = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let names = strings("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    let table = |name: String| {
        let columns = |of: &str| {
            strings(&format!("SELECT name FROM pragma_table_info('{name}') {of} ORDER BY cid"))
        };
        let (columns, keys) = (columns(""), columns("WHERE pk > 0"));
        Table { name, columns, keys }
    };
    let mut tables: Vec<Table> = names.into_iter().map(table).collect();
    // What a start goes on from comes up more often.
    for _ in 0..4 {
        tables.extend(["attempts", "trials"].map(|name| table(name.into())));
    }
    tables
}

/// What the table itself refuses cannot be stored.
fn change(connection: &Connection, tables: &[Table], change: &Change) {
    let Table { name, columns, keys } = change.table.get(tables);
    let column = match change.how {
        // With the same key it could not be stored.
        How::Copy => change.column.get(keys),
        How::One | How::All => change.column.get(columns),
    };
    let count = format!("SELECT count(*) FROM {name}");
    let n_rows: usize = connection.query_row(&count, [], |row| row.get(0)).unwrap();
    if n_rows == 0 {
        return;
    }
    let (keys, row) = (keys.join(", "), change.row.index(n_rows));
    let one = format!("LIMIT 1 OFFSET {row}");
    let sql = match change.how {
        How::All => format!("UPDATE OR REPLACE {name} SET {column} = ?1"),
        How::One => format!(
            "UPDATE OR REPLACE {name} SET {column} = ?1 WHERE ({keys}) IN (SELECT {keys} FROM {name} {one})"
        ),
        How::Copy => {
            let with = |it: &String| if it == column { "?1".into() } else { it.clone() };
            let with: Vec<String> = columns.iter().map(with).collect();
            format!("INSERT INTO {name} SELECT {} FROM {name} {one}", with.join(", "))
        }
    };
    let _ = connection.execute(&sql, params![change.value]);
}

/// A coordinator that starts on the state, and its workers that come back or do not.
fn go_on(path: &Path) {
    let plan = plan(2);
    let Ok(mut store) = Store::open(path, trainer::measures()) else { return };
    let Ok(mut recorded) = store.load(&plan) else { return };
    let mut out = recorded.ledger.reopen(0, true);
    let config = Config { term: 4, lease_ttl_ms: 1_000, crash_limit: 3, max_failed: None, seed: 1 };
    let order = grant_order(&plan, 0.5);
    let mut core = Core::restore(config, &order, &recorded.ledger, Millis(0), &mut out);
    core.recall_workers(&recorded.workers);
    for (n, open) in recorded.ledger.open.iter().enumerate() {
        let held = if n % 2 == 0 { vec![open.lease] } else { Vec::new() };
        let join = Join { worker: open.worker, facts: facts(), held, continues: n % 3 == 0 };
        core.apply(Millis(10), Event::Join { call: Call::new(n as u64), join }, &mut out);
    }
    for at in [20, 5_000, 10_000_000] {
        core.apply(Millis(at), Event::Tick, &mut out);
    }
    let persist = |action| match action {
        Action::Persist(record) => Some(record),
        _ => None,
    };
    let records: Vec<Record> = out.into_iter().filter_map(persist).collect();
    let _ = store.begin_term(4, &[]);
    let _ = store.commit(&plan, &records);
}

/// All that reads a state.
fn read(path: &Path) {
    let plan = plan(2);
    let Ok(reader) = Reader::open(path) else { return };
    let _ = (reader.check(), reader.trials(), reader.workers(), reader.ran_s());
    let _ = (reader.unrecorded_s(), reader.open_attempts(), reader.attempt_counts());
    let _ = (reader.outcomes(&plan, Score { accuracy: 0.5, loss: 1.0 }), reader.load(&plan));
    let Ok(trials) = TrialReader::new(&reader) else { return };
    for trial in &plan.trials {
        let _ = (trials.trial(&trial.id), trials.form(&trial.id));
        let _ = trials.last_attempt_times(&trial.id);
    }
}

/// A database with every kind of row, as its bytes.
fn pristine(path: &Path) -> Vec<u8> {
    let mut store = Store::open(path, trainer::measures()).unwrap();
    store.begin_term(3, &[("sweep", "{}")]).unwrap();
    store.commit(&plan(2), &history()).unwrap();
    drop(store);
    fs::read(path).unwrap()
}

#[test]
fn odd_values_break_nobody_down() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sweep.db");
    let pristine = pristine(&path);
    let tables = tables(&Connection::open(&path).unwrap());
    properties::check(FAILED_BEFORE, 150, &changes(), |changes| {
        for left in ["-wal", "-shm"] {
            let _ = fs::remove_file(with_suffix(&path, left));
        }
        fs::write(&path, &pristine).unwrap();
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "ignore_check_constraints", true).unwrap();
        connection.pragma_update(None, "synchronous", "OFF").unwrap();
        changes.iter().for_each(|it| change(&connection, &tables, it));
        drop(connection);
        read(&path);
        go_on(&path);
        Ok(())
    });
}

/// Each is what a start of a coordinator broke down on, or took for granted.
#[test]
fn what_no_history_leaves_behind_is_refused_when_it_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sweep.db");
    let pristine = pristine(&path);
    let again = |attempt: &str, worker: &str| {
        format!(
            "INSERT INTO attempts SELECT trial, attempt + {attempt}, term, nonce, {worker}, 0, 0,
             NULL, NULL, 0, began_ms, NULL FROM attempts WHERE trial = 1 AND attempt = 5"
        )
    };
    let more = format!("{}; {}", again("2", "zeroblob(16)"), again("3", "randomblob(16)"));
    for (sql, words) in [
        (again("2", "worker_id"), "one worker has two open attempts"),
        (more, "3 open attempts, expected at most 2"),
        ("UPDATE trials SET trial = 4294967295 WHERE trial = 4".into(), "number 4294967295"),
        ("UPDATE trials SET trial = -5 WHERE trial = 1".into(), "out of range"),
        ("UPDATE attempts SET attempt = 4294967295 WHERE attempt = 6".into(), "6 attempts"),
        ("UPDATE attempts SET attempt = 0 WHERE attempt = 1 AND trial = 1".into(), "5 attempts"),
        ("UPDATE attempts SET closed = NULL WHERE trial = 4".into(), "expected at most 0"),
        ("UPDATE workers SET n_slots = 4294967295".into(), "4294967295 slots"),
        ("UPDATE trials SET trial_id = zeroblob(3) WHERE trial = 1".into(), "damaged"),
        ("UPDATE outcomes SET digest = NULL".into(), "damaged"),
    ] {
        fs::write(&path, &pristine).unwrap();
        Connection::open(&path).unwrap().execute_batch(&sql).unwrap();
        let mut store = Store::open(&path, trainer::measures()).unwrap();
        let refused = store.load(&plan(2)).map(drop).expect_err(&sql).to_string();
        assert!(refused.contains(words) && refused.contains("--fresh"), "{sql}: {refused}");
        drop(store);
        let findings = Reader::open(&path).unwrap().check().unwrap();
        assert!(!findings.is_empty(), "{sql}");
    }
}

#[test]
fn each_way_to_close_an_attempt_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sweep.db");
    pristine(&path);
    let findings = Reader::open(&path).unwrap().check().unwrap();
    let closed = findings.iter().find(|line| line.contains("attempts.closed"));
    assert_eq!(closed, None);
}
