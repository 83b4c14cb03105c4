//! Each column of each table, and each file, of a state.

use std::collections::BTreeSet;
use std::fs;

use rusqlite::Connection;
use rusqlite::types::Value;

use super::site::Site;
use crate::reporting::report_folder::{ReportFolder, read_manifest};
use crate::verbs::verify::findings::Findings;
use crate::verbs::verify::state;

/// Columns whose changes may pass, even beside a report, each with the reason.
const UNKNOWN: [(&str, &str, &str); 16] = [
    ("workers", "name", "what a worker calls itself"),
    ("workers", "isa", "what a worker says of itself"),
    ("workers", "cpu", "what a worker says of itself"),
    ("workers", "n_slots", "what a worker says of itself, within its range"),
    ("workers", "is_local", "where a worker ran; nothing else depends on it"),
    ("attempts", "nonce", "random"),
    ("attempts", "is_alone", "how it was granted; nothing else depends on it"),
    ("attempts", "is_local", "where it ran; nothing else depends on it"),
    ("attempts", "is_forgiven", "whether the trial was reopened is not recorded"),
    ("attempts", "detail", "a cause is any text"),
    ("attempts", "began_ms", "a time of day, before the end"),
    ("attempts", "ended_ms", "a time of day, after the begin"),
    ("terms", "began_ms", "a time of day, before the last commit"),
    ("terms", "seen_ms", "a time of day, after the begin"),
    ("terms", "ran_ms", "a run is as long as it is"),
    ("workers", "joined_ms", "a time of day"),
];

/// Columns that nothing but a report tells to be wrong, each with the reason.
const UNKNOWN_WITHOUT_REPORT: [(&str, &str, &str); 10] = [
    ("outcomes", "digest", "of a completed trial it covers weights that are not stored"),
    ("epochs", "train_loss", "any loss"),
    ("epochs", "valid_loss", "any loss that leaves the best epoch the best"),
    ("epochs", "gradient_norm", "any norm"),
    ("timings", "wall_s", "any time"),
    ("timings", "cpu_s", "any time within the epoch's"),
    ("timings", "worker", "what a worker calls itself"),
    ("timings", "isa", "what a worker says of itself"),
    ("timings", "attempt", "any up to the one that brought the result"),
    ("timings", "n_slots_in_use", "any number of slots"),
];

struct Column {
    table: String,
    name: String,
    kind: String,
    keys: Vec<String>,
}

fn columns(connection: &Connection) -> Vec<Column> {
    let strings = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let mut columns = Vec::new();
    for table in strings("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name") {
        let of = |what: &str| {
            strings(&format!("SELECT {what} FROM pragma_table_info('{table}') ORDER BY cid"))
        };
        let keys = strings(&format!("SELECT name FROM pragma_table_info('{table}') WHERE pk > 0"));
        for (name, kind) in of("name").into_iter().zip(of("type")) {
            columns.push(Column { table: table.clone(), name, kind, keys: keys.clone() });
        }
    }
    columns
}

/// Other values for a cell, near and far.
fn others(kind: &str, value: &Value) -> Vec<Value> {
    let mut others = match value {
        Value::Integer(n) => {
            vec![n + 1, n - 1, -1, 1 << 40].into_iter().map(Value::Integer).collect()
        }
        Value::Real(x) => vec![x * 1.25 + 0.01, -1.0, 1e308].into_iter().map(Value::Real).collect(),
        Value::Text(_) => vec![Value::Text("other".into())],
        Value::Blob(bytes) => {
            let mut flipped = bytes.clone();
            flipped[0] ^= 1;
            vec![Value::Blob(flipped), Value::Blob(bytes[1..].to_vec())]
        }
        Value::Null => vec![match kind {
            "INTEGER" => Value::Integer(1),
            "REAL" => Value::Real(0.5),
            "BLOB" => Value::Blob(vec![1; 32]),
            _ => Value::Text("other".into()),
        }],
    };
    if *value != Value::Null {
        others.push(Value::Null);
    }
    others
}

/// The first and the last row, the first with a value and the first without.
fn chosen(rows: &[Vec<Value>]) -> Vec<&Vec<Value>> {
    let is_null = |row: &&Vec<Value>| row[0] == Value::Null;
    let with = rows.iter().find(|row| !is_null(row));
    let mut chosen: Vec<_> = [rows.first(), rows.last(), with, rows.iter().find(is_null)]
        .into_iter()
        .flatten()
        .collect();
    chosen.dedup();
    chosen
}

/// Every changed cell that is not found, by its column.
fn passed(has_report: bool) -> (BTreeSet<(String, String)>, Vec<String>, usize) {
    let site = Site::new();
    let database = site.database();
    let pristine = fs::read(&database).unwrap();
    let connection = Connection::open(&database).unwrap();
    let columns = columns(&connection);
    let manifest = read_manifest(&site.report).unwrap();
    let committed = ReportFolder::read(&site.report, &manifest).unwrap();
    let reported = has_report.then_some(&committed);
    let mut passed = BTreeSet::new();
    let (mut lines, mut n_changes) = (Vec::new(), 0);
    for Column { table, name, kind, keys } in &columns {
        let list = keys.join(", ");
        let sql = format!("SELECT {name}, {list} FROM {table} ORDER BY {list}");
        let mut statement = connection.prepare(&sql).unwrap();
        let read = |row: &rusqlite::Row<'_>| {
            (0..=keys.len()).map(|at| row.get(at)).collect::<rusqlite::Result<Vec<Value>>>()
        };
        let rows: Vec<Vec<Value>> =
            statement.query_map([], read).unwrap().map(Result::unwrap).collect();
        for row in chosen(&rows) {
            for other in others(kind, &row[0]) {
                let condition: Vec<String> = keys.iter().map(|key| format!("{key} = ?")).collect();
                let condition = condition.join(" AND ");
                let sql = format!("UPDATE {table} SET {name} = ? WHERE {condition}");
                let values = std::iter::once(&other).chain(&row[1..]);
                let change = Connection::open(&database).unwrap();
                // What the table itself refuses cannot be stored.
                if change.execute(&sql, rusqlite::params_from_iter(values)).is_err() {
                    continue;
                }
                drop(change);
                n_changes += 1;
                let mut findings = Findings::default();
                let checked = state::check(&site.report, &site.state(), reported, &mut findings);
                let error = checked.err().map(|error| format!("{error:#}"));
                let wrong: Vec<String> = findings.wrong.into_iter().chain(error).collect();
                if wrong.is_empty() {
                    passed.insert((table.clone(), name.clone()));
                    lines.push(format!("{table}.{name} {:?} -> {other:?}", row[0]));
                }
                assert!(wrong.iter().all(|line| !line.trim().is_empty()));
                fs::write(&database, &pristine).unwrap();
            }
        }
    }
    (passed, lines, n_changes)
}

fn assert_known(
    passed: &BTreeSet<(String, String)>,
    lines: &[String],
    unknown: &[(&str, &str, &str)],
) {
    let may_pass = |(table, name): &&(String, String)| {
        !unknown.iter().any(|(t, n, _)| table == t && name == n)
    };
    let missed: Vec<_> = passed.iter().filter(may_pass).collect();
    assert!(missed.is_empty(), "changes of {missed:?} are not found:\n{}", lines.join("\n"));
    let is_found = |(table, name, _): &&(&str, &str, &str)| {
        !passed.contains(&(table.to_string(), name.to_string()))
    };
    let stale: Vec<_> = unknown.iter().filter(is_found).collect();
    assert!(stale.is_empty(), "changes of {stale:?} are all found");
}

#[test]
fn a_genuine_state_and_its_report_have_no_finding() {
    let site = Site::new();
    assert_eq!(site.wrong(true, true), Vec::<String>::new());
    assert_eq!(site.wrong(true, false), Vec::<String>::new());
    assert_eq!(site.wrong(false, true), Vec::<String>::new());
}

#[test]
fn each_changed_column_of_a_state_is_found_beside_its_report() {
    let (passed, lines, n_changes) = passed(true);
    assert!(n_changes > 500, "{n_changes}");
    assert_known(&passed, &lines, &UNKNOWN);
}

#[test]
fn each_changed_column_of_a_state_is_found_or_cannot_be_known() {
    let (passed, lines, _) = passed(false);
    let unknown: Vec<_> = UNKNOWN.into_iter().chain(UNKNOWN_WITHOUT_REPORT).collect();
    assert_known(&passed, &lines, &unknown);
}

/// Parts of the state's own description whose changes may pass, each with the reason.
const UNKNOWN_FACTS: [(&str, &str); 10] = [
    ("sweep_path", "as it was typed"),
    ("command", "as it was typed"),
    ("report_folder", "as it was typed"),
    ("sweep_folder", "where the file was"),
    ("state_id", "random"),
    ("wall_s", "any time"),
    ("data.classes.is_sorted", "only a warning depends on it"),
    ("data.nonzero_share", "only estimates depend on it"),
    ("data.n_train_rows", "rows beyond the split decide nothing"),
    ("sweep_toml", "the file may have grown since the report"),
];

#[test]
fn each_changed_part_of_the_description_is_found_or_cannot_be_known() {
    let site = Site::new();
    let database = site.database();
    let pristine = fs::read(&database).unwrap();
    let connection = Connection::open(&database).unwrap();
    let json: String =
        connection.query_row("SELECT value FROM meta", [], |row| row.get(0)).unwrap();
    let facts: serde_json::Value = serde_json::from_str(&json).unwrap();
    for (path, changed) in super::report_changes::changed_leaves(&facts) {
        let change = Connection::open(&database).unwrap();
        change.execute("UPDATE meta SET value = ?1", [changed.to_string()]).unwrap();
        drop(change);
        let path = path.split('[').next().unwrap().to_string();
        let is_known = !UNKNOWN_FACTS.iter().any(|(name, _)| *name == path);
        let wrong = site.wrong(true, true);
        assert!(!is_known || !wrong.is_empty(), "{path} in {changed} is not found");
        fs::write(&database, &pristine).unwrap();
    }
}

#[test]
fn a_conflict_is_a_finding() {
    let site = Site::new();
    let connection = Connection::open(site.database()).unwrap();
    let sql = "INSERT INTO conflicts SELECT trial, attempt, zeroblob(32) FROM attempts LIMIT 1";
    connection.execute_batch(sql).unwrap();
    drop(connection);
    let wrong = site.wrong(true, true);
    assert!(wrong.iter().any(|line| line.contains("two different digests")), "{wrong:?}");
}

#[test]
fn damaged_and_misplaced_checkpoints_are_found() {
    let site = Site::new();
    let folder = site.state().join("checkpoints");
    let of_trial = fs::read_dir(&folder).unwrap().flatten().next().unwrap().path();
    let file = fs::read_dir(&of_trial).unwrap().flatten().next().unwrap().path();
    let assert_found = |words: &str| {
        let wrong = site.wrong(true, true);
        assert!(wrong.iter().any(|line| line.contains(words)), "{words}: {wrong:?}");
    };
    let good = fs::read(&file).unwrap();
    fs::write(&file, &good[1..]).unwrap();
    assert_found("SHA-256 is");
    fs::write(&file, &good).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    let late = of_trial.join(name.replacen("2-", "7-", 1));
    fs::rename(&file, &late).unwrap();
    assert_found("7 is not an epoch of its trial");
    fs::rename(&late, of_trial.join("nothing")).unwrap();
    assert_found("expected a name such as");
    fs::rename(&of_trial, folder.join("stranger")).unwrap();
    assert_found("is not named by a trial");
}

/// Which points a sweep with [confirm] trains again follows from rows that cannot be read: they are
/// told with their place, and that is all.
#[test]
fn rows_that_cannot_be_read_are_told_in_a_sweep_with_confirm_too() {
    let site = Site::new();
    let connection = Connection::open(site.database()).unwrap();
    let confirms = "UPDATE meta SET value = json_set(value, '$.sweep_toml',
                        json_extract(value, '$.sweep_toml') || '[confirm]' || char(10) || 'seeds = 2')";
    connection.execute_batch(confirms).unwrap();
    connection.execute_batch("UPDATE trials SET trial_id = x'01' WHERE trial = 1").unwrap();
    drop(connection);
    let wrong = site.wrong(false, true);
    assert!(wrong.iter().any(|line| line.contains("trials.trial_id is")), "{wrong:#?}");
    assert!(wrong.iter().all(|line| line.starts_with("state: ")), "{wrong:#?}");
}
