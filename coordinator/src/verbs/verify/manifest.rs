//! What `manifest.json` says of a report, against its sweep file, its rows and the files that lie
//! there.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use report::input::{State, Trial};
use report::{Manifest, ManifestCounts};
use sweep::{Phase, Plan};
use trial::wording::n_of;
use trial::{Ending, Goal, Scale};

use crate::verbs::verify::digest::sha256_of;
use crate::verbs::verify::findings::Findings;

/// Files that every report has, beside its results and its figures.
const ALWAYS: [&str; 5] =
    ["report.md", "report.html", "sweep.toml", "history.parquet", "timings.parquet"];

/// Whether every file is the one that the manifest lists.
pub fn digests(folder: &Path, manifest: &Manifest, findings: &mut Findings) -> bool {
    let mut wrong = Vec::new();
    for (name, expected) in &manifest.files {
        if Path::new(name).file_name().is_none_or(|file| file != name.as_str()) {
            wrong.push(format!("manifest.json: {name:?} is not the name of a file of its folder"));
            continue;
        }
        match sha256_of(&folder.join(name)) {
            Ok(found) if found == *expected => {}
            Ok(found) => {
                wrong.push(format!("{name}: SHA-256 is {found}, manifest.json says {expected}"));
            }
            Err(error) => {
                wrong.push(format!("{name}: cannot be read ({error}), manifest.json lists it"));
            }
        }
    }
    let results = manifest.results_csv();
    let table = results.replace(".csv", ".parquet");
    for name in ALWAYS.into_iter().chain([results, table.as_str()]) {
        if !manifest.files.contains_key(name) {
            wrong.push(format!("manifest.json: does not list {name}, which every report has"));
        }
    }
    let is_intact = wrong.is_empty();
    findings.wrong_alike(wrong);
    if manifest.files.get("results.csv") != manifest.results_sha256.as_ref() {
        findings
            .wrong("manifest.json: results_sha256 is not the digest of results.csv in its list");
    }
    findings.checked(format!("SHA-256 of {}", n_of(manifest.files.len(), "file")));
    is_intact
}

/// Tables and pages that lie there and are not of this report.
pub fn strangers(folder: &Path, manifest: &Manifest, findings: &mut Findings) {
    let tables = ["results", "results-incomplete"]
        .iter()
        .flat_map(|name| ["csv", "parquet"].map(|ending| format!("{name}.{ending}")));
    let names = ALWAYS.iter().map(ToString::to_string).chain(tables);
    for name in names.filter(|name| !manifest.files.contains_key(name)) {
        if folder.join(&name).exists() {
            findings.wrong(format!("{name}: manifest.json does not list it: not of this report"));
        }
    }
    let beside = beside(folder, manifest);
    if !beside.is_empty() {
        findings.checked(format!("(beside it lie files that are not of the report: {beside})"));
    }
}

/// Files that look like a report's and may as well be the user's own, by name.
fn beside(folder: &Path, manifest: &Manifest) -> String {
    const MAX_SHOWN: usize = 10;
    let looks_alike = |name: &String| {
        let ending = Path::new(name).extension().and_then(OsStr::to_str).unwrap_or_default();
        matches!(ending, "svg" | "png" | "csv" | "parquet" | "html" | "md")
            && !manifest.files.contains_key(name)
            && !name.starts_with("results-incomplete.")
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(looks_alike).collect();
    names.sort();
    let n_more = names.len().saturating_sub(MAX_SHOWN);
    names.truncate(MAX_SHOWN);
    let mut text = report::shown(&names.join(", "));
    if n_more > 0 {
        text += &format!(" and {n_more} more");
    }
    text
}

/// What it says of the sweep and its data, against the sweep file.
pub fn sweep(manifest: &Manifest, plan: &Plan, findings: &mut Findings) {
    let (data, split) = (&manifest.data, plan.split);
    let scale = match split.scale {
        Scale::Unit => "unit",
        Scale::Standard => "standard",
    };
    let mut pairs: BTreeMap<&str, (String, String)> = BTreeMap::from([
        ("name", (manifest.name.clone(), plan.name.clone())),
        ("n_train of the data", (data.n_train.to_string(), split.n_train.to_string())),
        ("n_valid of the data", (data.n_valid.to_string(), split.n_valid.to_string())),
        ("scale of the data", (data.scale.clone(), scale.into())),
        (
            "schema_version",
            (manifest.schema_version.to_string(), report::SCHEMA_VERSION.to_string()),
        ),
    ]);
    if manifest.version.is_empty() {
        pairs.insert("version", (String::new(), "the version that wrote it".into()));
    }
    for (field, (found, expected)) in pairs {
        if found != expected {
            findings.wrong(format!("manifest.json: {field} is {found:?}, expected {expected:?}"));
        }
    }
    if data.largest_valid_class_share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
        findings.wrong("manifest.json: largest_valid_class_share is not a share from 0 to 1");
    }
    findings.checked("manifest.json against sweep.toml");
}

pub fn counts(manifest: &Manifest, rows: &[Trial], findings: &mut Findings) {
    let table = manifest.results_csv();
    let mut counts = ManifestCounts { trials: rows.len(), ..ManifestCounts::default() };
    for row in rows {
        match &row.state {
            State::Open => counts.open += 1,
            State::Failed(_) => counts.failed += 1,
            State::Cancelled => counts.cancelled += 1,
            State::Done(done) => match done.ending {
                Ending::Completed { collapsed, .. } => {
                    counts.completed += 1;
                    counts.collapsed += usize::from(collapsed);
                }
                Ending::Diverged { .. } => counts.diverged += 1,
            },
        }
    }
    let told = &manifest.counts;
    let pairs = [
        ("trials", counts.trials, told.trials),
        ("completed", counts.completed, told.completed),
        ("diverged", counts.diverged, told.diverged),
        ("collapsed", counts.collapsed, told.collapsed),
        ("failed", counts.failed, told.failed),
        ("cancelled", counts.cancelled, told.cancelled),
        ("open", counts.open, told.open),
    ];
    for (name, found, told) in pairs.into_iter().filter(|(_, found, told)| found != told) {
        findings.wrong(format!("manifest.json: counts {told} {name}, {table} has {found}"));
    }
    let is_complete = counts.completed + counts.diverged == counts.trials;
    if is_complete != manifest.results_sha256.is_some() {
        findings.wrong(
            "manifest.json: there must be a results_sha256 when all trials have a result, and only then",
        );
    }
    findings.checked("counts of the outcomes");
}

/// The best trial is the grid's lowest seed of a point that no other point beats. How ties are
/// decided is the report's matter.
pub fn best(manifest: &Manifest, plan: &Plan, trials: &[Trial], findings: &mut Findings) {
    let table = manifest.results_csv();
    let grid: Vec<&Trial> = trials.iter().filter(|it| it.phase == Phase::Grid).collect();
    let any_completed = grid.iter().any(|trial| score(trial, plan).is_some());
    let Some(id) = &manifest.best_trial_id else {
        if any_completed {
            findings.wrong("manifest.json: names no best_trial_id, and trials have completed");
        }
        return;
    };
    let Some(best) = grid.iter().find(|row| row.id.to_string() == *id) else {
        let what = format!("best_trial_id {id} has no row of the grid in {table}");
        findings.wrong(format!("manifest.json: {what}"));
        return;
    };
    // Rows of a point lie side by side.
    let points = || grid.chunk_by(|a, b| a.values == b.values);
    let lowest = points().find(|it| it[0].values == best.values).map_or(best.seed, |it| it[0].seed);
    if best.seed != lowest {
        let what = format!("best_trial_id {id} has seed {}, its point has {lowest}", best.seed);
        findings.wrong(format!("manifest.json: {what}"));
    }
    let mean = |point: &[&Trial]| {
        let scores: Option<Vec<f64>> = point.iter().map(|trial| score(trial, plan)).collect();
        scores.map(|scores| scores.iter().sum::<f64>() / scores.len() as f64)
    };
    let of_best = points().find(|it| it[0].values == best.values).and_then(mean);
    // Sums in another order may differ in their last bits.
    let is_ahead = |point: &&[&Trial]| {
        mean(point).zip(of_best).is_some_and(|(mean, best)| mean > best + 1e-9 * best.abs())
    };
    if let Some(ahead) = points().find(is_ahead) {
        let what =
            format!("best_trial_id {id} is of a point that the one of {} beats", ahead[0].id);
        findings.wrong(format!("manifest.json: {what}"));
    }
    findings.checked("the best trial");
}

/// The higher the better; `None` unless it completed.
fn score(trial: &Trial, plan: &Plan) -> Option<f64> {
    let State::Done(done) = &trial.state else { return None };
    let Ending::Completed { best_epoch, .. } = done.ending else { return None };
    let best = done.history.iter().find(|epoch| epoch.epoch == best_epoch)?;
    let objective = plan.report.metric;
    Some(match objective.goal {
        Goal::Maximize => best[objective.measure],
        Goal::Minimize => -best[objective.measure],
    })
}

/// A report of a running or stopped sweep, file by file.
pub fn partial(folder: &Path, findings: &mut Findings) {
    let partial = folder.join("partial");
    if !partial.join("manifest.json").exists() {
        return;
    }
    let mut found = Findings::default();
    let manifest = fs::read_to_string(partial.join("manifest.json"));
    match manifest.map(|text| serde_json::from_str::<Manifest>(&text)) {
        Ok(Ok(manifest)) => {
            digests(&partial, &manifest, &mut found);
        }
        _ => found.wrong("manifest.json: cannot be read"),
    }
    found.wrong.into_iter().for_each(|line| findings.wrong(format!("partial/{line}")));
    findings.checked("the files of partial/");
}
