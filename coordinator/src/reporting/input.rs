//! A state's plan and records to what the report is made from; the only file that knows both.

use coordinator_core::event::Timing;
use report::command;
use report::input::{
    Axis, Cell, Column, Compare, DatasetMeta, Done, Ending, Epoch, HeatmapSpec, Hypothesis, Input,
    Metric, Phase, Provenance, State, Trial, Value, Work, WorkerInfo,
};
use sweep::{self, Filter, Plan, TrialId};
use trainer::hex;
use trainer::{Breach, EpochRecord, KEYS, Key, Scale, TrialResult};

use crate::reporting::values::{column_kind, to_report};
use crate::store::error::StoreError;
use crate::store::meta::SweepMeta;
use crate::store::{Reader, TrialRow, TrialState};

/// Everything that the state knows, at one moment.
pub fn input(reader: &Reader, facts: &SweepMeta) -> Result<Input, StoreError> {
    let plan = facts.plan(reader)?;
    let mut rows = reader.trials()?;
    let planned = plan.table_order().into_iter();
    let trials = planned.map(|it| trial(&plan, it, rows.remove(&it.id.0))).collect();
    let (sweep_toml, data) = (facts.sweep_toml.clone(), data(facts, &plan));
    Ok(of_plan(&plan, sweep_toml, data, trials, provenance(reader, facts)?))
}

/// What a plan, its trials and what is known of its data and its run give.
pub fn of_plan(
    plan: &Plan,
    sweep_toml: String,
    data: DatasetMeta,
    trials: Vec<Trial>,
    provenance: Provenance,
) -> Input {
    Input {
        name: plan.name.clone(),
        description: plan.description.clone(),
        sweep_toml,
        data,
        columns: columns(),
        axes: plan.axes.iter().map(axis).collect(),
        metric: metric(plan),
        heatmaps: plan.report.heatmaps.iter().map(heatmap).collect(),
        hypotheses: plan.hypotheses.iter().map(hypothesis).collect(),
        confirm_seeds: plan.confirm_seeds().collect(),
        trials,
        notes_on_copies: plan.dropped(),
        provenance,
    }
}

/// Every hyperparameter, in the order of the result tables.
pub fn columns() -> Vec<Column> {
    let column = |key: &Key| Column { name: key.name.into(), kind: column_kind(key.kind) };
    KEYS.iter().map(column).collect()
}

pub fn metric(plan: &Plan) -> Metric {
    match plan.report.metric {
        sweep::Metric::ValidAccuracy => Metric::ValidAccuracy,
        sweep::Metric::ValidLoss => Metric::ValidLoss,
    }
}

fn data(facts: &SweepMeta, plan: &Plan) -> DatasetMeta {
    let data = &facts.data;
    DatasetMeta {
        name: data.name.clone(),
        digest: hex(&data.digest),
        n_train: plan.split.n_train,
        n_valid: plan.split.n_valid,
        n_test: data.n_test_rows,
        n_inputs: data.n_inputs,
        n_classes: data.n_classes,
        largest_valid_class_share: data.largest_class_share,
        scale: match plan.split.scale {
            Scale::Unit => "unit".into(),
            Scale::Standard => "standard".into(),
        },
        warnings: data.classes.warnings(),
    }
}

/// What the state tells of its runs.
pub fn provenance(reader: &Reader, facts: &SweepMeta) -> Result<Provenance, StoreError> {
    let counts = reader.attempt_counts()?;
    let workers = reader.workers()?.into_iter().map(|worker| WorkerInfo {
        name: worker.name,
        isa: worker.isa,
        cpu: worker.cpu,
        n_slots: worker.n_slots,
    });
    Ok(Provenance {
        command: facts
            .command
            .clone()
            .unwrap_or_else(|| command::coordinator(["--sweep", &facts.sweep_path])),
        report_folder: facts.report_folder.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        numerics_version: trainer::NUMERICS_VERSION,
        wall_s: facts.wall_s + reader.ran_s()?,
        n_attempts: counts.n_attempts,
        n_lost: counts.n_lost,
        n_starts: u32::try_from(facts.term).unwrap_or(u32::MAX),
        workers: workers.collect(),
        n_conflicts: counts.n_conflicts,
    })
}

pub fn axis(axis: &sweep::Axis) -> Axis {
    Axis { name: axis.name.into(), values: axis.values.iter().map(to_report).collect() }
}

fn heatmap(spec: &sweep::HeatmapSpec) -> HeatmapSpec {
    let cell = match spec.cell {
        sweep::Cell::Best => Cell::Best,
        sweep::Cell::Mean => Cell::Mean,
    };
    HeatmapSpec { x: spec.x.into(), y: spec.y.into(), cell }
}

fn hypothesis(hypothesis: &sweep::Hypothesis) -> Hypothesis {
    Hypothesis {
        claim: hypothesis.claim.clone(),
        better: filter(&hypothesis.better),
        than: filter(&hypothesis.than),
        compare: match hypothesis.compare {
            sweep::Compare::Best => Compare::Best,
            sweep::Compare::Matched => Compare::Matched,
        },
        margin: hypothesis.margin,
    }
}

fn filter(filter: &Filter) -> Vec<(String, Vec<Value>)> {
    let condition = |condition: &sweep::Condition| {
        (condition.name.to_string(), condition.values.iter().map(to_report).collect())
    };
    filter.conditions.iter().map(condition).collect()
}

/// A trial of the plan with what is recorded of it.
pub fn trial(plan: &Plan, planned: &sweep::Trial, row: Option<TrialRow>) -> Trial {
    let config = plan.point_config(planned.point as usize, planned.seed);
    let n_attempts = row.as_ref().map_or(0, |row| row.n_attempts);
    let state = match row.map(|row| row.state) {
        None | Some(TrialState::Open) => State::Open,
        Some(TrialState::Cancelled) => State::Cancelled,
        Some(TrialState::Failed { cause }) => State::Failed { cause, n_attempts },
        Some(TrialState::Done { result, timings }) => State::Done(Box::new(done(*result, timings))),
    };
    Trial {
        id: planned.id.to_string(),
        phase: match planned.phase {
            sweep::Phase::Grid => Phase::Grid,
            sweep::Phase::Confirm => Phase::Confirm,
        },
        values: KEYS.iter().map(|key| config.value(key.name).as_ref().map(to_report)).collect(),
        seed: planned.seed,
        state,
    }
}

fn done(result: TrialResult, timings: Vec<Timing>) -> Done {
    let work = result.work;
    Done {
        ending: match result.ending {
            trainer::Ending::Completed { best_epoch, test_accuracy, collapsed } => {
                Ending::Completed { best_epoch, test_accuracy, collapsed }
            }
            trainer::Ending::Diverged { step, last_finite_loss } => {
                Ending::Diverged { step, last_finite_loss }
            }
        },
        history: result.history.into_iter().map(epoch).collect(),
        work: Work {
            n_steps: work.n_steps,
            grad_samples: work.grad_samples,
            probe_samples: work.probe_samples,
            macs_textbook: work.macs_textbook,
            macs_executed: work.macs_executed,
            backtracks: work.backtracks.map(|b| (b.mean, b.p95, b.max)),
            steps_without_step: work.steps_without_step,
        },
        digest: hex(&result.digest),
        timings: timings.into_iter().map(timing).collect(),
    }
}

fn epoch(record: EpochRecord) -> Epoch {
    Epoch {
        epoch: record.epoch,
        train_loss: record.train_loss,
        train_accuracy: record.train_accuracy,
        valid_loss: record.valid_loss,
        valid_accuracy: record.valid_accuracy,
        learning_rate: record.learning_rate,
        steps: record.steps.map(|steps| (steps.min, steps.median, steps.max)),
        n_backtracks: record.n_backtracks,
        gradient_norm: record.gradient_norm,
        grad_samples: record.grad_samples,
        probe_samples: record.probe_samples,
    }
}

fn timing(timing: Timing) -> report::input::Timing {
    report::input::Timing {
        epoch: timing.epoch,
        wall_s: timing.wall_s,
        cpu_s: timing.cpu_s,
        worker: timing.worker,
        isa: timing.isa,
        attempt: timing.attempt,
        slots_in_use: timing.n_slots_in_use,
    }
}

/// What a report tells of a trial as the result that it was made from. The error says what of it
/// cannot be one.
pub fn result(done: &Done) -> Result<TrialResult, Breach> {
    let Ok(TrialId(digest)) = done.digest.parse() else {
        let (field, found) = ("digest".into(), format!("{:?}", done.digest));
        return Err(Breach { field, found, expected: "64 hex digits".into() });
    };
    let work = &done.work;
    let backtracks = |(mean, p95, max)| trainer::Backtracks { mean, p95, max };
    Ok(TrialResult {
        ending: match done.ending {
            Ending::Completed { best_epoch, test_accuracy, collapsed } => {
                trainer::Ending::Completed { best_epoch, test_accuracy, collapsed }
            }
            Ending::Diverged { step, last_finite_loss } => {
                trainer::Ending::Diverged { step, last_finite_loss }
            }
        },
        history: done.history.iter().map(epoch_record).collect(),
        work: trainer::Work {
            n_steps: work.n_steps,
            grad_samples: work.grad_samples,
            probe_samples: work.probe_samples,
            macs_textbook: work.macs_textbook,
            macs_executed: work.macs_executed,
            backtracks: work.backtracks.map(backtracks),
            steps_without_step: work.steps_without_step,
        },
        digest,
    })
}

fn epoch_record(epoch: &Epoch) -> EpochRecord {
    let steps = |(min, median, max)| trainer::StepSizes { min, median, max };
    EpochRecord {
        epoch: epoch.epoch,
        train_loss: epoch.train_loss,
        train_accuracy: epoch.train_accuracy,
        valid_loss: epoch.valid_loss,
        valid_accuracy: epoch.valid_accuracy,
        learning_rate: epoch.learning_rate,
        steps: epoch.steps.map(steps),
        n_backtracks: epoch.n_backtracks,
        gradient_norm: epoch.gradient_norm,
        grad_samples: epoch.grad_samples,
        probe_samples: epoch.probe_samples,
    }
}

/// The times that a report tells of a trial.
pub fn timings(done: &Done) -> Vec<Timing> {
    let timing = |it: &report::input::Timing| Timing {
        epoch: it.epoch,
        wall_s: it.wall_s,
        cpu_s: it.cpu_s,
        worker: it.worker.clone(),
        isa: it.isa.clone(),
        attempt: it.attempt,
        n_slots_in_use: it.slots_in_use,
    };
    done.timings.iter().map(timing).collect()
}
