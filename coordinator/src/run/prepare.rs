//! What a run needs before it opens its state: the sweep file with its data and plan, the instruction
//! set and the address.

use std::cell::RefCell;
use std::io::{self};
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, anyhow};
use data::LoadedDataset;
use sweep::{self, DatasetMeta, Draft, Plan, SweepFile};
use trainer::Isa;
use trial::Interface;

use crate::cli::problems::SweepText;
use crate::cli::refusal::Refusal;
use crate::cli::run_config::{FormerState, RunConfig};
use crate::dataset;
use crate::store::database_in;
use crate::store::meta::SweepMeta;

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
    plan_file_by(path, trainer::interface(), sweep::plan, |file, folder| {
        dataset::load(&file.dataset, folder)
            .map_err(|error| Missing::Problem(dataset::problem(error, file.dataset_span.clone())))
    })
}

/// The same for a sweep that is to run. Some keys that do nothing are part of a trial's id, so that a
/// sweep which a former build began with them could not go on without: what the recorded file has as
/// well is told and kept.
pub fn plan_run(run: &RunConfig) -> Result<Planned, Refusal> {
    let kept = RefCell::new(Vec::new());
    let plan = |file: &SweepFile, facts: &DatasetMeta| {
        sweep::plan(file, facts).or_else(|problems| {
            let plan = plan_as_begun(run, file, facts, &problems).ok_or(problems.clone())?;
            kept.replace(problems);
            Ok(plan)
        })
    };
    let mut planned = plan_file_by(&run.sweep, run.interface, plan, |file, folder| {
        dataset::load(&file.dataset, folder)
            .map_err(|error| Missing::Problem(dataset::problem(error, file.dataset_span.clone())))
    })?;
    planned.kept = kept.into_inner();
    Ok(planned)
}

/// The plan of a sweep that was begun with every one of these problems; `None` if it was not.
fn plan_as_begun(
    run: &RunConfig,
    file: &SweepFile,
    facts: &DatasetMeta,
    problems: &[sweep::Problem],
) -> Option<Plan> {
    if run.former_state != FormerState::Resumed {
        return None;
    }
    let former = SweepMeta::of_any_schema(&database_in(&run.state_folder(&file.name)))?;
    let begun = sweep::parse(&former.sweep_toml, run.interface).ok()?;
    let had = sweep::plan(&begun, facts).err()?;
    let is_old = |problem: &sweep::Problem| {
        had.iter().any(|it| (&it.message, &it.label) == (&problem.message, &problem.label))
    };
    if !problems.iter().all(is_old) {
        return None;
    }
    sweep::plan_recorded(file, facts, former.data.n_valid()).ok()
}

/// The same for the file of a report, of which `n_valid` rows validated, with the data that `load`
/// gives; it gets the file and its folder.
pub fn plan_recorded_file(
    path: &Path,
    n_valid: u32,
    load: impl FnOnce(&SweepFile, &Path) -> Result<LoadedDataset, Missing>,
) -> Result<Planned, Refusal> {
    let plan = |file: &SweepFile, facts: &DatasetMeta| sweep::plan_recorded(file, facts, n_valid);
    plan_file_by(path, trainer::interface(), plan, load)
}

fn plan_file_by(
    path: &Path,
    interface: &'static Interface,
    plan: impl Fn(&SweepFile, &DatasetMeta) -> Result<Plan, Vec<sweep::Problem>>,
    load: impl FnOnce(&SweepFile, &Path) -> Result<LoadedDataset, Missing>,
) -> Result<Planned, Refusal> {
    let source = SweepText::read(path).map_err(Refusal::Usage)?;
    let refuse = |problems: Vec<sweep::Problem>| {
        source.print(&problems);
        Refusal::SweepFile { path: path.to_owned(), problems: source.placed(&problems) }
    };
    let Draft { file, mut problems } = sweep::draft(&source.text, interface);
    let Some(file) = file else { return Err(refuse(problems)) };
    let planned = match load(&file, source.folder()) {
        Ok(loaded) => plan(&file, &dataset::facts(&loaded)).map(|plan| (loaded, plan)),
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
