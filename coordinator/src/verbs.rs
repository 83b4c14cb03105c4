//! The verbs beside a run: `plan`, `schema`, `report`, `status`, and the hidden ones that local
//! workers and reports are started with.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::bail;
use trainer::Ending;

use crate::{
    cli,
    facts::Facts,
    prepare::{self, Refusal},
    publish::publish,
    store::{Reader, StateFolder, StoreError, TrialState, database_in},
    terminal::{self, Status, WorkerSeen},
    values::label,
};

pub fn plan(arguments: &cli::Plan) -> Result<(), Refusal> {
    let planned = prepare::plan_file(&arguments.file)?;
    say(&terminal::plan(&planned.plan, worker::usable_cores()))?;
    Ok(())
}

pub fn schema() -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(&coordinator_core::sweep::schema())?;
    say(&format!("{text}\n"))
}

/// Builds the report of a recorded sweep again; while a coordinator runs, only `partial/`.
pub fn report(arguments: &cli::ReportFolder) -> anyhow::Result<()> {
    let state = state_of(arguments)?;
    let is_running = StateFolder::is_in_use(&state);
    let published = publish(&state, &arguments.folder, is_running)?;
    let mut text = String::new();
    if !published.complete {
        text += "the sweep is incomplete, and so is its report\n";
    }
    text += &format!("report: {}\n", published.report.display());
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
    let published = publish(&arguments.state, &arguments.out, arguments.partial)?;
    say(&serde_json::to_string(&published)?)
}

pub fn local_worker(arguments: cli::LocalWorker) -> ExitCode {
    worker::run_to_exit_code(worker::Config {
        coordinator: arguments.coordinator,
        n_slots: arguments.slots,
        name: arguments.name,
        cache_dir: arguments.cache_dir,
        stay: false,
        lost_after: Duration::from_secs(30 * 60),
        checkpoint_every: worker::CHECKPOINT_EVERY,
        pin: !arguments.no_pin,
        local_index: Some(arguments.local_index),
        exit_on_stdin_eof: true,
    })
}

pub fn status(arguments: &cli::ReportFolder) -> anyhow::Result<()> {
    let state = state_of(arguments)?;
    let reader = Reader::open(&database_in(&state))?;
    let facts = Facts::needed(&reader, &state)?;
    let plan = facts.plan(&reader)?;
    let mut rows = reader.trials()?;
    let counts = reader.attempt_counts()?;
    let mut status = Status {
        name: plan.name.clone(),
        is_running: StateFolder::is_in_use(&state),
        state,
        n_trials: plan.trials.len(),
        n_running: usize::try_from(counts.n_running)?,
        n_attempts: usize::try_from(counts.n_attempts)?,
        n_lost: usize::try_from(counts.n_lost)?,
        ran_s: facts.wall_s + reader.ran_s()?,
        n_starts: facts.term,
        workers: workers_seen(&reader)?,
        ..Status::default()
    };
    for (index, trial) in plan.trials.iter().enumerate() {
        match rows.remove(&trial.id.0).map(|row| row.state) {
            None | Some(TrialState::Open) => {}
            Some(TrialState::Cancelled) => status.n_cancelled += 1,
            Some(TrialState::Failed { cause }) => {
                status.n_failed += 1;
                status.failures.push((trial.id.to_string(), cause));
            }
            Some(TrialState::Done { result, .. }) => match result.ending {
                Ending::Diverged { .. } => status.n_diverged += 1,
                Ending::Completed { best_epoch, .. } => {
                    status.n_completed += 1;
                    let epoch = result.history.iter().find(|epoch| epoch.epoch == best_epoch);
                    let accuracy = epoch.map_or(0.0, |epoch| epoch.valid_accuracy);
                    if status.best.as_ref().is_none_or(|(best, _)| *best < accuracy) {
                        status.best = Some((accuracy, label(&plan, &plan.config(index))));
                    }
                }
            },
        }
    }
    status.n_outside = rows.values().filter(|row| !matches!(row.state, TrialState::Open)).count();
    say(&status.to_string())
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

fn state_of(arguments: &cli::ReportFolder) -> anyhow::Result<PathBuf> {
    let state = arguments.state.clone().unwrap_or_else(|| arguments.folder.join(".state"));
    if !database_in(&state).exists() {
        if StateFolder::is_in_use(&state) {
            return Err(StoreError::Unmade { path: database_in(&state) }.into());
        }
        bail!(
            "{}: no recorded state; expected the folder of a sweep that ran on this machine (or give its state with --state)",
            state.display()
        );
    }
    Ok(state)
}

/// To stdout; a reader that went away is no error.
pub fn say(text: &str) -> anyhow::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
