//! Section 8: experiment notes. What it says of machines, attempts and time may differ between runs.

use std::collections::BTreeMap;

use sweep::Phase;

use crate::analysis::{Sweep, value_label};
use crate::command;
use crate::input::{Failure, State, Trial};
use crate::markdown::page::{Left, Page, Right, code, count, duration, escape, thousands};
use crate::markdown::phrases::{id_digits, short_id};
use crate::markdown::sections::answer::confirm::{NotConfirmed, confirm_seeds, not_confirmed};

/// Failed trials that are shown with their cause; all are in the results.
const MAX_FAILED: usize = 20;
/// Seeds and numbers of epochs that are listed one by one.
const MAX_LISTED: usize = 30;

pub(crate) fn write(page: &mut Page, sweep: &Sweep<'_>) {
    page.heading(2, "8. Experiment notes");
    let warnings = sweep.input.data.warnings.iter();
    let warnings = warnings.map(|text| format!("- **Warning:** {}.", escape(text)));
    let lines = [data(sweep)].into_iter().chain(warnings);
    let lines: Vec<String> = lines.chain([budget(sweep), outcomes(sweep)]).collect();
    page.block(&lines.join("\n"));
    if !sweep.input.notes_on_copies.is_empty() {
        let notes =
            sweep.input.notes_on_copies.iter().map(|note| format!("- Dropped: {}", escape(note)));
        page.block(&notes.collect::<Vec<_>>().join("\n"));
    }
    failed(page, sweep);
    page.heading(3, "This run");
    page.block(&run(sweep));
    workers(page, sweep);
    page.heading(3, "Repeat it");
    page.block(&repeat(sweep));
}

fn data(sweep: &Sweep<'_>) -> String {
    let data = &sweep.input.data;
    format!(
        "- Data: {}, {}, {}, inputs scaled \"{}\", digest {}.\n\
         - Split: {} train, {} validate, {} test. The largest class has {:.2} % of the validation \
         split: chance, which a diverged trial counts as (its loss as ln {} = {:.3}). Nothing selects, sorts or compares on the test set.",
        escape(&data.name),
        count(data.n_inputs, "input"),
        count(data.n_classes, "class"),
        escape(data.scale.name()),
        code(&short_id(data.digest, 16)),
        thousands(data.n_train.into()),
        thousands(data.n_valid.into()),
        thousands(data.n_test.into()),
        data.largest_valid_class_share * 100.0,
        data.n_classes,
        libm::log(f64::from(data.n_classes)),
    )
}

fn budget(sweep: &Sweep<'_>) -> String {
    let n_confirm = sweep.input.trials.iter().filter(|it| it.phase == Phase::Confirm).count();
    let seeds: Vec<String> = sweep.seeds().iter().map(u32::to_string).collect();
    let epochs: Vec<String> = sweep.axis_values("epochs").iter().map(value_label).collect();
    let epochs = match epochs.as_slice() {
        [] => String::new(),
        [one] if one == "1" => ", 1 epoch each".to_string(),
        [least, .., most] if epochs.len() > MAX_LISTED => {
            format!(", up to {least} to {most} epochs each")
        }
        some => format!(", up to {} epochs each", some.join(" or ")),
    };
    let seeds = match seeds.as_slice() {
        [.., last] if seeds.len() > MAX_LISTED => {
            format!("{}, ..., {last}", seeds[..MAX_LISTED - 1].join(", "))
        }
        all => all.join(", "),
    };
    format!(
        "- Budget: {} in {}{epochs}; seeds {}.{}",
        count(sweep.counts.n_trials - n_confirm, "trial"),
        count(sweep.points.len(), "point"),
        seeds,
        confirm_budget(sweep, n_confirm),
    )
}

fn confirm_budget(sweep: &Sweep<'_>, n_confirm: usize) -> String {
    let Some(seeds) = confirm_seeds(sweep) else { return String::new() };
    if n_confirm > 0 {
        let n = count(n_confirm, "trial");
        return format!(" Then {n} of the best points, with the fresh {seeds}.");
    }
    match not_confirmed(sweep, &seeds) {
        NotConfirmed::Later(_) => {
            format!(" The best points follow with the fresh {seeds} when all these are done.")
        }
        NotConfirmed::Never(reason) => format!(" None with the fresh {seeds}: {reason}."),
    }
}

fn outcomes(sweep: &Sweep<'_>) -> String {
    let counts = sweep.counts;
    let mut text = format!(
        "- Outcomes: {} completed ({} of them collapsed: no better than 1.5 x chance), {} diverged, {} failed, {} cancelled",
        counts.n_completed,
        counts.n_collapsed,
        counts.n_diverged,
        counts.n_failed,
        counts.n_cancelled
    );
    if counts.n_open > 0 {
        text.push_str(&format!(", {} still open", counts.n_open));
    }
    text.push('.');
    text
}

fn failed(page: &mut Page, sweep: &Sweep<'_>) {
    let digits = id_digits(sweep);
    let rows: Vec<Vec<String>> = sweep
        .input
        .trials
        .iter()
        .filter_map(|trial| match &trial.state {
            State::Failed(Some(Failure { cause, n_attempts })) => {
                Some(vec![code(&short_id(trial.id, digits)), n_attempts.to_string(), escape(cause)])
            }
            _ => None,
        })
        .take(MAX_FAILED)
        .collect();
    if rows.is_empty() {
        return;
    }
    page.block(&format!("Failed trials ({} of {}):", rows.len(), sweep.counts.n_failed));
    page.table(&[(Left, "trial"), (Right, "attempts"), (Left, "cause")], &rows);
}

fn run(sweep: &Sweep<'_>) -> String {
    let facts = &sweep.input.provenance;
    let mut text = format!(
        "- Version {}, numerics {}.\n\
         - {} of running time over {}; {} granted, {} lost with their worker and granted again.",
        escape(&facts.version),
        facts.numerics_version,
        duration(facts.wall_s),
        count(facts.n_starts as usize, "start"),
        count(facts.n_attempts as usize, "attempt"),
        facts.n_lost,
    );
    if facts.n_conflicts > 0 {
        text.push_str(&format!(
            "\n- **{} contradicted an earlier one of the same trial: some worker's arithmetic cannot be trusted.**",
            count(facts.n_conflicts as usize, "result"),
        ));
    } else {
        text.push_str("\n- No trial gave two different digests.");
    }
    text
}

fn workers(page: &mut Page, sweep: &Sweep<'_>) {
    // Thousands of workers on equal machines are one row.
    let mut classes: BTreeMap<(&str, &str), (usize, u32, Vec<&str>)> = BTreeMap::new();
    for worker in &sweep.input.provenance.workers {
        let class = classes.entry((&worker.cpu, &worker.isa)).or_default();
        class.0 += 1;
        class.1 += worker.n_slots;
        class.2.push(&worker.name);
    }
    const MAX_ROWS: usize = 20;
    const MAX_NAMES: usize = 3;
    let rows: Vec<Vec<String>> = classes
        .iter()
        .take(MAX_ROWS)
        .map(|((cpu, isa), (n, slots, names))| {
            let mut shown: Vec<String> = names.iter().take(MAX_NAMES).map(|n| escape(n)).collect();
            if names.len() > MAX_NAMES {
                shown.push("…".to_string());
            }
            vec![escape(cpu), escape(isa), n.to_string(), slots.to_string(), shown.join(", ")]
        })
        .collect();
    let header = [
        (Left, "processor"),
        (Left, "instruction set"),
        (Right, "workers"),
        (Right, "slots"),
        (Left, "names"),
    ];
    page.table(&header, &rows);
}

fn repeat(sweep: &Sweep<'_>) -> String {
    let facts = &sweep.input.provenance;
    let mut folder = facts
        .report_folder
        .clone()
        .unwrap_or_else(|| command::quoted(format!("reports/{}", sweep.input.name)));
    if !sweep.counts.is_settled() {
        folder.push_str("/partial");
    }
    // Where nothing is the best, a row that diverged can be trained again just as well.
    let best = sweep.best(&sweep.points).map(|point| point.trial());
    let is_done = |trial: &&Trial| matches!(trial.state, State::Done(_));
    let replay = best.or_else(|| sweep.input.trials.iter().find(is_done)).map(|trial| {
        let id = short_id(trial.id, id_digits(sweep));
        let command = code(&format!("coordinator replay {folder} {}", command::quoted(id)));
        format!(" One row, trained again and compared with its digest: {command}.")
    });
    format!(
        "The whole sweep: {}.{} \
         [`sweep.toml`](sweep.toml) is the file as it ran; [`manifest.json`](manifest.json) lists versions and digests.",
        code(&facts.command),
        replay.unwrap_or_default(),
    )
}
