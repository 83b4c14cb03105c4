//! Builds a report from a state and puts it where readers find it: once every trial has its outcome
//! the set replaces the folder's files, before that it goes to `partial/`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use worker::parts::{make_folder, rename};

use crate::reporting::building::Building;
use crate::reporting::input as report_input;
use crate::reporting::limits::Limits;
use crate::store::meta::SweepMeta;
use crate::store::{Reader, recorded_in};

/// What a build says to the process that asked for it, as JSON.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Published {
    #[serde(with = "path_bytes")]
    pub report: PathBuf,
    pub complete: bool,
    pub n_diverged: usize,
    pub results_sha256: Option<String>,
    pub short_table: Vec<Vec<String>>,
}

/// A path as its bytes, because text in JSON is UTF-8 and a path may be anything.
mod path_bytes {
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        path.as_os_str().as_bytes().serialize(serializer)
    }

    pub fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<PathBuf, D::Error> {
        Ok(OsString::from_vec(Vec::deserialize(deserializer)?).into())
    }
}

/// Builds the report of the state `state` into the folder `out`; with `partial_only`, the files in
/// the folder itself are left alone even if every trial has its outcome.
pub fn publish(state: &Path, out: &Path, partial_only: bool) -> anyhow::Result<Published> {
    let Some(database) = recorded_in(state)? else {
        bail!(
            "{}: holds no recorded state, so there is nothing to build a report from; give its folder with --state, or run the sweep",
            state.display()
        );
    };
    let reader = Reader::open(&database)?;
    let facts = SweepMeta::needed(&reader, state)?;
    let input = report_input::input(&reader, &facts)?;
    let made = || format!("{}: cannot write the report", out.display());
    make_folder(out).with_context(made)?;
    let building = Building::begin(out).with_context(made)?;
    let built = report::build(&input, building.path());
    faults::point("coordinator.report.built");
    let moved = built.map_err(anyhow::Error::from).and_then(|built| {
        sync_files(building.path()).with_context(made)?;
        let is_top = built.counts.is_settled() && !partial_only;
        let folder = if is_top {
            replace_top(building.path(), out)
        } else {
            replace_partial(building.path(), out)
        };
        Ok((built, folder.with_context(made)?))
    });
    drop(building);
    let (built, folder) = moved?;
    Ok(Published {
        report: folder.join("report.md"),
        complete: built.counts.is_complete(),
        n_diverged: built.counts.n_diverged,
        results_sha256: built.results_sha256,
        short_table: built.short_table,
    })
}

const MANIFEST: &str = "manifest.json";

/// Before they get their names.
fn sync_files(folder: &Path) -> io::Result<()> {
    for name in file_names(folder)? {
        File::open(folder.join(name))?.sync_all()?;
    }
    File::open(folder)?.sync_all()
}

/// Moves each new file over its former self, then removes what the former report had beyond it.
fn replace_top(building: &Path, out: &Path) -> io::Result<PathBuf> {
    let mut new = file_names(building)?;
    // Last, so that a kill in the middle leaves the list by which the next report cleans up.
    new.sort_by_key(|name| name == MANIFEST);
    let stale = generated_by_former_run(out)?.into_iter().filter(|name| !new.contains(name));
    for name in stale.collect::<Vec<_>>() {
        fs::remove_file(out.join(name))?;
    }
    for name in &new {
        fs::rename(building.join(name), out.join(name))?;
        faults::point("coordinator.report.renamed");
    }
    File::open(out)?.sync_all()?;
    faults::point("coordinator.report.moved");
    let partial = out.join("partial");
    if partial.exists() {
        fs::remove_dir_all(partial)?;
    }
    Ok(out.into())
}

fn replace_partial(building: &Path, out: &Path) -> io::Result<PathBuf> {
    let partial = out.join("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    rename(building, &partial)?;
    Ok(partial)
}

fn file_names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    Ok(entries.iter().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// The files that the former report's manifest lists and that lie in the folder itself; a file of
/// the user's is never among them.
fn generated_by_former_run(out: &Path) -> io::Result<Vec<String>> {
    let text = match fs::read_to_string(out.join(MANIFEST)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let listed = manifest["files"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
    Ok(listed.filter(|name| !name.contains('/') && out.join(name).is_file()).collect())
}

/// A flag and its path in one word: a path of its own that begins with `-` would be another flag.
fn flag(name: &str, path: &Path) -> OsString {
    let mut word = OsString::from(name);
    word.push(path);
    word
}

/// Runs `publish` in a child process of `program`, so that polars' threads take no trainer's core
/// and a failure there cannot hurt the sweep.
pub async fn publish_in_child(
    program: &Path,
    state: &Path,
    out: &Path,
    partial_only: bool,
) -> anyhow::Result<Published> {
    // The child holds itself to its limits; that it does so in time is not relied on.
    let limits = Limits::of(state);
    let deadline = limits.wall + GRACE;
    publish_within(deadline, program, state, out, partial_only)
        .await
        .with_context(|| format!("a former report in {} is kept", out.display()))
}

/// How long after its deadline a child is given to say what happened.
const GRACE: Duration = Duration::from_secs(30);

async fn publish_within(
    deadline: Duration,
    program: &Path,
    state: &Path,
    out: &Path,
    partial_only: bool,
) -> anyhow::Result<Published> {
    let mut command = Command::new(program);
    command.arg("build-report").arg(flag("--state=", state)).arg(flag("--out=", out));
    if partial_only {
        command.arg("--partial");
    }
    command.env("POLARS_MAX_THREADS", "1").stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(deadline, command.process_group(0).output()).await;
    let advice = || Limits::of(state).advice();
    let Ok(output) = ended else {
        bail!("the report was given up after {:?}: {}", deadline, advice());
    };
    let output = output.context("cannot start the report's process")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let text = text.trim();
        match output.status.code() {
            Some(_) => bail!("the report could not be built ({}): {text}", output.status),
            None => {
                bail!("the report could not be built ({}): {text}; {}", output.status, advice())
            }
        }
    }
    serde_json::from_slice(&output.stdout).context("the report's process answered nonsense")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Instant;

    use super::*;

    /// What the coordinator says where a script stands for the program that builds.
    fn told(script: &str, deadline: Duration) -> String {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (state, out) = (folder.path().join("state"), folder.path().join("out"));
        let published = publish_within(deadline, &program, &state, &out, false);
        format!("{:#}", runtime.block_on(published).unwrap_err())
    }

    #[test]
    fn a_build_that_runs_on_is_given_up() {
        let started = Instant::now();
        let text = told("exec sleep 600", Duration::from_millis(300));
        assert!(started.elapsed() < Duration::from_secs(60));
        assert!(
            text.starts_with("the report was given up after 300ms: it may take 8 GiB"),
            "{text}"
        );
        assert!(text.contains("every result stays recorded"), "{text}");
    }

    #[test]
    fn a_build_that_is_killed_says_what_to_do() {
        let text = told("echo no memory >&2; kill -ABRT $$", Duration::from_secs(60));
        assert!(text.contains("SIGABRT") && text.contains("no memory; it may take"), "{text}");
        let text = told("echo broken >&2; exit 1", Duration::from_secs(60));
        assert_eq!(text, "the report could not be built (exit status: 1): broken");
    }
}
