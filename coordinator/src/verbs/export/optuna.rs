//! An Optuna journal: JSON lines that `JournalStorage(JournalFileBackend(path))` replays.
//!
//! The form is that of optuna/storages/journal/_storage.py: operation 0 makes a study, 2 and 3 set an
//! attribute of it (3 one of Optuna's own), 4 makes a trial with everything that is known of it.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use report::input::{Done, State, Trial};
use serde_json::{Map, Value as Json, json};
use sweep::{Axis, Objective, display};
use trial::{Ending, Goal, Reading, TrialId, Value, at_best};

use super::place::new_file;
use super::source::{Source, Times};

const CREATE_STUDY: u8 = 0;
const SET_STUDY_USER_ATTR: u8 = 2;
const SET_STUDY_SYSTEM_ATTR: u8 = 3;
const CREATE_TRIAL: u8 = 4;

/// Values of optuna.study.StudyDirection.
const MINIMIZE: u8 = 1;
const MAXIMIZE: u8 = 2;

/// Values of optuna.trial.TrialState.
const COMPLETE: u8 = 1;
const PRUNED: u8 = 2;
const FAIL: u8 = 3;

/// A program that appends to the journal later has another name.
const WRITER: &str = "sweep";

/// Half a line that stays so for this long was left by a writer that was killed.
const HALF_LINE: Duration = Duration::from_secs(2);

/// Between two looks at a journal that somebody else is writing to.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Writes one study and gives the number of its trials.
pub fn write(source: &Source, file: &mut impl Write) -> anyhow::Result<usize> {
    let mut out = BufWriter::new(file);
    write_study(source, &mut out)?;
    let n_trials = write_trials(source, &Written::default(), &mut out)?;
    out.flush()?;
    Ok(n_trials)
}

/// Adds to a journal, which is made if need be, the trials that it lacks, and gives their number. It
/// only grows, since others may be reading it, or be adding trials of their own.
pub fn add(source: &Source, to: &Path) -> anyhow::Result<usize> {
    if !to.exists() {
        return new_file(to, |into| write(source, into.as_file_mut()));
    }
    let written = Written::settled(to, &source.plan.name)?;
    let mut lines = Vec::new();
    let n_trials = write_trials(source, &written, &mut lines)?;
    if n_trials > 0 {
        written.append(to, &lines)?;
    }
    Ok(n_trials)
}

/// Whether a file looks like a journal.
pub fn is_export(path: &Path) -> bool {
    let first = File::open(path).ok().and_then(|file| BufReader::new(file).lines().next()?.ok());
    let first: Option<Json> = first.and_then(|line| serde_json::from_str(&line).ok());
    path.is_file() && first.is_some_and(|line| line["op_code"] == CREATE_STUDY)
}

/// What a journal holds of this sweep.
#[derive(Default)]
struct Written {
    /// The latest outcome of each trial.
    outcomes: HashMap<String, String>,
    /// Length of all whole lines.
    n_bytes: usize,
    /// Length of half a line after them.
    n_half: usize,
}

impl Written {
    fn read(path: &Path, study: &str) -> anyhow::Result<Self> {
        let bytes = fs::read(path)?;
        let n_bytes = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let whole = str::from_utf8(&bytes[..n_bytes]).context("it is no UTF-8")?;
        let n_half = bytes.len() - n_bytes;
        let mut written = Self { n_bytes, n_half, ..Self::default() };
        for (index, line) in whole.lines().enumerate() {
            let entry: Json = serde_json::from_str(line)
                .with_context(|| format!("line {} is no JSON", index + 1))?;
            if index == 0 && entry["study_name"] != study {
                bail!("it is of the study {}, expected {study:?}", entry["study_name"]);
            }
            let attributes = &entry["user_attrs"];
            if let (Some(id), Some(outcome)) =
                (attributes["trial_id"].as_str(), attributes["outcome"].as_str())
            {
                written.outcomes.insert(id.into(), outcome.into());
            }
        }
        Ok(written)
    }

    /// Reads a journal, once nobody is in the middle of a line.
    fn settled(path: &Path, study: &str) -> anyhow::Result<Self> {
        let (mut since, mut former) = (Instant::now(), None);
        loop {
            let written = Self::read(path, study)?;
            let length = Some(written.n_bytes + written.n_half);
            if length != former {
                (since, former) = (Instant::now(), length);
            }
            if written.n_half == 0 || since.elapsed() > HALF_LINE {
                return Ok(written);
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// Appends lines. Half a line before them becomes spaces, which a line of JSON may begin with:
    /// the file never gets shorter, so that nothing is lost which others append meanwhile.
    fn append(&self, to: &Path, lines: &[u8]) -> io::Result<()> {
        if self.n_half > 0 {
            let file = File::options().write(true).open(to)?;
            file.write_all_at(&b" ".repeat(self.n_half), self.n_bytes as u64)?;
        }
        let mut file = File::options().append(true).open(to)?;
        file.write_all(lines)?;
        file.sync_all()
    }

    /// Results never change; a failed or cancelled trial may run again.
    fn is_final(&self, id: TrialId) -> bool {
        let outcome = self.outcomes.get(&id.to_string());
        outcome.is_some_and(|outcome| matches!(outcome.as_str(), "completed" | "diverged"))
    }
}

fn write_study(source: &Source, mut out: &mut impl Write) -> anyhow::Result<()> {
    let plan = &source.plan;
    let metric = plan.report.metric;
    let direction = match metric.goal {
        Goal::Maximize => MAXIMIZE,
        Goal::Minimize => MINIMIZE,
    };
    let name = &plan.name;
    line(&mut out, CREATE_STUDY, json!({ "study_name": name, "directions": [direction] }))?;
    let names = json!({ "study:metric_names": [metric.name()] });
    let attribute = json!({ "study_id": 0, "system_attr": names });
    line(&mut out, SET_STUDY_SYSTEM_ATTR, attribute)?;
    let about = json!({ "description": plan.description.as_deref().unwrap_or_default(), "metric": metric.name() });
    for (key, value) in about.as_object().into_iter().flatten() {
        let attribute = json!({ "study_id": 0, "user_attr": { key: value } });
        line(&mut out, SET_STUDY_USER_ATTR, attribute)?;
    }
    Ok(())
}

fn write_trials(
    source: &Source,
    written: &Written,
    mut out: &mut impl Write,
) -> anyhow::Result<usize> {
    let plan = &source.plan;
    let metric = plan.report.metric;
    let axes: Vec<AxisForm> = plan.axes.iter().map(AxisForm::of).collect();
    let mut n_trials = 0;
    source.for_each(
        |id| !written.is_final(id),
        |planned, trial, times| {
            let mut entry = outcome(metric, trial, times);
            let came_to = entry["user_attrs"]["outcome"].as_str();
            if came_to == written.outcomes.get(&trial.id.to_string()).map(String::as_str) {
                return Ok(());
            }
            n_trials += 1;
            let value = |axis: &AxisForm| plan.value(planned.point as usize, axis.name);
            let used = axes.iter().filter_map(|axis| Some((axis, value(axis)?)));
            let (params, distributions): (Map<_, _>, Map<_, _>) = used
                .map(|(axis, value)| {
                    let name = axis.name.to_owned();
                    ((name.clone(), axis.internal(&value)), (name, axis.distribution.clone()))
                })
                .unzip();
            entry["user_attrs"]["phase"] = planned.phase.name().into();
            entry["params"] = params.into();
            entry["distributions"] = distributions.into();
            line(&mut out, CREATE_TRIAL, entry)
        },
    )?;
    Ok(n_trials)
}

fn line(out: &mut impl Write, operation: u8, mut entry: Json) -> anyhow::Result<()> {
    entry["op_code"] = operation.into();
    entry["worker_id"] = WRITER.into();
    serde_json::to_writer(&mut *out, &entry)?;
    Ok(out.write_all(b"\n")?)
}

/// Everything of a trial but its parameters. Diverged trials are pruned ones: they have
/// intermediate values and no final one.
fn outcome(metric: Objective, trial: &Trial, times: Times) -> Json {
    let mut attributes =
        BTreeMap::from([("trial_id", json!(trial.id)), ("seed", json!(trial.seed))]);
    let (mut state, mut value) = (FAIL, None);
    let mut intermediate = Map::new();
    match &trial.state {
        State::Done(done) => {
            (state, value) = ending(metric, done, &mut attributes);
            attributes.insert("digest", json!(done.digest));
            // A trial that diverged in its first epoch may have none.
            if !done.timings.is_empty() {
                let cpu_s: f64 = done.timings.iter().map(|timing| timing.cpu_s).sum();
                attributes.insert("cpu_s", json!(cpu_s));
            }
            intermediate.extend(
                done.history
                    .iter()
                    .map(|epoch| (epoch.epoch.to_string(), json!(epoch[metric.measure]))),
            );
        }
        State::Failed(failure) => {
            attributes.insert("outcome", json!("failed"));
            if let Some(failure) = failure {
                attributes.insert("cause", json!(failure.cause));
            }
        }
        State::Cancelled | State::Open => {
            attributes.insert("outcome", json!("cancelled"));
        }
    }
    json!({
        "study_id": 0,
        "state": state,
        "value": value,
        "values": null,
        "datetime_start": timestamp(times.start_s),
        "datetime_complete": timestamp(times.end_s),
        "user_attrs": attributes,
        "system_attrs": {},
        "intermediate_values": intermediate,
    })
}

fn ending<'a>(
    metric: Objective,
    done: &'a Done,
    attributes: &mut BTreeMap<&'a str, Json>,
) -> (u8, Option<f64>) {
    match done.ending {
        Ending::Completed { best_epoch, test_accuracy, collapsed } => {
            attributes.insert("outcome", json!("completed"));
            attributes.insert("best_epoch", json!(best_epoch));
            attributes.insert("test_accuracy", json!(test_accuracy));
            attributes.insert("collapsed", json!(collapsed));
            let best = done.history.iter().find(|epoch| epoch.epoch == best_epoch);
            for measure in best.map_or(Vec::new(), |epoch| at_best(epoch.measures())) {
                let reading = best.and_then(|epoch| epoch.reading(&measure.name));
                attributes.insert(&measure.name, json!(reading.map(Reading::as_number)));
            }
            match best.map(|epoch| epoch[metric.measure]) {
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

/// Seconds since 1970 (UTC) as Optuna writes them, with the calendar of Gregory.
fn timestamp(seconds: f64) -> String {
    let micros = (seconds * 1e6) as u64;
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    // Years begin with March, so that a leap day is the last day of one.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = 400 * era + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}+00:00")
}

#[cfg(test)]
mod tests;
