//! The verbs beside a run: `plan`, `schema`, `report`, `status`, and the hidden ones that local
//! workers and reports are started with.

pub mod bench;
pub mod export;
pub mod replay;
pub mod verify;
pub mod weights;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use data::ClassCounts;
use sweep::{Plan, Score};
use trial::Ending;

use crate::cli;
use crate::cli::refusal::Refusal;
use crate::placement::memory;
use crate::reporting::limits::Limits;
use crate::reporting::publish::publish;
use crate::reporting::values::label;
use crate::run::prepare;
use crate::store::error::StoreError;
use crate::store::meta::SweepMeta;
use crate::store::{OpenAttempt, Reader, StateFolder, TrialState, database_in, recorded_in};
use crate::view::Eta;
use crate::view::stdout::say;
use crate::view::terminal::{self, Status, WorkerSeen};
use crate::view::troubles::{Trouble, told_in};

pub fn plan(arguments: &cli::Plan) -> Result<(), Refusal> {
    let planned = prepare::plan_file(&arguments.file)?;
    let machine =
        terminal::Machine { n_slots: worker::usable_cores(), memory_bytes: memory::of_machine() };
    let classes = ClassCounts::of(&planned.loaded.dataset, planned.plan.split);
    say(&terminal::plan(&planned.plan, &machine, &classes.warnings()))?;
    Ok(())
}

pub fn schema() -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(&sweep::schema(trainer::interface()))?;
    say(&format!("{text}\n"))
}

/// Builds the report of a recorded sweep again; while a coordinator runs, only `partial/`.
pub fn report(arguments: &cli::FolderArgs) -> anyhow::Result<()> {
    let state = state_of(arguments)?;
    let is_running = StateFolder::is_in_use(&state);
    Limits::of(&state).enforce()?;
    let published = publish(&state, &arguments.folder, is_running)?;
    let mut text = String::new();
    if !published.complete {
        text += "the sweep is incomplete, and so is its report\n";
    }
    text += &format!("report: {}\n", published.report.display());
    let page = published.report.with_extension("html");
    if page.exists() {
        text += &format!("as one page for a browser: {}\n", page.display());
    }
    if let Some(digest) = published.results_sha256 {
        text += &format!("results sha256: {digest}\n");
    }
    say(&text)
}

/// How far a partial report stands back behind what trains and coordinates.
const PARTIAL_NICENESS: i32 = 10;

pub fn build_report(arguments: &cli::BuildReport) -> anyhow::Result<()> {
    if arguments.partial {
        // It is in no hurry, and the sweep is. Where that cannot be said, it is built all the same.
        let _ = rustix::process::nice(PARTIAL_NICENESS);
    }
    Limits::of(&arguments.state).enforce()?;
    let published = publish(&arguments.state, &arguments.out, arguments.partial)?;
    say(&serde_json::to_string(&published)?)
}

pub fn local_worker(arguments: cli::LocalWorker) -> ExitCode {
    worker::run_to_exit_code(worker::Config {
        coordinator: arguments.coordinator,
        n_slots: arguments.slots,
        name: arguments.name,
        cache_dir: arguments.cache_dir,
        // Its coordinator is this machine's own and has read the data set itself.
        disk_limits: worker::DiskLimits {
            max_dataset_bytes: u64::MAX,
            ..worker::DiskLimits::default()
        },
        stay: false,
        lost_after: Duration::from_secs(30 * 60),
        checkpoint_every: worker::CHECKPOINT_EVERY,
        pin: !arguments.no_pin,
        local_index: Some(arguments.local_index),
        exit_on_stdin_eof: true,
    })
}

/// Told by a coordinator that runs; what one that was killed has left behind is history.
fn troubles(state: &Path) -> Vec<String> {
    if !StateFolder::is_in_use(state) {
        return Vec::new();
    }
    told_in(state).iter().map(Trouble::line).collect()
}

pub fn status(arguments: &cli::FolderArgs) -> anyhow::Result<()> {
    let state = state_of(arguments)?;
    let reader = Reader::open(&database_in(&state))?;
    let facts = SweepMeta::needed(&reader, &state)?;
    let plan = facts.plan(&reader)?;
    let mut rows = reader.trials()?;
    let counts = reader.attempt_counts()?;
    let is_running = StateFolder::is_in_use(&state);
    let unrecorded_s = if is_running { reader.unrecorded_s()? } else { 0.0 };
    // What a coordinator that was killed had granted waits for the next one.
    let open = if is_running { reader.open_attempts()? } else { Vec::new() };
    let (granted, n_ahead) = granted(&plan, &open);
    let mut status = Status {
        name: plan.name.clone(),
        is_running,
        troubles: troubles(&state),
        state,
        n_trials: plan.trials.len(),
        n_running: n_running(&plan, &open),
        granted,
        n_ahead,
        n_attempts: usize::try_from(counts.n_attempts)?,
        n_lost: usize::try_from(counts.n_lost)?,
        n_ended: usize::try_from(counts.n_ended)?,
        ran_s: facts.wall_s + reader.ran_s()? + unrecorded_s,
        n_starts: facts.term,
        workers: workers_seen(&reader)?,
        ..Status::default()
    };
    let mut cost_left = 0.0;
    let mut best: Option<(Score, usize)> = None;
    for (index, trial) in plan.trials.iter().enumerate() {
        let cost = plan.cost_macs(trial.point as usize);
        match rows.remove(&trial.id).map(|row| row.state) {
            None | Some(TrialState::Open) => cost_left += cost,
            Some(TrialState::Cancelled) => status.n_cancelled += 1,
            Some(TrialState::Failed { cause }) => {
                status.n_failed += 1;
                status.failures.push((trial.id.to_string(), cause));
            }
            Some(TrialState::Done { result, .. }) => match result.ending {
                Ending::Diverged { .. } => status.n_diverged += 1,
                Ending::Completed { best_epoch, .. } => {
                    status.n_completed += 1;
                    let best_record = result.history.iter().find(|it| it.epoch == best_epoch);
                    let score = best_record.map(Score::at);
                    let is_better = |score: &Score| {
                        best.is_none_or(|(best, _)| score.is_better(&best, plan.report.metric))
                    };
                    if let Some(score) = score.filter(is_better) {
                        best = Some((score, index));
                    }
                }
            },
        }
    }
    status.best = best.map(|(score, index)| {
        let text = terminal::score_text(plan.report.metric, &score);
        (text, label(&plan, &plan.hyperparameters(index)))
    });
    if status.is_running {
        let slots: BTreeMap<_, _> =
            open.iter().map(|it| (&it.worker_id, it.n_slots as usize)).collect();
        status.eta = pace(&plan, &reader, slots.values().sum())?.estimate(cost_left, []);
    }
    status.n_outside = rows.values().filter(|row| !matches!(row.state, TrialState::Open)).count();
    say(&status.to_string())
}

/// How fast the running coordinator's workers got on lately, by its own clock.
fn pace(plan: &Plan, reader: &Reader, n_slots: usize) -> Result<Eta, StoreError> {
    let costs: HashMap<_, _> =
        plan.trials.iter().map(|it| (it.id, plan.cost_macs(it.point as usize))).collect();
    let lately = reader.done_lately()?;
    let cost = lately.trials.iter().filter_map(|id| costs.get(id)).sum();
    let mut eta = Eta::default();
    eta.learn(cost, lately.seconds, n_slots, n_slots);
    Ok(eta)
}

/// Trials of the plan that are trained for their outcome now, however many attempts at each.
fn n_running(plan: &Plan, open: &[OpenAttempt]) -> usize {
    let running = open.iter().filter(|it| it.is_in_slot && !it.has_outcome);
    let running: HashSet<_> = running.map(|it| it.trial_id).collect();
    plan.trials.iter().filter(|trial| running.contains(&trial.id)).count()
}

/// The attempts at trials of the plan that have a slot: worker, trial id, configuration, attempt. And
/// how many more wait for one at their workers.
fn granted(plan: &Plan, open: &[OpenAttempt]) -> (Vec<[String; 4]>, usize) {
    let places: HashMap<_, _> = plan.trials.iter().zip(0..).map(|(it, at)| (it.id, at)).collect();
    let row = |open: &OpenAttempt, place: usize| {
        let hyperparameters = plan.hyperparameters(place);
        let again = if open.has_outcome { ", to compare" } else { "" };
        let label =
            format!("{} seed {}{again}", label(plan, &hyperparameters), hyperparameters.seed);
        let id = open.trial_id.to_string();
        [open.worker.clone(), id, label, open.attempt.to_string()]
    };
    let known = open.iter().filter_map(|it| Some((it, *places.get(&it.trial_id)?)));
    let (in_slots, ahead): (Vec<_>, Vec<_>) = known.partition(|(it, _)| it.is_in_slot);
    (in_slots.into_iter().map(|(it, place)| row(it, place)).collect(), ahead.len())
}

fn workers_seen(reader: &Reader) -> anyhow::Result<Vec<WorkerSeen>> {
    let seen = reader.workers()?.into_iter().map(|worker| WorkerSeen {
        name: worker.name,
        isa: worker.isa,
        cpu: worker.cpu,
        n_slots: worker.n_slots as usize,
        n_attempts: usize::try_from(worker.n_attempts).unwrap_or(usize::MAX),
    });
    Ok(seen.collect())
}

fn state_of(arguments: &cli::FolderArgs) -> anyhow::Result<PathBuf> {
    let state = arguments.state.clone().unwrap_or_else(|| arguments.folder.join(".state"));
    if recorded_in(&state)?.is_none() {
        bail!(
            "{}: no recorded state; expected the folder of a sweep that ran on this machine (or give its state with --state)",
            state.display()
        );
    }
    Ok(state)
}
