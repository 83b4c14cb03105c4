//! The range of every column: what a value of the state can be whatever its trial is. Values beyond
//! it could not even be read.

use proto::text::clean_line;
use rusqlite::Connection;
use sweep::Phase;
use trial::wording::n_of;
use trial::{Measure, MeasureKind, Work};

use crate::store::schema::measures;
use crate::store::write::closed_words;

/// The longest shown part of a value that is out of range.
const MAX_SHOWN_BYTES: usize = 100;

/// Whole numbers by table and column, each with its least and its largest.
const NUMBERS: [(&str, &str, i64, i64); 32] = [
    ("workers", "n_slots", 1, 4_096),
    ("workers", "is_local", 0, 1),
    ("workers", "joined_ms", 0, i64::MAX),
    ("terms", "term", 1, i64::MAX),
    ("terms", "began_ms", 0, i64::MAX),
    ("terms", "seen_ms", 0, i64::MAX),
    ("terms", "ended_ms", 0, i64::MAX),
    ("terms", "ran_ms", 0, LONGEST_MS),
    ("trials", "trial", 1, U32),
    ("trials", "seed", 0, U32),
    ("attempts", "trial", 1, U32),
    ("attempts", "attempt", 1, U32),
    ("attempts", "term", 1, i64::MAX),
    ("attempts", "is_alone", 0, 1),
    ("attempts", "is_local", 0, 1),
    ("attempts", "is_forgiven", 0, 1),
    ("attempts", "began_ms", 0, i64::MAX),
    ("attempts", "ended_ms", 0, i64::MAX),
    ("outcomes", "trial", 1, U32),
    ("outcomes", "attempt", 1, U32),
    ("outcomes", "best_epoch", 1, U32),
    ("outcomes", "collapsed", 0, 1),
    ("outcomes", "diverged_step", 1, i64::MAX),
    ("outcomes", "backtracks_p95", 0, U32),
    ("outcomes", "backtracks_max", 0, U32),
    ("epochs", "trial", 1, U32),
    ("epochs", "epoch", 1, U32),
    ("timings", "epoch", 1, U32),
    ("timings", "attempt", 1, U32),
    ("timings", "n_slots_in_use", 1, 4_096),
    ("conflicts", "trial", 1, U32),
    ("conflicts", "attempt", 1, U32),
];

const U32: i64 = u32::MAX as i64;

/// A hundred years: no coordinator has run for longer.
const LONGEST_MS: i64 = 100 * 366 * 24 * 3_600 * 1_000;

/// Ids and digests by table and column, each with its bytes.
const BLOBS: [(&str, &str, i64); 5] = [
    ("workers", "worker_id", 16),
    ("attempts", "worker_id", 16),
    ("trials", "trial_id", 32),
    ("outcomes", "digest", 32),
    ("conflicts", "digest", 32),
];

/// Words by table and column.
fn words() -> [(&'static str, &'static str, Vec<&'static str>); 4] {
    [
        ("meta", "key", vec!["sweep", measures::KEY]),
        ("trials", "phase", Phase::ALL.map(Phase::name).to_vec()),
        ("attempts", "closed", closed_words()),
        ("outcomes", "outcome", vec!["completed", "diverged", "failed", "cancelled"]),
    ]
}

/// What is out of range, one line for each column.
pub fn broken<'a>(
    connection: &Connection,
    measures: &'a [Measure],
) -> rusqlite::Result<Vec<String>> {
    let mut findings = Vec::new();
    let of = |table: &'a str, measures: &'a [Measure]| {
        let counts = measures.iter().filter(|it| it.kind == MeasureKind::Count);
        let is_told = move |name: &str| NUMBERS.iter().any(|it| (it.0, it.1) == (table, name));
        let counts = counts.filter(move |it| !is_told(&it.name));
        counts.map(move |it| (table, &*it.name, 0, i64::MAX))
    };
    let counts = of("epochs", measures).chain(of("outcomes", Work::measures()));
    for (table, column, low, high) in NUMBERS.into_iter().chain(counts) {
        let condition = format!("\"{column}\" NOT BETWEEN {low} AND {high}");
        let shown = format!("CAST(\"{column}\" AS TEXT)");
        let expected = format!("{low} to {high}");
        findings.extend(find(connection, (table, column), (&shown, &condition), &expected)?);
    }
    for (table, column, n_bytes) in BLOBS {
        let condition = format!("length({column}) <> {n_bytes}");
        let shown = format!("length({column}) || ' bytes'");
        let expected = format!("{n_bytes} bytes");
        findings.extend(find(connection, (table, column), (&shown, &condition), &expected)?);
    }
    for (table, column, words) in words() {
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let condition = format!("{column} NOT IN ({})", quoted.join(", "));
        let expected = words.join(", ");
        findings.extend(find(connection, (table, column), (column, &condition), &expected)?);
    }
    Ok(findings)
}

/// A line if a row meets the condition, which NULL never does.
fn find(
    connection: &Connection,
    column: (&str, &str),
    (shown, condition): (&str, &str),
    expected: &str,
) -> rusqlite::Result<Option<String>> {
    let (table, column) = column;
    let sql = format!("SELECT count(*), min({shown}) FROM {table} WHERE {condition}");
    let (n_rows, first): (u64, Option<String>) =
        connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let first = clean_line(&first.unwrap_or_default(), MAX_SHOWN_BYTES);
    let line =
        format!("{table}.{column} is {first:?} in {}, expected {expected}", n_of(n_rows, "row"));
    Ok((n_rows > 0).then_some(line))
}
