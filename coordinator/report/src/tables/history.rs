//! `history` and `timings`: one row per trial and epoch.

use polars::prelude::DataFrame;
use trial::{EpochRecord, Timing, TrialId};

use super::columns::Columns;
use crate::ReportError;
use crate::input::{Done, State, Trial};

type EpochField = fn(&EpochRecord) -> Option<f64>;

/// Everything measured per epoch; the same for every run of the same sweep.
pub(crate) fn history(trials: &[Trial]) -> Result<DataFrame, ReportError> {
    let rows: Vec<(TrialId, &EpochRecord)> = done_trials(trials)
        .flat_map(|(id, done)| done.history.iter().map(move |e| (id, e)))
        .collect();
    let mut columns = Columns::new(rows.len());
    let numbers: [(&str, EpochField); 9] = [
        ("train_loss", |e| Some(e.train_loss)),
        ("train_accuracy", |e| Some(e.train_accuracy)),
        ("valid_loss", |e| Some(e.valid_loss)),
        ("valid_accuracy", |e| Some(e.valid_accuracy)),
        ("learning_rate", |e| Some(e.learning_rate)),
        ("step_min", |e| e.steps.map(|steps| steps.min)),
        ("step_median", |e| e.steps.map(|steps| steps.median)),
        ("step_max", |e| e.steps.map(|steps| steps.max)),
        ("gradient_norm", |e| Some(e.gradient_norm)),
    ];
    columns.text("trial_id", rows.iter().map(|(id, _)| Some(id.to_string())));
    columns.count("epoch", rows.iter().map(|(_, e)| Some(e.epoch.into())));
    for (name, field) in numbers {
        if name == "gradient_norm" {
            columns.count("n_backtracks", rows.iter().map(|(_, e)| Some(e.n_backtracks)));
        }
        columns.number(name, rows.iter().map(|(_, e)| field(e)));
    }
    columns.count("grad_samples", rows.iter().map(|(_, e)| Some(e.grad_samples)));
    columns.count("probe_samples", rows.iter().map(|(_, e)| Some(e.probe_samples)));
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
