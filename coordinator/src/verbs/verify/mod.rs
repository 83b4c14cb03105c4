//! `verify`: whether a report's files are what was recorded. It changes nothing; every finding is
//! one line.

mod checkpoints;
pub mod digest;
mod files;
pub mod findings;
mod manifest;
mod pages;
mod rebuilt;
mod state;
#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::bail;

use crate::cli;
use crate::store::recorded_in;
use crate::verbs::verify::findings::Findings;
use crate::view::stdout::say;
use crate::view::terminal::n_of;

/// # Errors
/// When anything is wrong, and when there is nothing to check.
pub fn verify(arguments: &cli::FolderArgs) -> anyhow::Result<()> {
    let folder = &arguments.folder;
    let state = arguments.state.clone().unwrap_or_else(|| folder.join(".state"));
    let has_report = folder.join("manifest.json").exists();
    let has_state = recorded_in(&state)?.is_some();
    if !has_report && !has_state {
        bail!(
            "{}: neither a report nor a recorded state; expected the folder of a sweep",
            folder.display()
        );
    }
    if !has_state && arguments.state.is_some() {
        bail!("{}: no recorded state", state.display());
    }
    let findings = look(folder, has_report, has_state.then_some(state.as_path()));
    say(&findings.to_string())?;
    match findings.wrong.len() {
        0 => say(&format!("{}: all is well\n", folder.display())),
        n => bail!("{}: {}", folder.display(), n_of(n, "finding")),
    }
}

fn look(folder: &Path, has_report: bool, state: Option<&Path>) -> Findings {
    let mut findings = Findings::default();
    let mut reported = None;
    if has_report {
        match files::check(folder, &mut findings) {
            Ok(found) => reported = found,
            Err(error) => findings.wrong(format!("{error:#}")),
        }
    }
    if let Some(state) = state
        && let Err(error) = state::check(folder, state, reported.as_ref(), &mut findings)
    {
        findings.wrong(format!("{error:#}"));
    }
    findings
}
