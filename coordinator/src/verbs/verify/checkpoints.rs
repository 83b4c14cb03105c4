//! Published checkpoints against their names. Those of trials that have their outcome are on their
//! way out, and so are parts; neither is a finding.

use std::collections::HashMap;
use std::path::Path;
use std::{fs, io};

use sweep::Plan;
use trial::TrialId;

use crate::verbs::verify::digest::sha256_of;
use crate::verbs::verify::findings::Findings;
use crate::view::terminal::n_of;

pub fn check(state: &Path, plan: &Plan, findings: &mut Findings) -> anyhow::Result<()> {
    let folder = state.join("checkpoints");
    let places: HashMap<TrialId, usize> = plan.trials.iter().map(|it| it.id).zip(0..).collect();
    let (mut n_files, mut wrong) = (0, Vec::new());
    for (name, path) in entries(&folder)? {
        let Ok(id) = name.parse::<TrialId>() else {
            wrong.push(format!("state: checkpoints/{name}: is not named by a trial"));
            continue;
        };
        let n_epochs = places.get(&id).map(|&place| plan.n_epochs(place));
        for (file, path) in entries(&path)? {
            if file.ends_with(".part") {
                continue;
            }
            n_files += 1;
            let problem = problem(&file, &path, n_epochs);
            wrong.extend(problem.map(|it| format!("state: checkpoints/{name}/{file}: {it}")));
        }
    }
    findings.wrong_alike(wrong);
    findings.checked(n_of(n_files, "published checkpoint"));
    Ok(())
}

/// `n_epochs` are those of its trial, if the sweep file names it.
fn problem(file: &str, path: &Path, n_epochs: Option<u32>) -> Option<String> {
    let Some((epoch, digest)) = file.split_once('-') else {
        return Some("expected a name such as 3-<SHA-256>".into());
    };
    match epoch.parse::<u32>() {
        Ok(epoch) if epoch >= 1 && n_epochs.is_none_or(|n| epoch <= n) => {}
        _ => return Some(format!("{epoch} is not an epoch of its trial")),
    }
    match sha256_of(path) {
        Ok(found) if found == digest => None,
        Ok(found) => Some(format!("SHA-256 is {found}; its trial will go on from before")),
        // It may have gone meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(format!("cannot be read ({error})")),
    }
}

/// As of a copy of a state, which is one file.
fn is_no_folder(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// By name; none where there is no folder.
fn entries(folder: &Path) -> io::Result<Vec<(String, std::path::PathBuf)>> {
    let found = match fs::read_dir(folder) {
        Err(error) if is_no_folder(&error) => return Ok(Vec::new()),
        found => found?,
    };
    let named = |entry: fs::DirEntry| (entry.file_name().to_string_lossy().into(), entry.path());
    let mut entries: Vec<_> = found.flatten().map(named).collect();
    entries.sort();
    Ok(entries)
}
