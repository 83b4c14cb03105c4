//! Everything that can be wrong is found here, before anything starts: the sweep file, its data,
//! the state folder and the address.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use coordinator_core::event::{Action, Record};
use coordinator_core::lease::TrialIndex;
use coordinator_core::ledger::Ledger;
use coordinator_core::sweep::{self, DatasetFacts, Draft, Plan, SweepFile};
use report::command;
use trainer::Isa;
use trainer::wording::{n_of, n_of_n};
use worker::faults;

use crate::confirm::Confirm;
use crate::datasets::{self, LoadedDataset};
use crate::diagnostics::SweepText;
use crate::facts::{Data, Facts};
use crate::progress::Misplaced;
use crate::store::{Recorded, StateFolder, Store, database_in};
use crate::{cli, troubles};

/// Why a run cannot start.
#[derive(Debug)]
pub enum Refusal {
    /// Exit code 2: the user's words are off.
    Usage(String),
    /// Exit code 2: the sweep file is off. Already printed.
    SweepFile { path: PathBuf, problems: Vec<Misplaced> },
    /// Exit code 1.
    Runtime(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Runtime(error.into())
    }
}

/// A sweep file that was read, with its data and its plan.
pub struct Planned {
    pub text: String,
    pub loaded: LoadedDataset,
    pub plan: Plan,
    /// What is refused in a new sweep, and goes on in one that was begun with it.
    pub kept: Vec<sweep::Problem>,
}

/// Reads and expands a sweep file; its problems are printed.
pub fn plan_file(path: &Path) -> Result<Planned, Refusal> {
    plan_file_by(path, sweep::plan, |file, folder| {
        datasets::load(&file.dataset, folder)
            .map_err(|error| Missing::Problem(error.into_problem(file.dataset_span.clone())))
    })
}

/// The same for a sweep that is to run. Some keys that do nothing are part of a trial's id, so that a
/// sweep which a former build began with them could not go on without: what the recorded file has as
/// well is told and kept.
pub fn plan_run(run: &cli::Run) -> Result<Planned, Refusal> {
    let kept = RefCell::new(Vec::new());
    let plan = |file: &SweepFile, facts: &DatasetFacts| {
        sweep::plan(file, facts).or_else(|problems| {
            let plan = plan_as_begun(run, file, facts, &problems).ok_or(problems.clone())?;
            kept.replace(problems);
            Ok(plan)
        })
    };
    let mut planned = plan_file_by(&run.sweep, plan, |file, folder| {
        datasets::load(&file.dataset, folder)
            .map_err(|error| Missing::Problem(error.into_problem(file.dataset_span.clone())))
    })?;
    planned.kept = kept.into_inner();
    Ok(planned)
}

/// The plan of a sweep that was begun with every one of these problems; `None` if it was not.
fn plan_as_begun(
    run: &cli::Run,
    file: &SweepFile,
    facts: &DatasetFacts,
    problems: &[sweep::Problem],
) -> Option<Plan> {
    if run.fresh {
        return None;
    }
    let state = state_of(run, &file.name);
    let former = Facts::of_any_schema(&database_in(&state))?;
    let begun = sweep::parse(&former.sweep_toml).ok()?;
    let had = sweep::plan(&begun, facts).err()?;
    let is_old = |problem: &sweep::Problem| {
        had.iter().any(|it| (&it.message, &it.label) == (&problem.message, &problem.label))
    };
    if !problems.iter().all(is_old) {
        return None;
    }
    sweep::plan_recorded(file, facts, former.data.n_valid()).ok()
}

fn state_of(run: &cli::Run, name: &str) -> PathBuf {
    run.state.clone().unwrap_or_else(|| run.out.join(name).join(".state"))
}

/// The same for the file of a report, of which `n_valid` rows validated, with the data that `load`
/// gives; it gets the file and its folder.
pub fn plan_recorded_file(
    path: &Path,
    n_valid: u32,
    load: impl FnOnce(&SweepFile, &Path) -> Result<LoadedDataset, Missing>,
) -> Result<Planned, Refusal> {
    let plan = |file: &SweepFile, facts: &DatasetFacts| sweep::plan_recorded(file, facts, n_valid);
    plan_file_by(path, plan, load)
}

fn plan_file_by(
    path: &Path,
    plan: impl Fn(&SweepFile, &DatasetFacts) -> Result<Plan, Vec<sweep::Problem>>,
    load: impl FnOnce(&SweepFile, &Path) -> Result<LoadedDataset, Missing>,
) -> Result<Planned, Refusal> {
    let source = SweepText::read(path).map_err(Refusal::Usage)?;
    let refuse = |problems: Vec<sweep::Problem>| {
        source.print(&problems);
        Refusal::SweepFile { path: path.to_owned(), problems: source.placed(&problems) }
    };
    let Draft { file, mut problems } = sweep::draft(&source.text);
    let Some(file) = file else { return Err(refuse(problems)) };
    let planned = match load(&file, source.folder()) {
        Ok(loaded) => plan(&file, &loaded.facts).map(|plan| (loaded, plan)),
        // What is wrong with the file beside is told all the same.
        Err(Missing::Problem(problem)) => {
            let mut problems = sweep::check_without_data(&file);
            problems.push(problem);
            Err(problems)
        }
        Err(Missing::Error(error)) => return Err(error.into()),
    };
    match planned {
        Ok((loaded, plan)) if problems.is_empty() => {
            return Ok(Planned { text: source.text, loaded, plan, kept: Vec::new() });
        }
        Ok(_) => {}
        Err(more) => problems.extend(more),
    }
    sweep::sort_by_place(&mut problems);
    Err(refuse(problems))
}

/// Why there is no data.
pub enum Missing {
    /// The sweep file is to be changed.
    Problem(sweep::Problem),
    Error(anyhow::Error),
}

/// The instruction set to train with; a `SWEEP_ISA` that cannot be had is wrong usage.
pub fn choose_isa() -> Result<Isa, Refusal> {
    let forced = std::env::var_os("SWEEP_ISA").filter(|value| !value.is_empty());
    let forced = forced.as_ref().map(|value| value.to_string_lossy());
    Isa::choose(forced.as_deref()).map_err(|error| Refusal::Usage(format!("SWEEP_ISA: {error}")))
}

/// A state that is open and fits the plan.
pub struct Opened {
    pub folder: StateFolder,
    pub store: Store,
    pub facts: Facts,
    pub confirm: Confirm,
    pub recorded: Recorded,
    /// Sentences on what the state holds, for people.
    pub news: Vec<String>,
}

/// Opens the state, and adds to the plan the confirm trials that follow what it holds.
pub fn open_state(run: &cli::Run, planned: &mut Planned) -> Result<Opened, Refusal> {
    let path = state_of(run, &planned.plan.name);
    let mut folder = StateFolder::open(&path, run.allow_network_state)?;
    troubles::forget(folder.path());
    let mut news = Vec::new();
    if run.fresh && folder.database().exists() {
        confirm_fresh(run, folder.path())?;
        let aside = folder.set_aside()?;
        news.push(format!("the former state lies in {}", aside.display()));
        folder = StateFolder::open(&path, run.allow_network_state)?;
    }
    let mut store = Store::open(&folder.database())?;
    let former = Facts::of_store(&store)?;
    let facts = next_facts(former.as_ref(), run, planned)?;
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
        audit_share: run.audit,
    };
    confirm.extend(&mut planned.plan)?;
    let recorded = store.load(&planned.plan)?;
    check_same_sweep(former.as_ref(), &recorded, planned)?;
    news.extend(describe(run, former.as_ref(), &recorded, &planned.plan));
    faults::point("coordinator.term.before");
    facts.begin(&mut store)?;
    faults::point("coordinator.term.saved");
    store.close_attempts(&recorded.outside.open)?;
    Ok(Opened { folder, store, facts, confirm, recorded, news })
}

fn confirm_fresh(run: &cli::Run, state: &Path) -> Result<(), Refusal> {
    if run.yes {
        return Ok(());
    }
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
    former: Option<&Facts>,
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
fn describe_split(former: &Facts, planned: &Planned) -> Option<String> {
    let file = sweep::parse(&planned.text).ok()?;
    let facts = &planned.loaded.facts;
    let (n_rows, n_valid) = (facts.n_train_rows, former.data.n_valid());
    let is_same_data = former.data.digest == planned.loaded.digest;
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
    run: &cli::Run,
    former: Option<&Facts>,
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
    use coordinator_core::trial::Status;
    let n_with = |status| ledger.trials.iter().filter(|trial| trial.status == status).count();
    let n_failed = if failed_too { n_with(Status::Failed) } else { 0 };
    (n_failed, n_with(Status::Cancelled))
}

fn n_recorded(ledger: &Ledger) -> usize {
    ledger.trials.iter().filter(|trial| trial.status.is_terminal()).count()
}

fn next_facts(former: Option<&Facts>, run: &cli::Run, planned: &Planned) -> Result<Facts, Refusal> {
    let mut fresh_id = [0; 16];
    getrandom::fill(&mut fresh_id).map_err(|error| anyhow!("no random numbers: {error}"))?;
    let (state_id, term, wall_s) =
        former.map_or((fresh_id, 0, 0.0), |former| (former.state_id, former.term, former.wall_s));
    Ok(Facts {
        sweep_toml: planned.text.clone(),
        sweep_path: run.sweep.display().to_string(),
        sweep_folder: folder_of(&run.sweep),
        command: Some(command::coordinator(repeating(run))),
        report_folder: Some(command::quoted(command::path(&run.out.join(&planned.plan.name)))),
        state_id,
        term: if faults::planted("bug.term_not_bumped") { term.max(1) } else { term + 1 },
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
fn repeating(run: &cli::Run) -> Vec<OsString> {
    let mut words = vec!["--sweep".into(), command::path(&run.sweep)];
    if run.out != Path::new(cli::DEFAULT_OUT) {
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

/// Failed and cancelled trials from the place `first` on that are to run again, before the core
/// takes them up.
pub fn reopen(ledger: &mut Ledger, first: usize, failed_too: bool) -> Vec<Action> {
    use coordinator_core::trial::Status;
    let again = |status| status == Status::Cancelled || (failed_too && status == Status::Failed);
    let mut out = Vec::new();
    for index in first..ledger.trials.len() {
        if again(ledger.trials[index].status) {
            let trial = TrialIndex(u32::try_from(index).expect("plans are below 2^32 trials"));
            let record = Record::Reopened { trial };
            ledger.book(&record);
            out.push(Action::Persist(record));
        }
    }
    out
}

/// Binds the address that workers connect to.
pub fn bind(address: SocketAddr) -> Result<std::net::TcpListener, Refusal> {
    let listener = std::net::TcpListener::bind(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => anyhow!(
            "{address} is in use, perhaps by another sweep; choose another with --listen, such as --listen {}:0 for any free port",
            address.ip()
        ),
        _ => anyhow!(error).context(format!("cannot listen on {address}")),
    })?;
    listener.set_nonblocking(true).context("cannot prepare the listener")?;
    Ok(listener)
}

#[cfg(test)]
mod tests;
