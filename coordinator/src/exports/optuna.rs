//! An Optuna journal: JSON lines that `JournalStorage(JournalFileBackend(path))` replays.
//!
//! The form is that of optuna/storages/journal/_storage.py: operation 0 makes a study, 2 sets an
//! attribute of it, 4 makes a trial with everything that is known of it.

use std::{
    collections::BTreeMap,
    io::{BufWriter, Write},
};

use coordinator_core::sweep::{Axis, display};
use report::input::{Done, Ending, Metric, State, Trial};
use serde_json::{Map, Value as Json, json};
use trainer::Value;

use super::source::Source;
use crate::report_input;

const CREATE_STUDY: u8 = 0;
const SET_STUDY_USER_ATTR: u8 = 2;
const CREATE_TRIAL: u8 = 4;

/// Of optuna.study.StudyDirection.
const MINIMIZE: u8 = 1;
const MAXIMIZE: u8 = 2;

/// Of optuna.trial.TrialState.
const COMPLETE: u8 = 1;
const PRUNED: u8 = 2;
const FAIL: u8 = 3;

/// Whoever appends to the journal later has another name.
const WRITER: &str = "sweep";

/// Writes one study and gives the number of its trials.
pub fn write(source: &Source, file: &mut impl Write) -> anyhow::Result<usize> {
    let plan = &source.plan;
    let metric = report_input::metric(plan);
    let mut out = BufWriter::new(file);
    let direction = match metric {
        Metric::ValidAccuracy => MAXIMIZE,
        Metric::ValidLoss => MINIMIZE,
    };
    let name = &plan.name;
    line(&mut out, CREATE_STUDY, json!({ "study_name": name, "directions": [direction] }))?;
    let about = json!({ "description": plan.description, "metric": metric_name(metric) });
    for (key, value) in about.as_object().into_iter().flatten() {
        let attribute = json!({ "study_id": 0, "user_attr": { key: value } });
        line(&mut out, SET_STUDY_USER_ATTR, attribute)?;
    }
    let axes: Vec<AxisForm> = plan.axes.iter().map(AxisForm::of).collect();
    let mut n_trials = 0;
    source.for_each(|planned, trial| {
        n_trials += 1;
        let mut entry = outcome(metric, trial);
        let value = |axis: &AxisForm| plan.value(planned.point as usize, axis.name);
        let used = axes.iter().filter_map(|axis| Some((axis, value(axis)?)));
        let (params, distributions): (Map<_, _>, Map<_, _>) = used
            .map(|(axis, value)| {
                let name = axis.name.to_owned();
                ((name.clone(), axis.internal(&value)), (name, axis.distribution.clone()))
            })
            .unzip();
        entry["user_attrs"]["phase"] = planned.phase.name().into();
        entry.insert("params".into(), params.into());
        entry.insert("distributions".into(), distributions.into());
        line(&mut out, CREATE_TRIAL, entry.into())
    })?;
    out.flush()?;
    Ok(n_trials)
}

fn line(out: &mut impl Write, operation: u8, mut entry: Json) -> anyhow::Result<()> {
    entry["op_code"] = operation.into();
    entry["worker_id"] = WRITER.into();
    serde_json::to_writer(&mut *out, &entry)?;
    Ok(out.write_all(b"\n")?)
}

fn metric_name(metric: Metric) -> &'static str {
    match metric {
        Metric::ValidAccuracy => "valid_accuracy",
        Metric::ValidLoss => "valid_loss",
    }
}

/// Everything of a trial but its parameters. Diverged trials are pruned ones: they have
/// intermediate values and no final one.
fn outcome(metric: Metric, trial: &Trial) -> Map<String, Json> {
    let mut attributes =
        BTreeMap::from([("trial_id", json!(trial.id)), ("seed", json!(trial.seed))]);
    let (mut state, mut value, mut seconds) = (FAIL, None, 0.0);
    let mut intermediate = Map::new();
    match &trial.state {
        State::Done(done) => {
            (state, value) = ending(metric, done, &mut attributes);
            seconds = done.timings.iter().map(|timing| timing.wall_s).sum();
            attributes.insert("digest", json!(done.digest));
            let cpu_s: f64 = done.timings.iter().map(|timing| timing.cpu_s).sum();
            attributes.insert("cpu_s", json!(cpu_s));
            intermediate.extend(done.history.iter().map(|epoch| {
                let value = score(metric, epoch.valid_accuracy, epoch.valid_loss);
                (epoch.epoch.to_string(), json!(value))
            }));
        }
        State::Failed { cause, .. } => {
            attributes.insert("outcome", json!("failed"));
            // A report's tables do not tell it.
            if !cause.is_empty() {
                attributes.insert("cause", json!(cause));
            }
        }
        State::Cancelled | State::Open => {
            attributes.insert("outcome", json!("cancelled"));
        }
    }
    let entry = json!({
        "study_id": 0,
        "state": state,
        "value": value,
        "values": null,
        // Only durations are recorded: every trial starts at the epoch.
        "datetime_start": timestamp(0.0),
        "datetime_complete": timestamp(seconds),
        "user_attrs": attributes,
        "system_attrs": {},
        "intermediate_values": intermediate,
    });
    match entry {
        Json::Object(entry) => entry,
        _ => unreachable!("it was written as an object"),
    }
}

fn ending(
    metric: Metric,
    done: &Done,
    attributes: &mut BTreeMap<&'static str, Json>,
) -> (u8, Option<f64>) {
    match done.ending {
        Ending::Completed { best_epoch, test_accuracy, collapsed } => {
            attributes.insert("outcome", json!("completed"));
            attributes.insert("best_epoch", json!(best_epoch));
            attributes.insert("test_accuracy", json!(test_accuracy));
            attributes.insert("collapsed", json!(collapsed));
            let best = done.history.iter().find(|epoch| epoch.epoch == best_epoch);
            match best.map(|epoch| score(metric, epoch.valid_accuracy, epoch.valid_loss)) {
                Some(value) => (COMPLETE, Some(value)),
                None => (FAIL, None),
            }
        }
        Ending::Diverged { step, .. } => {
            attributes.insert("outcome", json!("diverged"));
            attributes.insert("diverged_step", json!(step));
            (PRUNED, None)
        }
    }
}

fn score(metric: Metric, valid_accuracy: f64, valid_loss: f64) -> f64 {
    match metric {
        Metric::ValidAccuracy => valid_accuracy,
        Metric::ValidLoss => valid_loss,
    }
}

/// An axis as Optuna's distribution: the range of its numbers, or the list of its words.
struct AxisForm<'a> {
    name: &'static str,
    values: &'a [Value],
    /// JSON within JSON, as Optuna keeps it.
    distribution: Json,
}

impl<'a> AxisForm<'a> {
    fn of(axis: &'a Axis) -> Self {
        let distribution = match (axis.values.first(), axis.values.last()) {
            (Some(Value::Number(low)), Some(Value::Number(high))) => json!({
                "name": "FloatDistribution",
                "attributes": { "low": low, "high": high, "log": is_log(*low, *high), "step": null },
            }),
            (Some(Value::Count(low)), Some(Value::Count(high))) => json!({
                "name": "IntDistribution",
                "attributes": { "low": low, "high": high, "log": false, "step": 1 },
            }),
            _ => json!({
                "name": "CategoricalDistribution",
                "attributes": { "choices": axis.values.iter().map(display).collect::<Vec<_>>() },
            }),
        };
        Self {
            name: axis.name,
            values: &axis.values,
            distribution: distribution.to_string().into(),
        }
    }

    /// Optuna stores numbers, and of a word its place among the choices.
    fn internal(&self, value: &Value) -> Json {
        match value {
            Value::Number(x) => json!(x),
            Value::Count(n) => json!(n),
            Value::Text(_) | Value::Widths(_) => {
                json!(self.values.iter().position(|choice| choice == value))
            }
        }
    }
}

/// Whether plots should show the axis by its logarithm.
fn is_log(low: f64, high: f64) -> bool {
    0.0 < low && low * 10.0 <= high
}

/// Seconds after the epoch as Optuna writes them. A trial of more than a month looks like one of a
/// month.
fn timestamp(seconds: f64) -> String {
    let micros = (seconds * 1e6) as u64;
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let (day, rest) = ((seconds / 86_400).min(30) + 1, seconds % 86_400);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("1970-01-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}+00:00")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_times_of_january_1970() {
        assert_eq!(timestamp(0.0), "1970-01-01T00:00:00.000000+00:00");
        assert_eq!(timestamp(93_784.25), "1970-01-02T02:03:04.250000+00:00");
        assert_eq!(timestamp(1e9), "1970-01-31T01:46:40.000000+00:00");
    }
}
