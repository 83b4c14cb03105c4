//! A TensorBoard folder: one run a trial with its curves, and what the HParams tab shows.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::BufWriter,
    path::Path,
};

use anyhow::Context;
use coordinator_core::sweep::{Axis, Phase, Plan, Trial as Planned, display};
use prost_types::ListValue;
use report::input::{Done, Ending, Epoch, State, Trial};
use trainer::Value;

use super::{
    events::{
        EventWriter, Experiment, HparamInfo, HparamType, Hparams, MetricInfo, MetricName,
        SessionEnd, SessionStart, SessionStatus, number, text,
    },
    source::Source,
};

/// TensorBoard looks for names with `tfevents` in them.
const FILE_NAME: &str = "events.out.tfevents.0.sweep";

/// Of the trial's id, as much as the report shows at the most.
const ID_DIGITS: usize = 12;

/// Longest part of a run's name that comes from the sweep; file systems allow 255 bytes in all.
const MAX_NAME_BYTES: usize = 200;

/// Shown in the HParams tab: tag and title. They are read at the best epoch by validation.
const METRICS: [(&str, &str); 3] = [
    ("best/valid_accuracy", "validation accuracy"),
    ("best/valid_loss", "validation loss"),
    ("best/test_accuracy", "test accuracy"),
];

/// Writes a run for each trial that was trained to its end, and gives their number.
pub fn write(source: &Source, folder: &Path) -> anyhow::Result<usize> {
    let mut events = start(folder)?;
    events.hparams(0.0, Hparams::Experiment(experiment(&source.plan)))?;
    events.finish()?;
    let mut n_runs = 0;
    source.for_each(|planned, trial| {
        let State::Done(done) = &trial.state else { return Ok(()) };
        let point = Point::of(&source.plan, planned);
        n_runs += 1;
        write_run(&folder.join(point.run_name(trial)), &point, done)
    })?;
    Ok(n_runs)
}

fn start(folder: &Path) -> anyhow::Result<EventWriter<BufWriter<File>>> {
    let path = folder.join(FILE_NAME);
    let started = || {
        fs::create_dir_all(folder)?;
        EventWriter::new(BufWriter::new(File::create(&path)?))
    };
    started().with_context(|| format!("{}: cannot be written", path.display()))
}

fn experiment(plan: &Plan) -> Experiment {
    let info = |axis: &Axis| HparamInfo {
        name: axis.name.into(),
        kind: match axis.values.first() {
            Some(Value::Number(_) | Value::Count(_)) => HparamType::Float64.into(),
            _ => HparamType::String.into(),
        },
        domain_discrete: Some(ListValue { values: axis.values.iter().map(hparam).collect() }),
    };
    let metric = |(tag, title): (&str, &str)| MetricInfo {
        name: Some(MetricName { tag: tag.into() }),
        display_name: title.into(),
    };
    let phases = [Phase::Grid, Phase::Confirm].map(|phase| Value::Text(phase.name().into()));
    let phase = Axis { name: PHASE, values: phases.into() };
    let axes = plan.axes.iter().chain(has_phases(plan).then_some(&phase));
    Experiment {
        name: plan.name.clone(),
        description: plan.description.clone(),
        hparam_infos: axes.map(info).collect(),
        metric_infos: METRICS.map(metric).into(),
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

    /// Such as `optimizer=sgd,learning_rate=0.1,seed=1,id=3fa9c1d2aabb`, so that the filter of runs
    /// can select by every axis.
    fn run_name(&self, trial: &Trial) -> String {
        let mut name = self.name();
        // Values are words and digits: every byte is a place to cut.
        name.truncate(MAX_NAME_BYTES);
        format!("{name},seed={},id={}", trial.seed, &trial.id[..ID_DIGITS])
    }
}

fn write_run(folder: &Path, point: &Point, done: &Done) -> anyhow::Result<()> {
    let mut events = start(folder)?;
    let hparams: BTreeMap<String, prost_types::Value> =
        point.0.iter().map(|(name, value)| ((*name).into(), hparam(value))).collect();
    let start = SessionStart { hparams, group_name: point.name(), start_time_secs: 0.0 };
    events.hparams(0.0, Hparams::Start(start))?;
    let mut wall_s = 0.0;
    for epoch in &done.history {
        let timing = done.timings.iter().find(|timing| timing.epoch == epoch.epoch);
        wall_s += timing.map_or(0.0, |timing| timing.wall_s);
        let cpu_s = timing.map(|timing| timing.cpu_s);
        events.scalars(wall_s, epoch.epoch, &[&curves(epoch)[..], &[("cpu_s", cpu_s)]].concat())?;
    }
    let status = match done.ending {
        Ending::Completed { best_epoch, test_accuracy, .. } => {
            let best = done.history.iter().find(|epoch| epoch.epoch == best_epoch);
            let [accuracy, loss, test] = METRICS.map(|(tag, _)| tag);
            let scalars = [
                (accuracy, best.map(|epoch| epoch.valid_accuracy)),
                (loss, best.map(|epoch| epoch.valid_loss)),
                (test, test_accuracy),
            ];
            events.scalars(wall_s, best_epoch, &scalars)?;
            SessionStatus::Success
        }
        Ending::Diverged { .. } => SessionStatus::Failure,
    };
    let end = SessionEnd { status: status.into(), end_time_secs: wall_s };
    events.hparams(wall_s, Hparams::End(end))?;
    Ok(events.finish()?)
}

fn curves(epoch: &Epoch) -> [(&'static str, Option<f64>); 8] {
    [
        ("train/loss", Some(epoch.train_loss)),
        ("train/accuracy", Some(epoch.train_accuracy)),
        ("valid/loss", Some(epoch.valid_loss)),
        ("valid/accuracy", Some(epoch.valid_accuracy)),
        ("learning_rate", Some(epoch.learning_rate)),
        ("gradient_norm", Some(epoch.gradient_norm)),
        ("line_search/step_median", epoch.steps.map(|(_, median, _)| median)),
        ("line_search/backtracks", epoch.steps.map(|_| epoch.n_backtracks as f64)),
    ]
}
