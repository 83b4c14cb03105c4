//! `results`: one row a trial, in the input's canonical order.

use polars::prelude::DataFrame;
use trial::{Ending, InResults, Kind, Measure, Parameter, Value, Work, at_best};

use super::columns::Columns;
use crate::ReportError;
use crate::analysis::{best_epoch, value_label};
use crate::input::{Done, Layout, State, Trial};

pub(crate) fn results(layout: &Layout, trials: &[Trial]) -> Result<DataFrame, ReportError> {
    let mut columns = Columns::new(trials.len());
    columns.text("trial_id", trials.iter().map(|trial| Some(trial.id.to_string())));
    columns.text("phase", trials.iter().map(|trial| Some(trial.phase.name().to_string())));
    hyperparameters(&layout.parameters, trials, &mut columns);
    columns.count("seed", trials.iter().map(|trial| Some(trial.seed.into())));
    outcome(trials, &mut columns);
    measured(&layout.measures, trials, &mut columns);
    work(trials, &mut columns);
    columns.text("digest", trials.iter().map(|trial| Some(done(trial)?.digest.to_string())));
    columns.frame().map_err(|source| ReportError::Table { table: "results", source })
}

fn hyperparameters(parameters: &[Parameter], trials: &[Trial], columns: &mut Columns) {
    for (index, parameter) in parameters.iter().enumerate() {
        let cells = trials.iter().map(|trial| trial.values[index].as_ref());
        match parameter.kind {
            Kind::Text(_) | Kind::Widths { .. } => {
                columns.text(parameter.name, cells.map(|cell| cell.map(value_label)));
            }
            Kind::Number => columns.number(parameter.name, cells.map(as_number)),
            Kind::Count => columns.count(parameter.name, cells.map(as_count)),
        }
        if parameter.name == "hidden" {
            let depth = trials.iter().map(|trial| match &trial.values[index] {
                Some(Value::Widths(widths)) => Some(widths.len() as u64),
                _ => None,
            });
            columns.count("depth", depth);
        }
    }
}

fn outcome(trials: &[Trial], columns: &mut Columns) {
    columns.text("outcome", trials.iter().map(|trial| outcome_name(trial).map(String::from)));
    columns.flag(
        "collapsed",
        trials.iter().map(|trial| match done(trial)?.ending {
            Ending::Completed { collapsed, .. } => Some(collapsed),
            Ending::Diverged { .. } => None,
        }),
    );
}

fn measured(measures: &[Measure], trials: &[Trial], columns: &mut Columns) {
    columns.count(
        "best_epoch",
        trials.iter().map(|trial| best_epoch(done(trial)?).map(|epoch| epoch.epoch.into())),
    );
    for measure in at_best(measures) {
        let best = |trial: &Trial| best_epoch(done(trial)?)?.reading(&measure.name);
        columns.readings(&format!("best_{}", measure.name), measure, trials.iter().map(best));
    }
    for measure in measures.iter().filter(|measure| measure.in_results != InResults::No) {
        let last = |trial: &Trial| done(trial)?.history.last()?.reading(&measure.name);
        columns.readings(&format!("final_{}", measure.name), measure, trials.iter().map(last));
    }
    columns.number(
        "test_accuracy",
        trials.iter().map(|trial| match done(trial)?.ending {
            Ending::Completed { test_accuracy, .. } => test_accuracy,
            Ending::Diverged { .. } => None,
        }),
    );
    columns.count(
        "diverged_step",
        trials.iter().map(|trial| match done(trial)?.ending {
            Ending::Diverged { step, .. } => Some(step),
            Ending::Completed { .. } => None,
        }),
    );
    columns.number(
        "last_finite_loss",
        trials.iter().map(|trial| match done(trial)?.ending {
            Ending::Diverged { last_finite_loss, .. } => last_finite_loss,
            Ending::Completed { .. } => None,
        }),
    );
}

fn work(trials: &[Trial], columns: &mut Columns) {
    for (place, measure) in Work::measures().iter().enumerate() {
        // Other optimizers always take their step: not applicable, so empty.
        let is_of_search = measure.name == "steps_without_step";
        let reading = |trial: &Trial| {
            let work = &done(trial)?.work;
            work.readings()[place].filter(|_| !is_of_search || work.backtracks.is_some())
        };
        columns.readings(&measure.name, measure, trials.iter().map(reading));
    }
}

fn done(trial: &Trial) -> Option<&Done> {
    match &trial.state {
        State::Done(done) => Some(done),
        _ => None,
    }
}

fn outcome_name(trial: &Trial) -> Option<&'static str> {
    match &trial.state {
        State::Open => None,
        State::Done(done) => Some(match done.ending {
            Ending::Completed { .. } => "completed",
            Ending::Diverged { .. } => "diverged",
        }),
        State::Failed(_) => Some("failed"),
        State::Cancelled => Some("cancelled"),
    }
}

fn as_number(value: Option<&Value>) -> Option<f64> {
    match value? {
        Value::Number(x) => Some(*x),
        Value::Count(n) => Some(*n as f64),
        Value::Text(_) | Value::Widths(_) => None,
    }
}

fn as_count(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::Count(n) => Some(*n),
        Value::Number(_) | Value::Text(_) | Value::Widths(_) => None,
    }
}
