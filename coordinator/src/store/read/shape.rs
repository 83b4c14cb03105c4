//! The shape of a database: its tables, their columns and whatever else it defines, against those of
//! this build's schema. What nobody made may do something at each write, or hide a table.

use std::collections::BTreeSet;

use proto::text::clean_line;
use rusqlite::Connection;
use trial::Measure;

use crate::store::schema::migrate::create;

/// The longest part of a name that is shown.
const MAX_SHOWN_BYTES: usize = 100;

/// A table or an index by its kind and name, or a column of it by its name and what it holds.
type Part = String;

/// What there is too much or too little, one line each.
pub fn broken(connection: &Connection, measures: &[Measure]) -> rusqlite::Result<Vec<String>> {
    let expected = Connection::open_in_memory()?;
    create(&expected, measures)?;
    let (found, expected) = (parts(connection)?, parts(&expected)?);
    let more = found.difference(&expected).map(|part| (part, "is not of this program's schema"));
    let less = expected.difference(&found).map(|part| (part, "is missing"));
    let line =
        |(part, what): (&Part, &str)| format!("{} {what}", clean_line(part, MAX_SHOWN_BYTES));
    Ok(more.chain(less).map(line).collect())
}

/// Without what SQLite makes by itself. How a column was added, and so its place, is of no matter.
fn parts(connection: &Connection) -> rusqlite::Result<BTreeSet<Part>> {
    let sql = "SELECT type || ' ' || name FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
        UNION ALL
        SELECT 'column ' || s.name || '.' || c.name || ' ' || c.type || iif(c.\"notnull\", ' NOT NULL', '')
            || iif(c.pk, ' key ' || c.pk, '') || iif(c.hidden, ' generated', '')
            || coalesce(' DEFAULT ' || c.dflt_value, '')
        FROM sqlite_schema s JOIN pragma_table_xinfo(s.name) c WHERE s.type = 'table'";
    let mut statement = connection.prepare(sql)?;
    statement.query_map([], |row| row.get(0))?.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a state could have beyond the schema or lack, and a word of the finding.
    const CHANGES: [(&str, &str); 7] = [
        ("CREATE TABLE extra (x)", "table extra"),
        ("CREATE VIEW v AS SELECT 1", "view v"),
        (
            "CREATE TRIGGER tr AFTER INSERT ON outcomes BEGIN DELETE FROM outcomes; END",
            "trigger tr",
        ),
        ("CREATE INDEX i ON trials (seed)", "index i"),
        ("ALTER TABLE epochs ADD COLUMN z INTEGER", "column epochs.z INTEGER"),
        ("ALTER TABLE epochs DROP COLUMN gradient_norm", "column epochs.gradient_norm"),
        ("DROP TABLE conflicts", "table conflicts is missing"),
    ];

    #[test]
    fn whatever_is_not_of_the_schema_is_found() {
        for (sql, word) in CHANGES {
            let connection = Connection::open_in_memory().unwrap();
            create(&connection, trainer::measures()).unwrap();
            assert_eq!(broken(&connection, trainer::measures()).unwrap(), Vec::<String>::new());
            connection.execute_batch(sql).unwrap();
            let found = broken(&connection, trainer::measures()).unwrap();
            assert!(found.iter().any(|line| line.contains(word)), "{sql}: {found:?}");
        }
    }
}
