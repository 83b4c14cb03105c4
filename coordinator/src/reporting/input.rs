//! A state's plan and records to what the report is made from; the only file that knows both.

use std::sync::Arc;

use report::command;
use report::input::{
    DatasetMeta, Done, Failure, Input, Layout, Provenance, State, Trial, WorkerInfo,
};
use sweep::Plan;
use trial::{Measure, Timing, TrialResult};

use crate::store::error::StoreError;
use crate::store::meta::SweepMeta;
use crate::store::{Reader, TrialRow, TrialState};

/// Everything that the state knows, at one moment.
pub fn input(reader: &Reader, facts: &SweepMeta) -> Result<Input, StoreError> {
    let plan = facts.plan(reader)?;
    let mut rows = reader.trials()?;
    let planned = plan.table_order().into_iter();
    let trials = planned.map(|it| trial(&plan, it, rows.remove(&it.id))).collect();
    let (sweep_toml, data) = (facts.sweep_toml.clone(), data(facts, &plan));
    let layout = layout(reader.measures());
    Ok(of_plan(&plan, layout, sweep_toml, data, trials, provenance(reader, facts)?))
}

/// What a plan, its trials and what is known of its data and its run give.
pub fn of_plan(
    plan: &Plan,
    layout: Layout,
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
        layout,
        axes: plan.axes.clone(),
        metric: plan.report.metric,
        heatmaps: plan.report.heatmaps.clone(),
        hypotheses: plan.hypotheses.clone(),
        confirm_seeds: plan.confirm_seeds().collect(),
        trials,
        notes_on_copies: plan.dropped(),
        provenance,
    }
}

/// Every hyperparameter and these measures, in the order of the tables.
pub fn layout(measures: &Arc<[Measure]>) -> Layout {
    Layout {
        parameters: trainer::interface().parameters.to_vec(),
        measures: measures.clone(),
        is_told: measures != trainer::untold_measures(),
    }
}

fn data(facts: &SweepMeta, plan: &Plan) -> DatasetMeta {
    let data = &facts.data;
    DatasetMeta {
        name: data.name.clone(),
        digest: data.digest(),
        n_train: plan.split.n_train,
        n_valid: plan.split.n_valid,
        n_test: data.n_test_rows,
        n_inputs: data.n_inputs,
        n_classes: data.n_classes,
        largest_valid_class_share: data.largest_class_share,
        scale: plan.split.scale,
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

/// A trial of the plan with what is recorded of it.
pub fn trial(plan: &Plan, planned: &sweep::Trial, row: Option<TrialRow>) -> Trial {
    let n_attempts = row.as_ref().map_or(0, |row| row.n_attempts);
    let state = match row.map(|row| row.state) {
        None | Some(TrialState::Open) => State::Open,
        Some(TrialState::Cancelled) => State::Cancelled,
        Some(TrialState::Failed { cause }) => State::Failed(Some(Failure { cause, n_attempts })),
        Some(TrialState::Done { result, timings }) => State::Done(Box::new(done(*result, timings))),
    };
    Trial {
        id: planned.id,
        phase: planned.phase,
        values: plan.values(planned.point as usize),
        seed: planned.seed,
        state,
    }
}

fn done(result: TrialResult, timings: Vec<Timing>) -> Done {
    let TrialResult { ending, history, work, digest } = result;
    Done { ending, history, work, digest, timings }
}

/// What a report tells of a trial as the result that it was made from.
pub fn result(done: &Done) -> TrialResult {
    let Done { ending, history, work, digest, .. } = done;
    TrialResult { ending: *ending, history: history.clone(), work: *work, digest: *digest }
}
