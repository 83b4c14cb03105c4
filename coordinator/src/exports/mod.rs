//! `export`: a sweep's results in the form of another tool. What is written appears whole or not at
//! all, and never over something that is there.

mod events;
mod optuna;
mod source;
mod tensorboard;

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use tempfile::NamedTempFile;

use crate::{
    cli::{self, ExportFormat},
    prepare::Refusal,
    store::{Reader, database_in},
    verbs::say,
};
use source::Source;

pub fn export(arguments: &cli::Export) -> Result<(), Refusal> {
    let folder = &arguments.report.folder;
    let default = match arguments.format {
        ExportFormat::Sqlite => "sweep.db",
        ExportFormat::Tensorboard => "tensorboard",
        ExportFormat::Optuna => "optuna.log",
    };
    let to = arguments.to.clone().unwrap_or_else(|| folder.join("export").join(default));
    if to.symlink_metadata().is_ok() {
        return Err(Refusal::Usage(format!(
            "{}: exists already; remove it, or choose another place with --to",
            to.display()
        )));
    }
    let state = arguments.report.state.clone().unwrap_or_else(|| folder.join(".state"));
    let said = match arguments.format {
        ExportFormat::Sqlite => copy_state(&state, &to)?,
        ExportFormat::Tensorboard => {
            let source = Source::open(folder, &state, arguments.report.state.is_some())?;
            let n_trials = new_folder(&to, |into| tensorboard::write(&source, into))?;
            format!("{n_trials} runs; look at them with: tensorboard --logdir {}", to.display())
        }
        ExportFormat::Optuna => {
            let source = Source::open(folder, &state, arguments.report.state.is_some())?;
            let n_trials = new_file(&to, |into| optuna::write(&source, into.as_file_mut()))?;
            format!("{n_trials} trials of the study {:?}", source.plan.name)
        }
    };
    Ok(say(&format!("{said}\nexport: {}\n", to.display()))?)
}

fn copy_state(state: &Path, to: &Path) -> anyhow::Result<String> {
    let database = database_in(state);
    if !database.exists() {
        bail!(
            "{}: no recorded state to copy; expected the folder of a sweep that ran on this machine \
             (or give its state with --state). Without a state, --format tensorboard and optuna work",
            state.display()
        );
    }
    let reader = Reader::open(&database)?;
    new_file(to, |into| Ok(reader.copy_to(into.path())?))?;
    Ok("one SQLite file".into())
}

/// Makes the file beside its place and gives it its name at the end.
pub fn new_file<T>(
    to: &Path,
    write: impl FnOnce(&mut NamedTempFile) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let refused = || format!("{}: cannot be written", to.display());
    let mut file = tempfile::Builder::new()
        .prefix(".export-")
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(parent_of(to).with_context(refused)?)
        .with_context(refused)?;
    let written = write(&mut file)?;
    file.as_file().sync_all().with_context(refused)?;
    file.persist_noclobber(to).with_context(refused)?;
    Ok(written)
}

fn new_folder<T>(to: &Path, write: impl FnOnce(&Path) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let refused = || format!("{}: cannot be written", to.display());
    let folder = tempfile::Builder::new()
        .prefix(".export-")
        .permissions(Permissions::from_mode(0o755))
        .tempdir_in(parent_of(to).with_context(refused)?)
        .with_context(refused)?;
    let written = write(folder.path())?;
    fs::rename(folder.path(), to).with_context(refused)?;
    // It has its own name now; there is nothing left to remove.
    let _ = folder.keep();
    Ok(written)
}

/// The folder that a new file goes to, made if need be.
fn parent_of(path: &Path) -> std::io::Result<PathBuf> {
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent)?;
    Ok(parent.into())
}
