//! `history` and `timings`: one row per trial and epoch.

use polars::prelude::DataFrame;
use trial::{EpochRecord, Measure, Timing, TrialId};

use super::columns::Columns;
use crate::ReportError;
use crate::input::{Done, State, Trial};

/// Everything measured per epoch; the same for every run of the same sweep.
pub(crate) fn history(measures: &[Measure], trials: &[Trial]) -> Result<DataFrame, ReportError> {
    let rows: Vec<(TrialId, &EpochRecord)> = done_trials(trials)
        .flat_map(|(id, done)| done.history.iter().map(move |e| (id, e)))
        .collect();
    let mut columns = Columns::new(rows.len());
    columns.text("trial_id", rows.iter().map(|(id, _)| Some(id.to_string())));
    columns.count("epoch", rows.iter().map(|(_, e)| Some(e.epoch.into())));
    for measure in measures {
        columns.readings(
            &measure.name,
            measure,
            rows.iter().map(|(_, e)| e.reading(&measure.name)),
        );
    }
    columns.frame().map_err(|source| ReportError::Table { table: "history", source })
}

/// How long each epoch took, and where; may differ between runs.
pub(crate) fn timings(trials: &[Trial]) -> Result<DataFrame, ReportError> {
    let rows: Vec<(TrialId, &Timing)> = done_trials(trials)
        .flat_map(|(id, done)| done.timings.iter().map(move |t| (id, t)))
        .collect();
    let mut columns = Columns::new(rows.len());
    columns.text("trial_id", rows.iter().map(|(id, _)| Some(id.to_string())));
    columns.count("epoch", rows.iter().map(|(_, t)| Some(t.epoch.into())));
    columns.number("wall_s", rows.iter().map(|(_, t)| Some(t.wall_s)));
    columns.number("cpu_s", rows.iter().map(|(_, t)| Some(t.cpu_s)));
    columns.text("worker", rows.iter().map(|(_, t)| Some(t.worker.clone())));
    columns.text("isa", rows.iter().map(|(_, t)| Some(t.isa.clone())));
    columns.count("attempt", rows.iter().map(|(_, t)| Some(t.attempt.into())));
    columns.count("slots_in_use", rows.iter().map(|(_, t)| Some(t.n_slots_in_use.into())));
    columns.frame().map_err(|source| ReportError::Table { table: "timings", source })
}

fn done_trials(trials: &[Trial]) -> impl Iterator<Item = (TrialId, &Done)> {
    trials.iter().filter_map(|trial| match &trial.state {
        State::Done(done) => Some((trial.id, &**done)),
        _ => None,
    })
}
