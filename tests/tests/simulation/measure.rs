//! The measure that the scripted program has beside the trainer's: declared once, it is in every table
//! and export, of which no other line names it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use coordinator::parts::{Reader, TrialState};
use serde_json::Value;
use trial::{Ending, TrialId};

use crate::log::Log;
use crate::script::{self, SURPRISE};
use crate::world::Site;
use crate::{PROGRAMS, simulate};

const SEED: u64 = 1;

pub fn is_in_every_table(site: &Site) -> Result<(), String> {
    simulate(site, SEED, &Log::default(), false)?;
    let folder = site.folder_of(SEED);
    let (state, report) = (folder.join("state"), folder.join("report"));
    coordinator("report", &report, &state, &[])?;
    coordinator("verify", &report, &state, &[])?;
    let to = |format: &str| -> Result<PathBuf, String> {
        let to = folder.join(format);
        let flags = ["--format", format, "--to", &to.display().to_string()].map(String::from);
        coordinator("export", &report, &state, &flags)?;
        Ok(to)
    };
    in_sql(&to("sqlite")?)?;
    in_csv(&report.join("results.csv"))?;
    in_bytes(&report.join("history.parquet"), &["surprise"])?;
    in_json(&report.join("manifest.json"), &to("optuna")?)?;
    let curves = to("tensorboard")?;
    in_bytes(&longest_run(&curves)?, &["surprise", "best/surprise"])
}

fn coordinator(verb: &str, report: &Path, state: &Path, flags: &[String]) -> Result<(), String> {
    let mut command = Command::new(PROGRAMS.coordinator);
    command.arg(verb).arg(report).arg("--state").arg(state).args(flags);
    let output = command.output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{verb}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

fn in_sql(database: &Path) -> Result<(), String> {
    let reader = Reader::open(database).map_err(|error| format!("{error:?}"))?;
    for (id, row) in reader.trials().map_err(|error| format!("{error:?}"))? {
        let TrialState::Done { result, .. } = row.state else { continue };
        if *result != script::result(&id) || result.history.iter().any(|it| it[SURPRISE].is_nan()) {
            return Err(format!("SQL: trial {id} has other readings"));
        }
    }
    Ok(())
}

fn in_csv(path: &Path) -> Result<(), String> {
    let csv = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let header: Vec<&str> = csv.lines().next().unwrap_or_default().split(',').collect();
    let place =
        |name: &str| header.iter().position(|it| *it == name).ok_or(format!("CSV: no {name}"));
    let (id, best, last) = (place("trial_id")?, place("best_surprise")?, place("final_surprise")?);
    for line in csv.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let trial: TrialId = cells[id].parse().map_err(|_| "CSV: no id")?;
        let result = script::result(&trial);
        let Ending::Completed { best_epoch, .. } = result.ending else { continue };
        let expected = [best_epoch as usize, result.history.len()]
            .map(|epoch| result.history[epoch - 1][SURPRISE]);
        let found = [best, last].map(|place| cells[place].parse().unwrap_or(f64::NAN));
        if found != expected {
            return Err(format!("CSV: trial {trial} has {found:?}, expected {expected:?}"));
        }
    }
    Ok(())
}

fn in_json(manifest: &Path, journal: &Path) -> Result<(), String> {
    let read = |path: &Path| fs::read_to_string(path).map_err(|error| error.to_string());
    let parsed =
        |text: &str| serde_json::from_str::<Value>(text).map_err(|error| error.to_string());
    let manifest = parsed(&read(manifest)?)?;
    let names = manifest["measures"].as_array().into_iter().flatten().map(|it| &it["name"]);
    if names.filter(|name| *name == SURPRISE.0).count() != 1 {
        return Err(format!("manifest.json: {manifest}"));
    }
    let mut n_told = 0;
    for line in read(journal)?.lines() {
        let attributes = &parsed(line)?["user_attrs"];
        if attributes["outcome"] == "completed" {
            n_told += 1;
            if !attributes[SURPRISE.0].is_f64() {
                return Err(format!("JSON: {line}"));
            }
        }
    }
    if n_told > 0 { Ok(()) } else { Err("JSON: no trial completed".into()) }
}

fn in_bytes(path: &Path, words: &[&str]) -> Result<(), String> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let lacks = |word: &&&str| !bytes.windows(word.len()).any(|it| it == word.as_bytes());
    match words.iter().find(lacks) {
        None => Ok(()),
        Some(word) => Err(format!("{}: no {word}", path.display())),
    }
}

/// The events of the run with most of them, which completed.
fn longest_run(folder: &Path) -> Result<PathBuf, String> {
    let runs = fs::read_dir(folder).map_err(|error| error.to_string())?.flatten();
    let events = runs.map(|run| run.path().join("events.out.tfevents.0.sweep"));
    let largest = events
        .filter(|path| path.is_file())
        .max_by_key(|path| path.metadata().map_or(0, |metadata| metadata.len()));
    largest.ok_or_else(|| "TensorBoard: no run".into())
}
