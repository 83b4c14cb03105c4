//! A recorded state against its own rules, and a report against the state it was built from.

use std::{collections::HashSet, fs, path::Path};

use anyhow::Context;
use coordinator_core::sweep::Plan;
use report::input::{State, Trial};

use super::Findings;
use crate::{
    committed::Committed,
    facts::Facts,
    report_input,
    store::{Reader, TrialReader, TrialState, database_in},
    values::hyperparameters_json,
};

pub fn check(
    folder: &Path,
    state: &Path,
    reported: Option<&Committed>,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let reader = Reader::open(&database_in(state))?;
    for finding in reader.check()? {
        findings.wrong(format!("state: {finding}"));
    }
    findings.checked("the state's integrity, attempts and epochs");
    let facts = Facts::of_reader(&reader)?
        .with_context(|| format!("{}: no sweep was started on this state", state.display()))?;
    let plan = facts.plan(&reader)?;
    let reader = TrialReader::new(&reader)?;
    let done = recorded(&reader, &plan, findings)?;
    let Some(reported) = reported else { return Ok(()) };
    compare(&reader, reported, findings)?;
    let has_result = |trial: &&Trial| matches!(trial.state, State::Done(_));
    let of_report: HashSet<&str> =
        reported.trials.iter().filter(has_result).map(|trial| trial.id.as_str()).collect();
    let is_complete = of_report.len() == reported.trials.len();
    let newer: Vec<&String> = done.iter().filter(|id| !of_report.contains(id.as_str())).collect();
    // Trials that failed or were cancelled may have been run again since.
    if is_complete && fs::read_to_string(folder.join("sweep.toml"))? == facts.sweep_toml {
        let wrong = |id: &&String| format!("trial {id}: recorded in the state, not in the report");
        findings.wrong_alike(newer.iter().map(wrong).collect());
    } else if !newer.is_empty() {
        findings.checked(format!("(the state has {} results since the report)", newer.len()));
    }
    Ok(())
}

/// The ids of the plan's trials that have a result; each must have been granted with the
/// configuration that its id is the hash of.
fn recorded(
    reader: &TrialReader<'_>,
    plan: &Plan,
    findings: &mut Findings,
) -> anyhow::Result<Vec<String>> {
    let (mut done, mut wrong) = (Vec::new(), Vec::new());
    for (index, planned) in plan.trials.iter().enumerate() {
        let config = plan.config(index);
        let expected = (planned.seed, hyperparameters_json(&config));
        if reader.config(&planned.id.0)?.is_some_and(|granted| granted != expected) {
            wrong.push(format!(
                "state: trial {}: its seed and hyperparameters are not those of its id",
                planned.id
            ));
        }
        let row = reader.trial(&planned.id.0)?;
        if matches!(row.map(|row| row.state), Some(TrialState::Done { .. })) {
            done.push(planned.id.to_string());
        }
    }
    findings.wrong_alike(wrong);
    findings.checked(format!("{} results of the state against their ids", done.len()));
    Ok(done)
}

fn compare(
    reader: &TrialReader<'_>,
    reported: &Committed,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for (planned, shown) in reported.plan.table_order().into_iter().zip(&reported.trials) {
        let row = reader.trial(&planned.id.0)?;
        let recorded = report_input::trial(&reported.plan, planned, row);
        if let Some(what) = difference(&recorded, shown) {
            wrong.push(format!("trial {}: {what}", planned.id));
        }
    }
    findings.wrong_alike(wrong);
    findings.checked(format!("{} rows of the report against the state", reported.trials.len()));
    Ok(())
}

/// The first thing in which a report's trial is not the recorded one. A trial without a result in
/// the report claims nothing of the state, which may have one since.
fn difference(recorded: &Trial, shown: &Trial) -> Option<String> {
    if recorded == shown {
        return None;
    }
    let (recorded, shown) = match (&recorded.state, &shown.state) {
        (_, State::Open | State::Failed { .. } | State::Cancelled) => return None,
        (State::Done(recorded), State::Done(shown)) => (recorded, shown),
        (_, State::Done(_)) => {
            return Some("in the report, and without a result in the state".into());
        }
    };
    Some(if recorded.digest != shown.digest {
        format!("digest {} in the report, {} in the state", shown.digest, recorded.digest)
    } else if recorded.ending != shown.ending {
        format!("ended with {:?} in the report, {:?} in the state", shown.ending, recorded.ending)
    } else if recorded.history != shown.history {
        "history.parquet differs from the epochs of the state".into()
    } else if recorded.timings != shown.timings {
        "timings.parquet differs from the timings of the state".into()
    } else {
        "its row in the results differs from the state".into()
    })
}
