//! Opening a run: the state that fits its plan, and what it holds.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::anyhow;
use coordinator_core::ledger::Ledger;
use report::command;
use sweep::{self, Plan};
use trial::wording::{n_of, n_of_n};

use crate::cli::DEFAULT_OUT;
use crate::cli::refusal::Refusal;
use crate::cli::run_config::{FormerState, RunConfig};
use crate::dataset;
use crate::run::confirm::Confirm;
use crate::run::prepare::Planned;
use crate::store::connection::Store;
use crate::store::meta::{Data, SweepMeta};
use crate::store::{Recorded, StateFolder};
use crate::view::troubles;

/// A run that may begin: its plan, the data, and a state that is open and fits them.
pub struct Opened {
    pub plan: Arc<Plan>,
    /// The data set's canonical bytes.
    pub blob: Arc<[u8]>,
    pub folder: StateFolder,
    pub store: Store,
    pub facts: SweepMeta,
    pub confirm: Confirm,
    pub recorded: Recorded,
    /// Sentences on what the state holds, for people.
    pub news: Vec<String>,
}

/// Opens the state, and adds to the plan the confirm trials that follow what it holds.
pub fn open(run: &RunConfig, mut planned: Planned) -> Result<Opened, Refusal> {
    let path = run.state_folder(&planned.plan.name);
    let mut news = Vec::new();
    let folder = open_folder(run, &path, &mut news)?;
    let mut store = Store::open(&folder.database(), (run.interface.measures)())?;
    let former = SweepMeta::of_store(&store)?;
    let facts = next_facts(former.as_ref(), run, &planned)?;
    news.extend(facts.data.classes.warnings().iter().map(|text| format!("warning: {text}")));
    news.extend(planned.kept.iter().map(|problem| {
        let sweep::Problem { message, label, .. } = problem;
        format!("warning: {message} ({label}); it stays, since the sweep was begun with it")
    }));
    news.extend(planned.plan.dropped().iter().map(|text| format!("dropped: {text}")));
    let confirm = Confirm {
        database: folder.database(),
        chance: facts.data.chance(),
        retry_failed: run.retry_failed,
        audit_share: run.audit_share,
    };
    confirm.extend(&mut planned.plan)?;
    let recorded = store.load(&planned.plan)?;
    check_same_sweep(former.as_ref(), &recorded, &planned)?;
    news.extend(describe(run, former.as_ref(), &recorded, &planned.plan));
    faults::point("coordinator.term.before");
    facts.begin(&mut store)?;
    faults::point("coordinator.term.saved");
    store.close_attempts(&recorded.outside.open)?;
    let (plan, blob) = (Arc::new(planned.plan), planned.loaded.blob);
    Ok(Opened { plan, blob, folder, store, facts, confirm, recorded, news })
}

/// The state's folder; with `--fresh` the former one is set aside first.
fn open_folder(
    run: &RunConfig,
    path: &Path,
    news: &mut Vec<String>,
) -> Result<StateFolder, Refusal> {
    let folder = StateFolder::open(path, run.allow_network_state)?;
    troubles::forget(folder.path());
    let is_confirmed = match run.former_state {
        FormerState::SetAside { is_confirmed } if folder.is_used() => is_confirmed,
        _ => return Ok(folder),
    };
    if !is_confirmed {
        ask_to_set_aside(folder.path())?;
    }
    let aside = folder.set_aside()?;
    news.push(format!("the former state lies in {}", aside.display()));
    Ok(StateFolder::open(path, run.allow_network_state)?)
}

fn ask_to_set_aside(state: &Path) -> Result<(), Refusal> {
    if !io::stdin().is_terminal() {
        let text =
            format!("--fresh sets {} aside; add --yes to say that you mean it", state.display());
        return Err(Refusal::Usage(text));
    }
    eprint!("set the recorded state {} aside and start anew? [y/N] ", state.display());
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Refusal::Usage("nothing was started".into())),
    }
}

/// A state of which not one trial fits is most likely another sweep of the same name.
fn check_same_sweep(
    former: Option<&SweepMeta>,
    recorded: &Recorded,
    planned: &Planned,
) -> Result<(), Refusal> {
    let n_kept = n_recorded(&recorded.ledger);
    let n_outside = recorded.outside.n_recorded;
    // Another numerics version changes every trial's id: all of them run again, as they should.
    let is_same_numerics =
        former.is_some_and(|it| it.numerics_version == trainer::NUMERICS_VERSION);
    if !is_same_numerics || n_kept != 0 || n_outside == 0 {
        return Ok(());
    }
    let other_split = former.and_then(|former| describe_split(former, planned)).unwrap_or_default();
    Err(Refusal::Usage(format!(
        "the state of the sweep `{}` holds {}, and nothing of it is in this file; \
         {other_split}give this sweep another `name`, or set the former state aside with --fresh",
        planned.plan.name,
        n_of(n_outside, "recorded trial")
    )))
}

/// What to write for the split of the recorded trials, where the file leaves it to a default that
/// has changed.
fn describe_split(former: &SweepMeta, planned: &Planned) -> Option<String> {
    let file = sweep::parse(&planned.text, planned.plan.interface).ok()?;
    let facts = &dataset::facts(&planned.loaded);
    let (n_rows, n_valid) = (facts.n_train_rows, former.data.n_valid());
    let is_same_data = former.data.digest() == planned.loaded.digest;
    if file.has_split() || !is_same_data || n_valid == planned.plan.split.n_valid {
        return None;
    }
    let n_train = n_rows.checked_sub(n_valid)?;
    Some(format!(
        "they validated on {n_valid} of its {n_rows} training rows, and this build by default on {}: \
         to go on with them write `train = {n_train}` and `valid = {n_valid}` under [dataset]; or else ",
        planned.plan.split.n_valid
    ))
}

fn describe(
    run: &RunConfig,
    former: Option<&SweepMeta>,
    recorded: &Recorded,
    plan: &Plan,
) -> Vec<String> {
    let Some(former) = former else { return Vec::new() };
    let n_kept = n_recorded(&recorded.ledger);
    let n_trials = plan.trials.len();
    let (n_failed, n_cancelled) = n_again(&recorded.ledger, run.retry_failed);
    let mut news = Vec::new();
    if former.numerics_version != trainer::NUMERICS_VERSION {
        news.push(format!(
            "recorded by numerics version {}, this build trains by version {}: every trial runs again",
            former.numerics_version,
            trainer::NUMERICS_VERSION
        ));
    }
    if 0 < n_kept {
        news.push(format!(
            "resuming: {} recorded, {} to run{}",
            n_of_n(n_kept, n_trials, "trial"),
            n_trials - n_kept + n_failed + n_cancelled,
            match (n_failed, n_cancelled) {
                (0, 0) => String::new(),
                (n_failed, 0) => format!(", {n_failed} of them failed before"),
                (0, n_cancelled) => format!(", {n_cancelled} of them cancelled before"),
                _ => format!(", {n_failed} of them failed and {n_cancelled} cancelled before"),
            }
        ));
    }
    // They count again if their point is still the best when the grid is done.
    let is_undecided = 0 < plan.n_confirm_seeds && plan.trials.len() == plan.grid().len();
    let n_undecided = if is_undecided { recorded.outside.n_confirm } else { 0 };
    if 0 < n_undecided {
        news.push(format!(
            "waiting for the grid to be done, which may choose other points: {}",
            n_of(n_undecided, "recorded confirm trial")
        ));
    }
    let n_outside = recorded.outside.n_recorded - n_undecided;
    if 0 < n_outside {
        news.push(format!(
            "outside the sweep file, kept in the state and left out of the report: {}",
            n_of(n_outside, "recorded trial")
        ));
    }
    news
}

/// Failed and cancelled trials that run again.
fn n_again(ledger: &Ledger, failed_too: bool) -> (usize, usize) {
    use coordinator_core::ledger::trial::Status;
    let n_with = |status| ledger.trials.iter().filter(|trial| trial.status == status).count();
    let n_failed = if failed_too { n_with(Status::Failed) } else { 0 };
    (n_failed, n_with(Status::Cancelled))
}

fn n_recorded(ledger: &Ledger) -> usize {
    ledger.trials.iter().filter(|trial| trial.status.is_terminal()).count()
}

fn next_facts(
    former: Option<&SweepMeta>,
    run: &RunConfig,
    planned: &Planned,
) -> Result<SweepMeta, Refusal> {
    let mut fresh_id = [0; 16];
    getrandom::fill(&mut fresh_id).map_err(|error| anyhow!("no random numbers: {error}"))?;
    let (state_id, term, wall_s) =
        former.map_or((fresh_id, 0, 0.0), |former| (former.state_id, former.term, former.wall_s));
    Ok(SweepMeta {
        sweep_toml: planned.text.clone(),
        sweep_path: run.sweep.display().to_string(),
        sweep_folder: folder_of(&run.sweep),
        command: Some(command::coordinator(repeating(run))),
        report_folder: Some(command::quoted(command::path(&run.report_folder(&planned.plan.name)))),
        state_id,
        term: term + 1,
        numerics_version: trainer::NUMERICS_VERSION,
        wall_s,
        data: Data::of(&planned.loaded, &planned.plan),
    })
}

/// As an absolute path that leads there from everywhere.
fn folder_of(file: &Path) -> Option<String> {
    let file = file.canonicalize().ok()?;
    Some(file.parent()?.to_str()?.to_owned())
}

/// The arguments that say what a sweep is and where its files go; the others decide neither.
fn repeating(run: &RunConfig) -> Vec<OsString> {
    let mut words = vec!["--sweep".into(), command::path(&run.sweep)];
    if run.out != Path::new(DEFAULT_OUT) {
        words.extend(["--out".into(), command::path(&run.out)]);
    }
    if let Some(state) = &run.state {
        words.extend(["--state".into(), command::path(state)]);
    }
    if run.allow_network_state {
        words.push("--allow-network-state".into());
    }
    words
}

#[cfg(test)]
mod tests;
