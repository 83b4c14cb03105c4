//! What a state's trials measure: declared in `meta`, and a column of `epochs` each.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use trial::{Measure, MeasureKind, declared};

use crate::store::error::StoreError;
use crate::store::schema::meta_value::meta;

/// The key of `meta` that holds the declarations, as a JSON list.
pub const KEY: &str = "measures";

/// The table of the epochs of trials that measure this.
pub fn epochs_table(measures: &[Measure]) -> String {
    let columns = measures.iter().map(|it| {
        let not_null = if it.is_optional { "" } else { " NOT NULL" };
        format!("    {}{not_null},\n", column(it))
    });
    format!(
        "CREATE TABLE epochs (\n    trial INTEGER NOT NULL,\n    epoch INTEGER NOT NULL,\n{}    \
         PRIMARY KEY (trial, epoch)\n) STRICT, WITHOUT ROWID;",
        columns.collect::<String>()
    )
}

/// Its name, quoted since it may be a word of SQL, and its type.
fn column(measure: &Measure) -> String {
    let kind = match measure.kind {
        MeasureKind::Number => "REAL",
        MeasureKind::Count => "INTEGER",
    };
    format!("\"{}\" {kind}", measure.name)
}

/// In the order of the columns; those of a state that does not tell are the trainer's first ones.
pub fn read(connection: &Connection) -> Result<Arc<[Measure]>, StoreError> {
    let damaged = |error: String| {
        StoreError::Damaged(format!("what its trials measure cannot be read ({error})"))
    };
    let measures = match meta(connection, KEY)? {
        None => trainer::untold_measures().to_vec(),
        Some(json) => serde_json::from_str(&json).map_err(|error| damaged(error.to_string()))?,
    };
    declared(measures).map_err(|error| damaged(error.to_string()))
}

/// Records the declarations, whose columns are there.
pub fn write(connection: &Connection, measures: &[Measure]) -> rusqlite::Result<()> {
    let json = serde_json::to_string(measures).expect("plain values");
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", [KEY, &json]).map(drop)
}

/// Brings a state up to what its trials measure now, and gives its measures: one that is optional may
/// join those that are there.
pub fn bring_up_to(
    connection: &mut Connection,
    path: &Path,
    wanted: &Arc<[Measure]>,
) -> Result<Arc<[Measure]>, StoreError> {
    let found = read(connection)?;
    if found == *wanted {
        return Ok(found);
    }
    let differs = |what: String| StoreError::Measures { path: path.into(), what };
    let mut all = found.to_vec();
    for measure in &mut all {
        let now = wanted.iter().find(|it| it.name == measure.name);
        let now =
            now.ok_or_else(|| differs(format!("{}, which is measured no longer", measure.name)))?;
        if (now.kind, now.is_optional) != (measure.kind, measure.is_optional) {
            return Err(differs(format!("{} as something else", measure.name)));
        }
        *measure = now.clone();
    }
    let joining = wanted.iter().filter(|it| found.iter().all(|former| former.name != it.name));
    let joining: Vec<&Measure> = joining.collect();
    if let Some(needed) = joining.iter().find(|it| !it.is_optional) {
        return Err(differs(format!(
            "epochs without {}, which each of them needs now",
            needed.name
        )));
    }
    all.extend(joining.iter().map(|it| (*it).clone()));
    let mut change = || {
        let transaction = connection.transaction()?;
        for measure in &joining {
            let sql = format!("ALTER TABLE epochs ADD COLUMN {}", column(measure));
            transaction.execute_batch(&sql)?;
        }
        write(&transaction, &all)?;
        transaction.commit()
    };
    change().map_err(|source| StoreError::open(path, source))?;
    Ok(all.into())
}

#[cfg(test)]
mod tests {
    use trainer::measures;
    use trial::EpochRecord;

    use super::*;
    use crate::store::connection::Store;
    use crate::store::tests::{history, plan};
    use crate::store::{Reader, TrialRow, TrialState};

    fn with(more: Measure) -> Arc<[Measure]> {
        declared([&measures()[..], &[more]].concat()).unwrap()
    }

    #[test]
    fn an_optional_measure_joins_a_state_that_has_results() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sweep.db");
        let plan = plan(2);
        Store::open(&path, measures()).unwrap().commit(&plan, &history()).unwrap();
        let before = Reader::open(&path).unwrap();
        let (before, findings) = (before.trials().unwrap(), before.check().unwrap());
        // As a build wrote it that did not tell what it measured.
        let untold = Connection::open(&path).unwrap();
        untold.execute("DELETE FROM meta WHERE key = 'measures'", []).unwrap();
        assert_eq!(Reader::open(&path).unwrap().measures(), measures());
        let wanted = with(Measure::number("weight_norm", "").optional());
        let store = Store::open(&path, &wanted).unwrap();
        assert_eq!(store.measures(), &wanted);
        let reader = Reader::open(&path).unwrap();
        assert_eq!(reader.check().unwrap(), findings);
        let after = reader.trials().unwrap();
        let history = |row: &TrialRow| match &row.state {
            TrialState::Done { result, .. } => result.history.clone(),
            _ => Vec::new(),
        };
        let records: Vec<EpochRecord> = after.values().flat_map(history).collect();
        assert!(!records.is_empty());
        for record in records {
            assert_eq!(record.reading("weight_norm"), None);
            assert_eq!(record.measures(), &wanted);
        }
        assert_eq!(after.len(), before.len());
    }

    #[test]
    fn a_measure_may_have_the_name_of_another_column_or_a_word_of_sql() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sweep.db");
        let names = ["order", "select", "digest", "outcome", "phase", "worker_id", "best_epoch"];
        let more = names.map(|name| Measure::count(name, "").optional());
        let wanted = declared([&measures()[..], &more].concat()).unwrap();
        let plan = plan(2);
        let plain = folder.path().join("plain.db");
        Store::open(&plain, measures()).unwrap().commit(&plan, &history()).unwrap();
        let findings = Reader::open(&plain).unwrap().check().unwrap();
        let mut store = Store::open(&path, &wanted).unwrap();
        store.commit(&plan, &history()).unwrap();
        let loaded = store.load(&plan).unwrap();
        let reader = Reader::open(&path).unwrap();
        assert_eq!(reader.check().unwrap(), findings);
        assert_eq!(reader.load(&plan).unwrap().ledger, loaded.ledger);
        assert!(
            reader
                .trials()
                .unwrap()
                .values()
                .any(|row| matches!(row.state, TrialState::Done { .. }))
        );
        let chance = sweep::Score { accuracy: 0.1, loss: 2.0 };
        assert_eq!(reader.outcomes(&plan, chance).unwrap().len(), plan.grid().len());
    }

    #[test]
    fn a_state_of_other_measures_is_refused_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sweep.db");
        drop(Store::open(&path, &with(Measure::count("n_dead", ""))).unwrap());
        for (wanted, words) in [
            (measures().clone(), "n_dead, which is measured no longer"),
            (with(Measure::number("n_dead", "")), "n_dead as something else"),
            (
                declared(
                    [&with(Measure::count("n_dead", ""))[..], &[Measure::number("x", "")]].concat(),
                )
                .unwrap(),
                "epochs without x",
            ),
        ] {
            let refused = Store::open(&path, &wanted).expect_err(words).to_string();
            assert!(refused.contains(words) && refused.contains("--fresh"), "{refused}");
            assert_eq!(Reader::open(&path).unwrap().check().unwrap(), Vec::<String>::new());
        }
    }
}
