//! `export`: a sweep's results in the form of another tool. What is written appears whole or not at
//! all, and over something that is there only where the user says so.

mod events;
mod follow;
mod optuna;
mod place;
mod source;
mod tensorboard;

use std::path::{Path, PathBuf};

use anyhow::bail;
use cli::ExportFormat;
use report::command;

use crate::cli;
use crate::cli::refusal::Refusal;
use crate::store::{Reader, recorded_in};
use crate::verbs::export::source::state_of;
use crate::view::stdout::say;
use crate::view::terminal::n_of;
pub use place::new_file;
use place::{file, folder};
use source::Source;

pub fn export(arguments: &cli::Export) -> Result<(), Refusal> {
    let to = target(arguments);
    let is_there = to.symlink_metadata().is_ok();
    if arguments.follow {
        return follow::follow(arguments, &to);
    }
    if is_there && !arguments.force {
        return Err(Refusal::Usage(format!(
            "{}: exists already; replace it with --force, or choose another place with --to",
            to.display()
        )));
    }
    if is_there {
        check_replaceable(arguments.format, &to).map_err(Refusal::Usage)?;
    }
    let said = match arguments.format {
        ExportFormat::Sqlite => copy_state(&state_of(arguments), &to, arguments.force)?,
        ExportFormat::Tensorboard => {
            let source = Source::open(arguments)?;
            let n_trials = folder(&to, arguments.force, |into| tensorboard::write(&source, into))?;
            let words = ["--logdir".into(), command::path(&to)];
            let command = command::line("tensorboard", words);
            format!("{}; look at them with: {command}", n_of(n_trials, "run"))
        }
        ExportFormat::Optuna => {
            let source = Source::open(arguments)?;
            let n_trials =
                file(&to, arguments.force, |into| optuna::write(&source, into.as_file_mut()))?;
            format!("{} of the study {:?}", n_of(n_trials, "trial"), source.plan.name)
        }
    };
    Ok(say(&format!("{said}\nexport: {}\n", to.display()))?)
}

fn target(arguments: &cli::Export) -> PathBuf {
    let default = match arguments.format {
        ExportFormat::Sqlite => "sweep.db",
        ExportFormat::Tensorboard => "tensorboard",
        ExportFormat::Optuna => "optuna.log",
    };
    let folder = &arguments.report.folder;
    arguments.to.clone().unwrap_or_else(|| folder.join("export").join(default))
}

/// Only what looks like an export of this form gives way: `--force` with a wrong path must not take
/// a folder of something else away.
fn check_replaceable(format: ExportFormat, to: &Path) -> Result<(), String> {
    let is_such = match format {
        ExportFormat::Tensorboard => tensorboard::is_export(to),
        ExportFormat::Optuna => optuna::is_export(to),
        ExportFormat::Sqlite => place::begins_with(to, b"SQLite format 3\0"),
    };
    match is_such {
        true => Ok(()),
        false => Err(format!(
            "{}: exists already and is no former export of this form, so it stays; choose another place with --to",
            to.display()
        )),
    }
}

fn copy_state(state: &Path, to: &Path, force: bool) -> anyhow::Result<String> {
    let Some(database) = recorded_in(state)? else {
        bail!(
            "{}: no recorded state to copy; expected the folder of a sweep that ran on this machine \
             (or give its state with --state). Without a state, --format tensorboard and optuna work",
            state.display()
        );
    };
    let reader = Reader::open(&database)?;
    file(to, force, |into| Ok(reader.copy_to(into.path())?))?;
    Ok("one SQLite file".into())
}
