//! The tables of a report read back into trials: the inverse of `tables`.

mod parquet;
mod rows;
mod told;

use std::path::Path;

use sweep::Phase;

use crate::input::{Done, Layout, State, Trial};
use crate::{Manifest, ReportError, tables};
use parquet::{Table, histories, timings};
use rows::{Row, Rows};
pub use told::{Told, read_told};
use trial::{Ending, Measure, Reading, Work};

/// Reads the results, `history.parquet` and `timings.parquet` of the report with this manifest; the
/// trials come in the order of the results. Why a trial failed and its attempts are in no table; rows of other trials are
/// left out, which [`differing_tables`] tells.
///
/// # Errors
/// A file that cannot be read, and a cell that is not what its column holds, by file and line.
pub fn read_trials(
    folder: &Path,
    manifest: &Manifest,
    layout: &Layout,
) -> Result<Vec<Trial>, ReportError> {
    let mut trials = read_results(folder, manifest, layout)?;
    let [history, timing] = ["history.parquet", "timings.parquet"].map(|name| folder.join(name));
    let mut histories = histories(&layout.measures, &Table::read(&history, manifest)?)?;
    let mut timings = timings(&Table::read(&timing, manifest)?)?;
    for trial in &mut trials {
        if let State::Done(done) = &mut trial.state {
            done.history = histories.remove(&trial.id).unwrap_or_default();
            done.timings = timings.remove(&trial.id).unwrap_or_default();
        }
    }
    Ok(trials)
}

/// Reads the results alone: trials without their history and timings.
///
/// # Errors
/// As for [`read_trials`].
pub fn read_results(
    folder: &Path,
    manifest: &Manifest,
    layout: &Layout,
) -> Result<Vec<Trial>, ReportError> {
    let path = folder.join(manifest.results_csv());
    let text = std::fs::read_to_string(&path)
        .map_err(|source| ReportError::Read { path: path.clone(), source })?;
    Rows::new(&path, &text)?.map(|row| trial(&row?, layout)).collect()
}

/// The canonical bytes of the results of these trials.
///
/// # Errors
/// When the table cannot be shaped.
pub fn results_csv(layout: &Layout, trials: &[Trial]) -> Result<Vec<u8>, ReportError> {
    tables::csv_bytes(&tables::results(layout, trials)?, "results")
}

/// Tables of the report, by file name, that are not what these trials give: other rows, another
/// order, other columns.
///
/// # Errors
/// A file that cannot be read as Parquet.
pub fn differing_tables(
    folder: &Path,
    manifest: &Manifest,
    layout: &Layout,
    trials: &[Trial],
) -> Result<Vec<String>, ReportError> {
    let results = manifest.results_csv().replace(".csv", ".parquet");
    let frames = [
        (results, "results", tables::results(layout, trials)?),
        ("history.parquet".into(), "history", tables::history(&layout.measures, trials)?),
        ("timings.parquet".into(), "timings", tables::timings(trials)?),
    ];
    let mut differing = Vec::new();
    for (name, table, expected) in frames {
        let found = Table::read(&folder.join(&name), manifest)?;
        if found.csv(table)? != tables::csv_bytes(&expected, table)? {
            differing.push(name);
        }
    }
    Ok(differing)
}

fn phase(row: &Row<'_>) -> Result<Phase, ReportError> {
    let text = row.text("phase")?;
    let phase = Phase::ALL.into_iter().find(|phase| phase.name() == text);
    phase.ok_or_else(|| row.wrong("phase", "grid or confirm"))
}

fn trial(row: &Row<'_>, layout: &Layout) -> Result<Trial, ReportError> {
    Ok(Trial {
        id: row.digits("trial_id")?,
        phase: phase(row)?,
        values: layout
            .parameters
            .iter()
            .map(|column| row.value(column))
            .collect::<Result<_, _>>()?,
        seed: row.small("seed")?,
        state: state(row)?,
    })
}

fn state(row: &Row<'_>) -> Result<State, ReportError> {
    Ok(match row.cell("outcome")? {
        "completed" => State::Done(Box::new(done(
            row,
            Ending::Completed {
                best_epoch: row.small("best_epoch")?,
                test_accuracy: row.number("test_accuracy")?,
                collapsed: row.flag("collapsed")?,
            },
        )?)),
        "diverged" => State::Done(Box::new(done(
            row,
            Ending::Diverged {
                step: row.count("diverged_step")?,
                last_finite_loss: row.number("last_finite_loss")?,
            },
        )?)),
        "failed" => State::Failed(None),
        "cancelled" => State::Cancelled,
        "" => State::Open,
        _ => return Err(row.wrong("outcome", "completed, diverged, failed, cancelled or nothing")),
    })
}

fn done(row: &Row<'_>, ending: Ending) -> Result<Done, ReportError> {
    Ok(Done {
        ending,
        history: Vec::new(),
        work: Work::read(
            |measure| reading(measure, row),
            |it| row.wrong(&it.name, "a whole number"),
        )?,
        digest: row.digits("digest")?,
        timings: Vec::new(),
    })
}

/// What only line searches have is empty for the others.
fn reading(measure: &Measure, row: &Row<'_>) -> Result<Option<Reading>, ReportError> {
    let is_of_search = measure.is_optional || measure.name == "steps_without_step";
    if is_of_search && row.number("backtracks_mean")?.is_none() {
        return Ok(None);
    }
    measure.read_by(|name| row.number(name), |name| row.count(name).map(Some))
}
