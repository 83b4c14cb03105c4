//! A recorded state against its own rules, and a report against the state it was built from.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use anyhow::Context;
use report::Manifest;
use report::input::{Provenance, State, Trial};
use sweep::{FIRST_CONFIRM_SEED, Phase, Plan};
use trial::{Breach, DataShape, Ending, Hyperparameters, Split, TrialId, timing};

use super::{checkpoints, rebuilt};
use crate::reporting::input as report_input;
use crate::reporting::report_folder::ReportFolder;
use crate::reporting::report_folder::read_manifest;
use crate::reporting::values::{hyperparameters_json, hyperparameters_of_json};
use crate::store::meta::SweepMeta;
use crate::store::{Reader, TrialReader, TrialRow, TrialState, database_in};
use crate::verbs::verify::findings::Findings;
use crate::view::terminal::n_of;

pub fn check(
    folder: &Path,
    state: &Path,
    reported: Option<&ReportFolder>,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let reader = Reader::open(&database_in(state))?;
    let broken = reader.check()?;
    let is_sound = broken.is_empty();
    for finding in broken {
        findings.wrong(format!("state: {finding}"));
    }
    findings.checked("the state's integrity, its tables by their rules");
    let facts = SweepMeta::of_reader(&reader)?
        .with_context(|| format!("{}: no sweep was started on this state", state.display()))?;
    findings.wrong_alike(broken_facts(&facts, &reader)?);
    // The best points, which a sweep with [confirm] trains again, follow from the rows.
    let plan = match facts.plan(&reader) {
        // Values that cannot be read have been told, with their place.
        Err(_) if !is_sound => return Ok(()),
        plan => plan?,
    };
    findings.wrong_alike(broken_rows(&facts, plan.split));
    checkpoints::check(state, &plan, findings)?;
    let known = report_input::provenance(&reader, &facts)?;
    let reader = TrialReader::new(&reader)?;
    let done = match recorded(&reader, &plan, &facts, findings) {
        Err(_) if !is_sound => return Ok(()),
        done => done?,
    };
    let Some(reported) = reported else { return Ok(()) };
    let manifest = read_manifest(folder)?;
    findings.wrong_alike(other_facts(&facts, &manifest));
    if let Some(told) = rebuilt::told(folder, &manifest, reported)? {
        findings.wrong_alike(beyond(&told, &known));
    }
    compare(&reader, reported, findings)?;
    let has_result = |trial: &&Trial| matches!(trial.state, State::Done(_));
    let of_report: HashSet<String> =
        reported.trials.iter().filter(has_result).map(|trial| trial.id.to_string()).collect();
    let is_complete = of_report.len() == reported.trials.len();
    let newer: Vec<&String> = done.iter().filter(|id| !of_report.contains(*id)).collect();
    // Trials that failed or were cancelled may have been run again since.
    if is_complete && fs::read_to_string(folder.join("sweep.toml"))? == facts.sweep_toml {
        let wrong = |id: &&String| format!("trial {id}: recorded in the state, not in the report");
        findings.wrong_alike(newer.iter().map(wrong).collect());
    } else if !newer.is_empty() {
        findings
            .checked(format!("(the state has {} since the report)", n_of(newer.len(), "result")));
    }
    Ok(())
}

/// What the state says of its sweep, as far as it can be told to be wrong.
fn broken_facts(facts: &SweepMeta, reader: &Reader) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    let data = &facts.data;
    if facts.numerics_version != trainer::NUMERICS_VERSION {
        wrong.push(format!(
            "state: numerics version {}, this build knows {}",
            facts.numerics_version,
            trainer::NUMERICS_VERSION
        ));
    }
    if !(facts.wall_s.is_finite() && facts.wall_s >= 0.0) {
        wrong.push(format!("state: ran for {} s, expected 0 or more", facts.wall_s));
    }
    for (name, share) in
        [("nonzero_share", data.nonzero_share), ("largest_class_share", data.largest_class_share)]
    {
        if !(0.0..=1.0).contains(&share) {
            wrong.push(format!("state: {name} of its data is {share}, expected 0 to 1"));
        }
    }
    let last = reader.last_term()?;
    if facts.term != last {
        let term = facts.term;
        wrong.push(format!(
            "state: it was started {}, and its last start is number {last}",
            n_of(term, "time")
        ));
    }
    Ok(wrong)
}

/// Counts of rows that are not those of the split; older builds kept none.
fn broken_rows(facts: &SweepMeta, split: Split) -> Vec<String> {
    let classes = &facts.data.classes;
    let parts = [
        ("train", &classes.train, split.n_train),
        ("validate", &classes.valid, split.n_valid),
        ("test", &classes.test, facts.data.n_test_rows),
    ];
    let is_kept = parts.iter().any(|(_, counts, _)| !counts.is_empty());
    let sum = |counts: &[u32]| counts.iter().map(|&n| u64::from(n)).sum::<u64>();
    let wrong = parts.into_iter().filter(|(_, counts, n)| is_kept && sum(counts) != u64::from(*n));
    let mut wrong: Vec<String> = wrong
        .map(|(does, counts, n)| {
            format!("state: {} by class {does}, expected {n}", n_of(sum(counts), "row"))
        })
        .collect();
    if let Some(n) = facts.data.n_valid.filter(|&n| n != split.n_valid) {
        wrong.push(format!("state: {n} rows validate, expected {}", split.n_valid));
    }
    wrong
}

/// What state and manifest both tell of the sweep.
fn other_facts(facts: &SweepMeta, manifest: &Manifest) -> Vec<String> {
    let (data, told) = (&facts.data, &manifest.data);
    let digest = data.digest().to_string();
    let pairs = [
        ("digest", digest, told.digest.clone()),
        ("name", data.name.clone(), told.name.clone()),
        ("n_test", data.n_test_rows.to_string(), told.n_test.to_string()),
        ("n_inputs", data.n_inputs.to_string(), told.n_inputs.to_string()),
        ("n_classes", data.n_classes.to_string(), told.n_classes.to_string()),
        (
            "largest_valid_class_share",
            Some(data.largest_class_share).map_or(String::new(), |share| share.to_string()),
            told.largest_valid_class_share.unwrap_or(data.largest_class_share).to_string(),
        ),
    ];
    let differs = pairs.into_iter().filter(|(_, ours, theirs)| ours != theirs);
    let line = |(name, ours, theirs): (&str, String, String)| {
        format!("manifest.json: {name} of the data is {theirs:?}, the state has {ours:?}")
    };
    differs.map(line).collect()
}

/// The ids of the plan's trials that have a result. Every trial must have been granted with the
/// configuration that its id is the hash of, and have given what such a trial can give.
fn recorded(
    reader: &TrialReader<'_>,
    plan: &Plan,
    facts: &SweepMeta,
    findings: &mut Findings,
) -> anyhow::Result<Vec<String>> {
    let shape = plan.data_shape(Some(facts.data.largest_class_share));
    let (mut done, mut wrong) = (Vec::new(), Vec::new());
    let mut planned_ids = HashSet::new();
    for (index, planned) in plan.trials.iter().enumerate() {
        planned_ids.insert(planned.id);
        let given = plan.hyperparameters(index);
        let expected = (planned.seed, hyperparameters_json(&given));
        let form = reader.form(&planned.id)?;
        // A seed of the user's own belongs to the grid; one that confirms may have been either.
        let is_of_grid = planned.phase == Phase::Grid && planned.seed < FIRST_CONFIRM_SEED;
        if is_of_grid && form.as_ref().is_some_and(|form| form.phase != "grid") {
            wrong.push(format!(
                "state: trial {}: its phase is confirm, its seed is the grid's",
                planned.id
            ));
        }
        if form.is_some_and(|form| (form.seed, form.hyperparameters) != expected) {
            wrong.push(format!(
                "state: trial {}: its seed and hyperparameters are not those of its id",
                planned.id
            ));
        }
        let Some(row) = reader.trial(&planned.id)? else { continue };
        if matches!(row.state, TrialState::Done { .. }) {
            done.push(planned.id.to_string());
        }
        let breach = breach(plan, &row, &given, &shape);
        wrong.extend(breach.map(|it| format!("state: trial {}: {it}", planned.id)));
    }
    let mut n_outside = 0;
    for id in reader.ids().copied().filter(|id| !planned_ids.contains(id)) {
        n_outside += 1;
        wrong.extend(outside(reader, id, plan, &shape, &planned_ids)?);
    }
    findings.wrong_alike(wrong);
    findings.checked(format!(
        "{} of the state against their ids and rules",
        n_of(done.len(), "result")
    ));
    if n_outside > 0 {
        findings.checked(format!(
            "{} of the state that sweep.toml does not name",
            n_of(n_outside, "trial")
        ));
    }
    Ok(done)
}

/// A trial that the sweep file does not name any more. Of another split or data set its id cannot be
/// computed again.
fn outside(
    reader: &TrialReader<'_>,
    id: TrialId,
    plan: &Plan,
    shape: &DataShape,
    planned: &HashSet<TrialId>,
) -> anyhow::Result<Option<String>> {
    let Some(form) = reader.form(&id)? else { return Ok(None) };
    let given = match hyperparameters_of_json(plan.interface, &form.hyperparameters, form.seed) {
        Ok(given) => given,
        Err(problem) => return Ok(Some(format!("state: trial {id}: {problem}"))),
    };
    let now = sweep::trial_id(plan.interface, &given, plan.dataset_digest, plan.split);
    if now == id {
        let row = reader.trial(&id)?;
        let breach = row.and_then(|row| breach(plan, &row, &given, shape));
        return Ok(breach.map(|it| format!("state: trial {id}: {it}")));
    }
    let is_planned = planned.contains(&now);
    Ok(is_planned.then(|| format!("state: trial {id}: its seed and hyperparameters give {now}")))
}

/// What of a stored result or of its times no such trial gives.
fn breach(
    plan: &Plan,
    row: &TrialRow,
    given: &Hyperparameters,
    shape: &DataShape,
) -> Option<Breach> {
    let TrialState::Done { result, timings } = &row.state else { return None };
    let checked = (plan.interface.check_result)(result, given, shape)
        .and_then(|()| timing::check(timings, result.history.len(), row.n_attempts));
    checked.err()
}

/// What a page tells more of than the state knows. It may tell of less: the state goes on.
fn beyond(told: &Provenance, known: &Provenance) -> Vec<String> {
    let counts = [
        ("starts", u64::from(told.n_starts), u64::from(known.n_starts)),
        ("attempts", told.n_attempts, known.n_attempts),
        ("lost attempts", told.n_lost, known.n_lost),
        ("contradicted results", told.n_conflicts, known.n_conflicts),
        // A page rounds.
        ("s of running time", told.wall_s as u64, known.wall_s as u64 + 1),
    ];
    let more = counts.into_iter().filter(|(_, told, known)| told > known);
    let line = |(what, told, known)| format!("report.md: {told} {what}, the state has {known}");
    more.map(line).collect()
}

fn compare(
    reader: &TrialReader<'_>,
    reported: &ReportFolder,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for (planned, shown) in reported.plan.table_order().into_iter().zip(&reported.trials) {
        let row = reader.trial(&planned.id)?;
        let recorded = report_input::trial(&reported.plan, planned, row);
        if let Some(what) = difference(&recorded, shown) {
            wrong.push(format!("trial {}: {what}", planned.id));
        }
    }
    findings.wrong_alike(wrong);
    findings
        .checked(format!("{} of the report against the state", n_of(reported.trials.len(), "row")));
    Ok(())
}

/// The first thing in which a report's trial is not the recorded one. A trial without a result in
/// the report claims nothing of the state, which may have one since.
fn difference(recorded: &Trial, shown: &Trial) -> Option<String> {
    if recorded == shown {
        return None;
    }
    let (recorded, shown) = match (&recorded.state, &shown.state) {
        (_, State::Open | State::Failed(_) | State::Cancelled) => return None,
        (State::Done(recorded), State::Done(shown)) => (recorded, shown),
        (_, State::Done(_)) => {
            return Some("in the report, and without a result in the state".into());
        }
    };
    Some(if recorded.digest != shown.digest {
        format!("digest {} in the report, {} in the state", shown.digest, recorded.digest)
    } else if recorded.ending != shown.ending {
        let [shown, recorded] = [shown, recorded].map(|done| ending_text(&done.ending));
        format!("{shown} in the report, {recorded} in the state")
    } else if recorded.history != shown.history {
        "history.parquet differs from the epochs of the state".into()
    } else if recorded.timings != shown.timings {
        "timings.parquet differs from the timings of the state".into()
    } else {
        "its row in the results differs from the state".into()
    })
}

/// How a trial ended, in the words of the tables.
fn ending_text(ending: &Ending) -> String {
    let or_none = |number: &Option<f64>| number.map_or("none".into(), |it| it.to_string());
    match ending {
        Ending::Completed { best_epoch, test_accuracy, collapsed } => format!(
            "completed with best_epoch {best_epoch}, test_accuracy {}, collapsed {collapsed}",
            or_none(test_accuracy)
        ),
        Ending::Diverged { step, last_finite_loss } => {
            format!("diverged at step {step} with last_finite_loss {}", or_none(last_finite_loss))
        }
    }
}
