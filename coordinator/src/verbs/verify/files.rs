//! A report's files against its manifest, its sweep file and each other.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use report::Manifest;
use report::input::Trial;
use sweep::{self, Plan};
use trial::{Hyperparameters, TrialId};

use super::{manifest, pages, rebuilt};
use crate::reporting::report_folder::ReportFolder;
use crate::reporting::report_folder::{layout, plan_grid, read_manifest};
use crate::reporting::values::whole;
use crate::verbs::verify::findings::Findings;
use crate::view::terminal::n_of;

/// Gives what the files say if all of them are the manifest's and their rows are the sweep's, so
/// that they can be relied on.
pub fn check(folder: &Path, findings: &mut Findings) -> anyhow::Result<Option<ReportFolder>> {
    let manifest = read_manifest(folder)?;
    let is_intact = manifest::digests(folder, &manifest, findings);
    manifest::strangers(folder, &manifest, findings);
    manifest::partial(folder, findings);
    let layout = layout(folder, &manifest)?;
    let plan = plan_grid(folder, &manifest)?;
    manifest::sweep(&manifest, &plan, findings);
    let rows = report::read_results(folder, &manifest, &layout)?;
    let table = manifest.results_csv();
    ids(table, &plan, &rows, findings);
    manifest::counts(&manifest, &rows, findings);
    // A damaged Parquet file is not worth reading: its digest has told.
    if !is_intact {
        let of_grid = rows.iter().filter(|row| row.phase == sweep::Phase::Grid);
        order(table, plan.grid().iter(), of_grid, findings);
        return Ok(None);
    }
    let committed = ReportFolder::read(folder, &manifest)?;
    let planned = committed.plan.table_order().into_iter();
    let are_planned = order(table, planned, rows.iter(), findings);
    tables(folder, &manifest, &committed, findings)?;
    let breaches = committed.breaches(&manifest);
    findings.wrong_alike(breaches.into_iter().map(|it| format!("the report: {it}")).collect());
    findings.checked(format!(
        "{} by the rules of their trials",
        n_of(committed.trials.len(), "result")
    ));
    manifest::best(&manifest, &committed.plan, &committed.trials, findings);
    pages::check(folder, &manifest, findings)?;
    // From tables that are wrong a report would only be wrong in more places.
    if findings.wrong.is_empty() {
        rebuilt::check(folder, &manifest, &committed, findings)?;
    }
    Ok(are_planned.then_some(committed))
}

/// The tables against each other: each is what the trials that are read from all of them give.
fn tables(
    folder: &Path,
    manifest: &Manifest,
    committed: &ReportFolder,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let (table, layout) = (manifest.results_csv(), &committed.layout);
    let csv = report::results_csv(layout, &committed.trials)?;
    if csv != fs::read(folder.join(table))? {
        findings
            .wrong(format!("{table}: its best and last epochs are not those of history.parquet"));
    }
    for name in report::differing_tables(folder, manifest, layout, &committed.trials)? {
        findings.wrong(format!("{name}: other rows, columns or order than the other tables have"));
    }
    findings.checked(format!("{table} against the Parquet files"));
    Ok(())
}

/// Each id must be the hash of its row's own configuration.
fn ids(table: &str, plan: &Plan, rows: &[Trial], findings: &mut Findings) {
    let wrong = |row: &Trial| {
        let id = match id_of(plan, row) {
            Ok(id) => id,
            Err(problem) => return Some(format!("{table}: trial {}: {problem}", row.id)),
        };
        let is_right = id == row.id;
        (!is_right).then(|| format!("{table}: trial {}: its row's values give {id}", row.id))
    };
    findings.wrong_alike(rows.iter().filter_map(wrong).collect());
    findings.checked(format!("ids of {} against their rows", n_of(rows.len(), "trial")));
}

fn id_of(plan: &Plan, row: &Trial) -> Result<TrialId, String> {
    let named = plan.interface.parameters.iter().zip(&row.values);
    let values = named.filter_map(|(it, value)| Some((it.name, value.clone()?))).collect();
    let given = Hyperparameters::new(values, row.seed);
    whole(plan.interface, &given)?;
    Ok(sweep::trial_id(plan.interface, &given, plan.dataset_digest, plan.split))
}

/// Whether the rows are the trials of the sweep file, each once, in the canonical order.
fn order<'a>(
    table: &str,
    planned: impl Iterator<Item = &'a sweep::Trial>,
    rows: impl Iterator<Item = &'a Trial>,
    findings: &mut Findings,
) -> bool {
    let planned: Vec<TrialId> = planned.map(|trial| trial.id).collect();
    let rows: Vec<TrialId> = rows.map(|row| row.id).collect();
    let expected: HashSet<TrialId> = planned.iter().copied().collect();
    let mut found = HashSet::new();
    let mut wrong = Vec::new();
    for id in &rows {
        if !expected.contains(id) {
            wrong.push(format!("{table}: trial {id} is not in sweep.toml"));
        } else if !found.insert(id) {
            wrong.push(format!("{table}: trial {id} has two rows"));
        }
    }
    let missing = planned.iter().filter(|id| !found.contains(id));
    wrong.extend(missing.map(|id| format!("{table}: trial {id} of sweep.toml has no row")));
    if wrong.is_empty() && rows != planned {
        wrong.push(format!("{table}: its rows are not in their order"));
    }
    let are_planned = wrong.is_empty();
    findings.wrong_alike(wrong);
    findings.checked(format!("{} of sweep.toml against the rows", n_of(planned.len(), "trial")));
    are_planned
}
