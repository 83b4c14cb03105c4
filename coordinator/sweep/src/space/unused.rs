//! What a sweep file says and nothing uses: keys, axes, values, questions. A sweep that drops them in
//! silence is not the one that its author meant, so each is refused. An axis that some optimizer of
//! its grid uses is in use, and so is a key that one grid uses.

use std::collections::BTreeSet;

use trial::{Interface, Parameter, Value, Variant};

use super::coverage::{Coverage, idle_values};
use super::domain::DEPTH;
use super::expand::variants;
use super::points::{Points, column_of};
use super::text::number_text;
use crate::file::objective::Objective;
use crate::file::problem::{Problem, Problems, Span};
use crate::file::spec::SweepFile;

/// Notes all that has no effect on the points, and on what the report says of them.
pub(crate) fn check(file: &SweepFile, points: &Points, problems: &mut Problems) {
    check_settings(file, problems);
    check_axes(file, problems);
    check_zips(file, problems);
    check_widths(file, problems);
    check_heatmaps(file, problems);
    check_hypotheses(file, points, problems);
    check_margins(file, problems);
    if !check_dropout(file, points, problems) {
        check_multiplied(file, points, problems);
    }
    check_patience(file, points, problems);
}

/// Keys of `[train]` that no optimizer of the file uses.
fn check_settings(file: &SweepFile, problems: &mut Problems) {
    let all = distinct(file.grids.iter().flat_map(|grid| variants(file, grid)));
    for setting in &file.fixed {
        let Some(parameter) = file.interface.parameter(setting.name) else { continue };
        if !all.iter().any(|variant| parameter.is_used_by(variant.name)) {
            let span = setting.key_span.clone();
            problems.push(unused_key(file.interface, parameter, span, &all));
        }
    }
}

/// Axes that no optimizer of their grid uses, however many values they have.
fn check_axes(file: &SweepFile, problems: &mut Problems) {
    for grid in &file.grids {
        let all = distinct(variants(file, grid).into_iter());
        for axis in &grid.axes {
            let Some(parameter) = file.interface.parameter(axis.name) else { continue };
            if !all.iter().any(|variant| parameter.is_used_by(variant.name)) {
                problems.push(unused_key(file.interface, parameter, axis.span.clone(), &all));
            }
        }
    }
}

/// A `zip` that pairs nothing with nothing.
fn check_zips(file: &SweepFile, problems: &mut Problems) {
    for grid in &file.grids {
        let Some(zip) = &grid.zip else { continue };
        if zip.value.is_empty() {
            let label = "expected a list of at least two axis names in it";
            let problem = Problem::at(zip.span.clone(), "`zip` has no effect", label);
            problems
                .push(problem.help(
                    "write `zip = [[\"batch_size\", \"learning_rate\"]]`, or remove the key",
                ));
        }
        for (span, group) in zip.value.iter().zip(&grid.groups) {
            if group.iter().all(|&axis| grid.axes[axis].values.len() == 1) {
                let label = "each of these axes has one value, so there is nothing to pair";
                let problem = Problem::at(span.clone(), "`zip` has no effect", label);
                problems.push(problem.help("give the axes more values, or remove the list"));
            }
        }
    }
}

fn distinct(variants: impl Iterator<Item = Variant>) -> Vec<Variant> {
    let mut all: Vec<Variant> = variants.collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn unused_key(
    interface: &Interface,
    parameter: &Parameter,
    span: Span,
    variants: &[Variant],
) -> Problem {
    let names: Vec<&str> = variants.iter().map(|variant| variant.name).collect();
    let verb = if names.len() == 1 { "does" } else { "do" };
    let label = format!("{} {verb} not use it", list(&names, "and"));
    let help = hint(interface, parameter, variants);
    Problem::at(span, format!("`{}` has no effect", parameter.name), label).help(help)
}

/// What the author most likely meant: another optimizer, or the key that this one has instead.
fn hint(interface: &Interface, parameter: &Parameter, variants: &[Variant]) -> String {
    let users: Vec<String> = interface
        .variants()
        .filter(|variant| parameter.is_used_by(variant.name))
        .map(|variant| format!("`{}`", variant.name))
        .collect();
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    let mut hint = format!("did you mean the {} {}?", interface.selector(), list(&users, "or"));
    for variant in variants {
        if let Some(instead) = counterpart(parameter.name, variant.name) {
            hint += &format!(" {} has `{instead}` for it.", variant.name);
        }
    }
    hint + " Otherwise remove the key"
}

/// The key by which an optimizer has what another one calls `key`.
fn counterpart(key: &str, optimizer: &str) -> Option<&'static str> {
    match (key, optimizer) {
        ("momentum", "adam" | "adamw" | "lion") => Some("beta1"),
        ("alpha", "adam" | "adamw") => Some("beta2"),
        ("beta2", "rmsprop") => Some("alpha"),
        ("decoupled_decay", "adamw" | "lion") => Some("weight_decay"),
        _ => None,
    }
}

/// `a, b and c`.
fn list(words: &[&str], last: &str) -> String {
    match words.split_last() {
        Some((word, rest)) if !rest.is_empty() => format!("{} {last} {word}", rest.join(", ")),
        _ => words.concat(),
    }
}

fn check_widths(file: &SweepFile, problems: &mut Problems) {
    let Some(span) = &file.widths_span else { return };
    let mut axes = file.grids.iter().flat_map(|grid| &grid.axes);
    if axes.any(|axis| axis.name == DEPTH) {
        return;
    }
    let label = "expected a grid with `depth`, which takes the first of them";
    let problem = Problem::at(span.clone(), "`widths` has no effect", label);
    problems.push(problem.help("the layers come from `hidden`; remove one of the two"));
}

fn check_heatmaps(file: &SweepFile, problems: &mut Problems) {
    let heatmaps = file.heatmaps.as_deref().unwrap_or_default();
    for (i, heatmap) in heatmaps.iter().enumerate() {
        if heatmaps[..i].iter().any(|former| former.value == heatmap.value) {
            let message = "a heatmap is listed twice";
            let label = "the report would show the same figure again";
            problems.push(Problem::at(heatmap.span.clone(), message, label));
        }
    }
}

/// Values of a side that no point has, beside others that some have.
fn check_hypotheses(file: &SweepFile, points: &Points, problems: &mut Problems) {
    for declaration in &file.hypotheses {
        let hypothesis = &declaration.hypothesis;
        for (filter, span) in [
            (&hypothesis.better, &declaration.better_span),
            (&hypothesis.than, &declaration.than_span),
        ] {
            let mut coverage = Coverage::new(filter, points.columns());
            for point in 0..points.len() {
                coverage.look(|column| points.code(point, column));
            }
            if coverage.n_matching() == 0 {
                continue;
            }
            for condition in coverage.idle(points.columns()) {
                problems.push(idle_values(span, "the sweep", filter, condition));
            }
        }
    }
}

/// Margins that no two accuracies can lie apart.
fn check_margins(file: &SweepFile, problems: &mut Problems) {
    if file.metric != Objective::VALID_ACCURACY {
        return;
    }
    for declaration in &file.hypotheses {
        let margin = declaration.hypothesis.margin;
        let Some(span) = declaration.margin_span.clone().filter(|_| margin > 1.0) else { continue };
        let label = "expected a share from 0 to 1, as accuracies are: 0.01 is one percentage point";
        let mut problem = Problem::at(span, "`margin` is larger than any difference", label);
        if margin <= 100.0 {
            let share = number_text(margin / 100.0);
            problem.help = Some(format!(
                "for {} percentage points write `margin = {share}`",
                number_text(margin)
            ));
        }
        problems.push(problem);
    }
}

/// The first place in the file that gives a key.
fn place_of(file: &SweepFile, name: &str) -> Option<Span> {
    let setting = file.fixed.iter().find(|setting| setting.name == name);
    let mut axes = file.grids.iter().flat_map(|grid| &grid.axes);
    setting
        .map(|setting| setting.key_span.clone())
        .or_else(|| axes.find(|axis| axis.name == name).map(|axis| axis.span.clone()))
}

/// Dropout drops hidden units, so that a network without them leaves it out. Whether it is refused.
fn check_dropout(file: &SweepFile, points: &Points, problems: &mut Problems) -> bool {
    let Some(span) = place_of(file, "dropout") else { return false };
    let drops = |&point: &usize| matches!(points.value(point, "dropout"), Some(Value::Number(share)) if *share > 0.0);
    let mut dropping = (0..points.len()).filter(drops).peekable();
    let is_idle = dropping.peek().is_some() && dropping.all(|point| points.depth(point) == 0);
    if is_idle {
        let label = "no network of the sweep has hidden units to drop";
        let problem = Problem::at(span, "`dropout` has no effect", label);
        problems.push(problem.help("give `hidden` a layer, or remove the key"));
    }
    is_idle
}

/// Dropout values of one network without hidden units: points that train the same trial again.
fn check_multiplied(file: &SweepFile, points: &Points, problems: &mut Problems) {
    let axes = || file.grids.iter().flat_map(|grid| &grid.axes);
    let Some(axis) = axes().find(|axis| axis.name == "dropout" && axis.values.len() > 1) else {
        return;
    };
    let dropout = column_of(file.interface.parameters, "dropout");
    let others = |&point: &usize| -> Vec<u32> {
        let columns = (0..points.columns().len()).filter(|&column| column != dropout);
        columns.map(|column| points.code(point, column)).collect()
    };
    let without_layers = || (0..points.len()).filter(|&point| points.depth(point) == 0);
    let distinct: BTreeSet<Vec<u32>> = without_layers().map(|point| others(&point)).collect();
    if without_layers().count() == distinct.len() {
        return;
    }
    let label =
        "networks without hidden layers have no units to drop, so these are the same trials again";
    let problem = Problem::at(axis.span.clone(), "`dropout` multiplies equal trials", label);
    problems.push(problem.help(
        "give `hidden = [[]]` a [[grid]] of its own without `dropout`, or leave the others out: \
         [[grid.exclude]] with `hidden = []` and all dropouts but one",
    ));
}

/// The first epoch is always better than none before it, so that a trial stops early only if its
/// patience ends before its epochs do.
fn check_patience(file: &SweepFile, points: &Points, problems: &mut Problems) {
    let Some(span) = place_of(file, "patience") else { return };
    let count = |point, key| match points.value(point, key) {
        Some(Value::Count(n)) => Some(*n),
        _ => None,
    };
    let can_stop = |point| {
        let (patience, epochs) = (count(point, "patience"), count(point, "epochs"));
        patience.zip(epochs).is_some_and(|(patience, epochs)| patience + 1 < epochs)
    };
    if !(0..points.len()).any(can_stop) {
        let label = "no trial has more than patience + 1 epochs, so none can stop early";
        let problem = Problem::at(span, "`patience` has no effect", label);
        problems.push(problem.help("take fewer epochs of patience, or remove the key"));
    }
}
