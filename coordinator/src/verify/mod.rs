//! `verify`: whether a report's files are what was recorded. It changes nothing; every finding is
//! one line.

mod checkpoints;
mod files;
mod manifest;
mod pages;
mod state;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;

use anyhow::bail;

use crate::cli;
use crate::store::database_in;
use crate::terminal::n_of;
use crate::verbs::say;

/// What was looked at, and what is wrong.
#[derive(Debug, Default)]
pub struct Findings {
    checked: Vec<String>,
    wrong: Vec<String>,
}

/// Findings of one kind that are told one by one.
const MAX_ALIKE: usize = 10;

impl Findings {
    pub fn checked(&mut self, what: impl Into<String>) {
        self.checked.push(what.into());
    }

    pub fn wrong(&mut self, what: impl Into<String>) {
        self.wrong.push(what.into());
    }

    /// Findings that may be as many as there are trials.
    pub fn wrong_alike(&mut self, all: Vec<String>) {
        let n_more = all.len().saturating_sub(MAX_ALIKE);
        self.wrong.extend(all.into_iter().take(MAX_ALIKE));
        if 0 < n_more {
            self.wrong.push(format!("and {n_more} more like the last one"));
        }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.checked.iter().try_for_each(|line| writeln!(f, "checked: {line}"))?;
        self.wrong.iter().try_for_each(|line| writeln!(f, "wrong: {line}"))
    }
}

/// # Errors
/// When anything is wrong, and when there is nothing to check.
pub fn verify(arguments: &cli::ReportFolder) -> anyhow::Result<()> {
    let folder = &arguments.folder;
    let state = arguments.state.clone().unwrap_or_else(|| folder.join(".state"));
    let has_report = folder.join("manifest.json").exists();
    let has_state = database_in(&state).exists();
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
