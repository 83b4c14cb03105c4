//! The plans that SQLite has for the store's statements: one that is asked for each trial must not
//! read the others.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::store::connection::Store;

/// A statement as the source has it.
struct Statement {
    place: String,
    sql: String,
}

/// Statements that read a whole table by intention, each with the reason.
const READ_A_TABLE: [(&str, &str); 2] = [
    ("DELETE FROM workers WHERE worker_id IN (", "once in some hundred joins"),
    ("SELECT trial_id FROM attempts JOIN trials", "once for each `status`"),
];

/// What stands for the parts that a statement is put together from.
const PARTS: [(&str, &str); 7] = [
    ("{names}", ""),
    ("{places}", ""),
    ("{table}", "epochs"),
    ("{shown}", "epoch"),
    ("{condition}", "epoch > 1"),
    ("({})", "(SELECT trial, attempt AS shown FROM attempts)"),
    ("\\\"", "\""),
];

/// Every statement on the tables of the state that the files of the store have.
fn statements() -> Vec<Statement> {
    let mut statements = Vec::new();
    take_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store"), &mut statements);
    statements
}

fn take_in(folder: &Path, statements: &mut Vec<Statement>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            take_in(&path, statements);
        }
        // Those of a migration run once, on tables of former schemas.
        if path.is_file() && name.ends_with(".rs") && name != "migrate.rs" && name != "tests.rs" {
            let source = fs::read_to_string(&path).unwrap();
            let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
            statements.extend(literals(source).map(|sql| Statement { place: name.clone(), sql }));
        }
    }
}

fn literals(source: &str) -> impl Iterator<Item = String> {
    let starts = ["\"SELECT ", "\"UPDATE ", "\"DELETE ", "\"INSERT "];
    starts.into_iter().flat_map(|start| source.match_indices(start)).map(|(at, _)| {
        let text = &source[at + 1..];
        let ends = |(at, _): &(usize, &str)| !text[..*at].ends_with('\\');
        let end = text.match_indices('"').find(ends).unwrap().0;
        PARTS.iter().fold(text[..end].to_owned(), |sql, (part, by)| sql.replace(part, by))
    })
}

/// The rows of a statement's plan: number, number of the row above, what is done.
fn plan_of(connection: &Connection, sql: &str) -> Vec<(i64, i64, String)> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let n_parameters = statement.parameter_count();
    let rows = statement.query_map(rusqlite::params_from_iter(vec![1; n_parameters]), |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(3)?))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// The steps that read a whole table for each row of another, or for one trial.
fn slow_steps(plan: &[(i64, i64, String)], is_of_one: bool) -> Vec<&str> {
    // A virtual table gives what it is asked for, such as the columns of one table.
    let is_scan = |step: &str| {
        let is_none = step == "SCAN CONSTANT ROW" || step.contains(" VIRTUAL TABLE ");
        step.starts_with("SCAN ") && !is_none
    };
    let above = |number| plan.iter().find(|(it, ..)| *it == number);
    let is_repeated = |mut parent| {
        while let Some((_, next, step)) = above(parent) {
            if step.starts_with("CORRELATED") {
                return true;
            }
            parent = *next;
        }
        false
    };
    let is_inner = |at: usize| {
        let parent = plan[at].1;
        let is_loop = |step: &str| step.starts_with("SCAN ") || step.starts_with("SEARCH ");
        plan[..at].iter().any(|(_, other, step)| *other == parent && is_loop(step))
    };
    let is_slow = |at: &usize| {
        let (_, parent, step) = &plan[*at];
        is_scan(step) && (is_of_one || is_inner(*at) || is_repeated(*parent))
    };
    (0..plan.len()).filter(is_slow).map(|at| plan[at].2.as_str()).collect()
}

#[test]
fn no_statement_reads_a_whole_table_for_each_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sweep.db");
    drop(Store::open(&path, trainer::measures()).unwrap());
    let connection = Connection::open(&path).unwrap();
    let all = statements();
    assert!(all.len() > 50, "{} found", all.len());
    let mut slow = Vec::new();
    for Statement { place, sql } in &all {
        let plan = plan_of(&connection, sql);
        let is_meant = READ_A_TABLE.iter().any(|(begin, _)| sql.starts_with(begin));
        let steps = slow_steps(&plan, sql.contains("?1") && !is_meant);
        slow.extend(steps.iter().map(|step| format!("{place}: {step}: {sql}")));
    }
    assert!(slow.is_empty(), "{slow:#?}");
}

#[test]
fn a_slow_statement_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sweep.db");
    drop(Store::open(&path, trainer::measures()).unwrap());
    let connection = Connection::open(&path).unwrap();
    for (sql, is_of_one) in [
        ("SELECT began_ms FROM trials JOIN attempts USING (trial) WHERE trial_id = ?1", true),
        ("SELECT (SELECT count(*) FROM attempts b WHERE b.term = a.term) FROM attempts a", false),
    ] {
        let plan = plan_of(&connection, sql);
        assert!(!slow_steps(&plan, is_of_one).is_empty(), "{sql}: {plan:?}");
    }
}
