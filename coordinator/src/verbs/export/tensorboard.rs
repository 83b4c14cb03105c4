//! A TensorBoard folder: one run a trial with its curves, and what the HParams tab shows.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;

use anyhow::Context;
use prost_types::ListValue;
use report::input::{Done, State, Trial};
use sweep::{Axis, Phase, Plan, Trial as Planned, display};
use trial::known::{
    GRAD_SAMPLES, N_BACKTRACKS, PROBE_SAMPLES, STEP_MAX, STEP_MEDIAN, STEP_MIN, TRAIN_ACCURACY,
    TRAIN_LOSS, VALID_ACCURACY, VALID_LOSS,
};
use trial::{Ending, EpochRecord, Measure, Reading, StepSizes, TrialId, Value, at_best};
use worker::parts::rename;

use super::events::{
    EventWriter, Experiment, HparamInfo, HparamType, Hparams, MetricInfo, MetricName, SessionEnd,
    SessionStart, SessionStatus, number, text,
};
use super::place;
use super::source::{Source, Times};

/// TensorBoard looks for names with `tfevents` in them.
const FILE_NAME: &str = "events.out.tfevents.0.sweep";

/// Hex digits of the trial id in a run's name: as many as the report shows at most.
const ID_DIGITS: usize = 12;

/// Longest part of a run's name that comes from the sweep; file systems allow 255 bytes in all.
const MAX_NAME_BYTES: usize = 200;

/// How the HParams tab calls measures of the best epoch that it does not call by their names.
const TITLES: [(&str, &str); 2] =
    [(VALID_ACCURACY.0, "validation accuracy"), (VALID_LOSS.0, "validation loss")];

/// Beside the measures, of the best epoch.
const TEST: &str = "test_accuracy";

/// The built-in trainer's measures by the names of their curves.
const TAGS: [(&str, Option<&str>); 10] = [
    (TRAIN_LOSS.0, Some("train/loss")),
    (TRAIN_ACCURACY.0, Some("train/accuracy")),
    (VALID_LOSS.0, Some("valid/loss")),
    (VALID_ACCURACY.0, Some("valid/accuracy")),
    (STEP_MEDIAN.0, Some("line_search/step_median")),
    (N_BACKTRACKS.0, Some("line_search/backtracks")),
    (STEP_MIN.0, None),
    (STEP_MAX.0, None),
    (GRAD_SAMPLES.0, None),
    (PROBE_SAMPLES.0, None),
];

/// Writes a run for each trial that was trained to its end, and gives their number.
pub fn write(source: &Source, folder: &Path) -> anyhow::Result<usize> {
    let mut events = start(folder)?;
    events.hparams(0.0, Hparams::Experiment(experiment(&source.plan, source.measures())))?;
    events.finish()?;
    let mut n_runs = 0;
    source.for_each(
        |_| true,
        |planned, trial, times| {
            let State::Done(done) = &trial.state else { return Ok(()) };
            let point = Point::of(&source.plan, planned);
            n_runs += 1;
            let run = folder.join(point.run_name(&source.plan, trial));
            write_run(&run, &point, done, times)
        },
    )?;
    Ok(n_runs)
}

/// Adds to a folder, which is made if need be, the runs that it lacks, and gives their number. Each
/// appears whole.
pub fn add(source: &Source, to: &Path) -> anyhow::Result<usize> {
    if !to.exists() {
        return place::folder(to, false, |into| write(source, into));
    }
    let staging = place::beside(to)?;
    let table = staging.path().join(FILE_NAME);
    let mut events = start(staging.path())?;
    events.hparams(0.0, Hparams::Experiment(experiment(&source.plan, source.measures())))?;
    events.finish()?;
    // It grows with the sweep.
    if fs::read(&table)? != fs::read(to.join(FILE_NAME)).unwrap_or_default() {
        place::sync_all(&table)?;
        rename(&table, &to.join(FILE_NAME))?;
    }
    let known = ids_in(to)?;
    let is_new = |id: TrialId| !known.contains(&id.to_string()[..ID_DIGITS]);
    let mut n_runs = 0;
    source.for_each(is_new, |planned, trial, times| {
        let State::Done(done) = &trial.state else { return Ok(()) };
        let point = Point::of(&source.plan, planned);
        let name = point.run_name(&source.plan, trial);
        let run = staging.path().join(&name);
        write_run(&run, &point, done, times)?;
        place::sync_all(&run)?;
        rename(&run, &to.join(&name))?;
        n_runs += 1;
        Ok(())
    })?;
    Ok(n_runs)
}

/// Whether a folder looks like an export: the table of hyperparameters, and runs.
pub fn is_export(path: &Path) -> bool {
    let mut names = fs::read_dir(path).into_iter().flatten().flatten().map(|it| it.file_name());
    let is_ours = |name: OsString| name == FILE_NAME || name.to_str().and_then(id_of).is_some();
    path.join(FILE_NAME).is_file() && names.all(is_ours)
}

/// The first digits of the ids of the trials whose runs are there.
fn ids_in(folder: &Path) -> std::io::Result<HashSet<String>> {
    let names = fs::read_dir(folder)?.flatten().map(|entry| entry.file_name());
    Ok(names.filter_map(|name| id_of(name.to_str()?).map(str::to_owned)).collect())
}

fn id_of(run: &str) -> Option<&str> {
    let (_, id) = run.rsplit_once("id=")?;
    (id.len() == ID_DIGITS).then_some(id)
}

fn start(folder: &Path) -> anyhow::Result<EventWriter<BufWriter<File>>> {
    let path = folder.join(FILE_NAME);
    let started = || {
        fs::create_dir_all(folder)?;
        EventWriter::new(BufWriter::new(File::create(&path)?))
    };
    started().with_context(|| format!("{}: cannot be written", path.display()))
}

fn experiment(plan: &Plan, measures: &[Measure]) -> Experiment {
    let info = |axis: &Axis| HparamInfo {
        name: axis.name.into(),
        r#type: match axis.values.first() {
            Some(Value::Number(_) | Value::Count(_)) => HparamType::Float64.into(),
            _ => HparamType::String.into(),
        },
        domain_discrete: Some(ListValue { values: axis.values.iter().map(hparam).collect() }),
    };
    let metric = |name: &str| MetricInfo {
        name: Some(MetricName { tag: best_tag(name) }),
        display_name: TITLES
            .iter()
            .find(|(known, _)| *known == name)
            .map_or_else(|| name.replace('_', " "), |(_, title)| (*title).into()),
    };
    let names = at_best(measures).into_iter().map(|measure| &*measure.name).chain([TEST]);
    let phases = Phase::ALL.map(|phase| Value::Text(phase.name().into()));
    let phase = Axis { name: PHASE, values: phases.into() };
    let axes = plan.axes.iter().chain(has_phases(plan).then_some(&phase));
    Experiment {
        name: plan.name.clone(),
        description: plan.description.clone().unwrap_or_default(),
        hparam_infos: axes.map(info).collect(),
        metric_infos: names.map(metric).collect(),
    }
}

fn hparam(value: &Value) -> prost_types::Value {
    match value {
        Value::Number(x) => number(*x),
        Value::Count(n) => number(*n as f64),
        Value::Text(_) | Value::Widths(_) => text(display(value)),
    }
}

/// The phase is shown like an axis, so that the seeds that chose a point and those that confirm it
/// are not averaged together.
const PHASE: &str = "phase";

fn has_phases(plan: &Plan) -> bool {
    0 < plan.n_confirm_seeds
}

/// A trial's values on the sweep's axes.
struct Point(Vec<(&'static str, Value)>);

impl Point {
    fn of(plan: &Plan, planned: &Planned) -> Self {
        let value = |axis: &Axis| Some((axis.name, plan.value(planned.point as usize, axis.name)?));
        let phase = (PHASE, Value::Text(planned.phase.name().into()));
        let values = plan.axes.iter().filter_map(value);
        Self(values.chain(has_phases(plan).then_some(phase)).collect())
    }

    fn name(&self) -> String {
        let part = |(name, value): &(&str, Value)| format!("{name}={}", display(value));
        self.0.iter().map(part).collect::<Vec<_>>().join(",")
    }

    /// Such as `learning_rate=0.1,optimizer=sgd,seed=1,id=3fa9c1d2aabb`, so that the filter of runs
    /// can select by every axis. Lists of runs show the beginning of a name: axes of many values
    /// come first, and those of one are left out.
    fn run_name(&self, plan: &Plan, trial: &Trial) -> String {
        let n_values = |name: &str| match plan.axes.iter().find(|axis| axis.name == name) {
            Some(axis) => axis.values.len(),
            None => 2,
        };
        let mut differing: Vec<&(&str, Value)> =
            self.0.iter().filter(|(name, _)| n_values(name) > 1).collect();
        differing.sort_by_key(|(name, _)| Reverse(n_values(name)));
        let part = |(name, value): &(&str, Value)| format!("{name}={},", display(value));
        let mut name: String = differing.into_iter().map(part).collect();
        if name.len() > MAX_NAME_BYTES {
            // Values are words and digits: every byte is a place to cut.
            name.truncate(MAX_NAME_BYTES);
            name.push_str("..,");
        }
        format!("{name}seed={},id={:.ID_DIGITS$}", trial.seed, trial.id)
    }
}

fn write_run(folder: &Path, point: &Point, done: &Done, times: Times) -> anyhow::Result<()> {
    let mut events = start(folder)?;
    let hparams: BTreeMap<String, prost_types::Value> =
        point.0.iter().map(|(name, value)| ((*name).into(), hparam(value))).collect();
    let start = SessionStart { hparams, group_name: point.name(), start_time_secs: times.start_s };
    events.hparams(times.start_s, Hparams::Start(start))?;
    // Epochs before a checkpoint were trained earlier, and are shown as if they had not been: the
    // curve over time is one of training.
    let took_s: f64 = done.timings.iter().map(|timing| timing.wall_s).sum();
    let mut wall_s = (times.end_s - took_s).max(0.0);
    for epoch in &done.history {
        let timing = done.timings.iter().find(|timing| timing.epoch == epoch.epoch);
        wall_s += timing.map_or(0.0, |timing| timing.wall_s);
        let cpu_s = timing.map(|timing| timing.cpu_s);
        events.scalars(wall_s, epoch.epoch, &[curves(epoch), vec![("cpu_s", cpu_s)]].concat())?;
    }
    let status = match done.ending {
        Ending::Completed { best_epoch, test_accuracy, .. } => {
            let best = done.history.iter().find(|epoch| epoch.epoch == best_epoch);
            let of_best = best.into_iter().flat_map(|epoch| {
                let shown = at_best(epoch.measures()).into_iter();
                shown.map(|it| (&*it.name, epoch.reading(&it.name).map(Reading::as_number)))
            });
            let scalars = of_best.chain([(TEST, test_accuracy)]);
            let tagged: Vec<_> = scalars.map(|(name, x)| (best_tag(name), x)).collect();
            let scalars: Vec<_> = tagged.iter().map(|(tag, x)| (&**tag, *x)).collect();
            events.scalars(wall_s, best_epoch, &scalars)?;
            SessionStatus::Success
        }
        Ending::Diverged { .. } => SessionStatus::Failure,
    };
    let end = SessionEnd { status: status.into(), end_time_secs: wall_s };
    events.hparams(wall_s, Hparams::End(end))?;
    Ok(events.finish()?)
}

fn best_tag(name: &str) -> String {
    format!("best/{name}")
}

/// A curve for each measure: the built-in trainer's under the names that they have had from the first
/// version on, any other under its own.
fn curves(epoch: &EpochRecord) -> Vec<(&str, Option<f64>)> {
    let named = epoch.measures().iter().zip(epoch.readings());
    let is_search = StepSizes::of(epoch).is_some();
    named
        .filter_map(|(measure, reading)| {
            let is_shown = measure.name != N_BACKTRACKS.0 || is_search;
            let reading = reading.filter(|_| is_shown).map(Reading::as_number);
            Some((tag(&measure.name)?, reading))
        })
        .collect()
}

/// `None` for what is not drawn: the ends of a range whose median is, and counts of work.
fn tag(measure: &str) -> Option<&str> {
    let known = TAGS.iter().find(|(name, _)| *name == measure);
    known.map_or(Some(measure), |(_, tag)| *tag)
}
