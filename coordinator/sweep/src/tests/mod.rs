//! Tests of the sweep language as a whole: refusals, expansion, identity, properties.

mod confirm;
mod expansion;
mod identity;
mod mutations;
mod properties;
mod refusals;
mod schema;

use trial::Digest;

use super::plan;
use crate::{DatasetMeta, Draft, Plan, Problem, SweepFile, plan_recorded};

/// A small sweep that tests change line by line: 2 x 2 x 1 x 2 points.
const BASE: &str = r#"name = "base"
[dataset]
name = "mnist"
[model]
widths = [256, 128, 64]
[train]
epochs = 10
[[grid]]
optimizer = ["sgd", "backtracking"]
learning_rate = [0.01, 0.1]
batch_size = [32]
depth = [1, 2]
"#;

fn parse(source: &str) -> Result<SweepFile, Vec<Problem>> {
    crate::parse(source, trainer::interface())
}

fn draft(source: &str) -> Draft {
    crate::draft(source, trainer::interface())
}

/// `BASE` with the one line that starts so replaced.
fn base_with(start: &str, replacement: &str) -> String {
    let is_meant = |line: &&str| line.starts_with(start);
    assert_eq!(BASE.lines().filter(is_meant).count(), 1, "one line starts with {start}");
    let lines = BASE.lines().map(|line| if is_meant(&line) { replacement } else { line });
    lines.map(|line| format!("{line}\n")).collect()
}

fn mnist() -> DatasetMeta {
    DatasetMeta {
        digest: Digest([7; 32]),
        n_train_rows: 60_000,
        n_test_rows: 10_000,
        n_inputs: 784,
        n_classes: 10,
        nonzero_share: 0.19,
    }
}

/// `line:column message | label | help`, one line a problem.
fn render(source: &str, problems: &[Problem]) -> String {
    let lines: Vec<String> = problems
        .iter()
        .map(|problem| {
            let place = match &problem.span {
                None => "file".to_string(),
                Some(span) => {
                    let before = &source[..span.start];
                    let line = before.matches('\n').count() + 1;
                    let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
                    format!("{line}:{column}")
                }
            };
            let help = problem.help.iter().map(|help| format!(" | {help}")).collect::<String>();
            format!("{place} {} | {}{help}", problem.message, problem.label)
        })
        .collect();
    lines.join("\n")
}

fn try_plan(source: &str) -> Result<Plan, String> {
    let planned = parse(source).and_then(|file| plan(&file, &mnist()));
    planned.map_err(|problems| render(source, &problems))
}

fn planned(source: &str) -> Plan {
    try_plan(source).unwrap_or_else(|problems| panic!("{problems}\n{source}"))
}

/// Expects a file's problems, each as `line:column message | label | help`.
fn check(source: &str, expected: &[&str]) {
    match try_plan(source) {
        Ok(_) => panic!("was accepted:\n{source}"),
        Err(problems) => assert_eq!(problems, expected.join("\n"), "\n{source}"),
    }
}

/// `BASE` with lines after its end.
fn base_and(lines: &str) -> String {
    format!("{BASE}{lines}\n")
}
