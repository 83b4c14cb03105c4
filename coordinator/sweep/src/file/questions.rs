//! Reads what the file asks: `[report]`, which figures to show, and `[[hypothesis]]`, which claims
//! to judge.

use super::problem::{Problem, Problems, Span, Spanned, did_you_mean};
use super::reader::Table;
use crate::file::objective::Objective;
use crate::file::spec::{Cell, Compare, Grid, HeatmapSpec, Hypothesis, HypothesisDeclaration};
use crate::space::domain::domain;
use crate::space::filter::Filter;

pub(crate) const REPORT_KEYS: &[&str] = &["metric", "heatmaps"];
pub(crate) const HEATMAP_KEYS: &[&str] = &["x", "y", "cell"];
pub(crate) const HYPOTHESIS_KEYS: &[&str] = &["claim", "better", "than", "compare", "margin"];

/// `[report]`: the metric and the heatmaps; `None` for what it leaves to the default.
pub(crate) fn report(
    root: &Table,
    grids: Option<&[Grid]>,
    problems: &mut Problems,
) -> (Option<Objective>, Option<Vec<Spanned<HeatmapSpec>>>) {
    let Some(table) = root.section("report", "`[report]`", REPORT_KEYS, problems) else {
        return (None, None);
    };
    let metric = table.word("metric", &Objective::NAMES, problems);
    let metric = metric.map(|i| Objective::ALL[i]);
    (metric, heatmaps(&table, grids, problems))
}

/// `[[hypothesis]]`: those without problems.
pub(crate) fn hypotheses(root: &Table, problems: &mut Problems) -> Vec<HypothesisDeclaration> {
    root.sections("hypothesis", "`[[hypothesis]]`", HYPOTHESIS_KEYS, problems)
        .iter()
        .filter_map(|table| hypothesis(table, problems))
        .collect()
}

fn heatmaps(
    report: &Table,
    grids: Option<&[Grid]>,
    problems: &mut Problems,
) -> Option<Vec<Spanned<HeatmapSpec>>> {
    let items = report.array("heatmaps", "a list of tables", problems)?;
    let mut specs = Vec::new();
    for item in items.iter() {
        let Some(mut table) = problems.ok(report.inner(item, "a heatmap")) else { continue };
        table.refuse_unknown(HEATMAP_KEYS, problems);
        let [x, y] = ["x", "y"].map(|name| heatmap_axis(&table, name, grids, problems));
        let cell = table.word("cell", &Cell::NAMES, problems).unwrap_or(0);
        let (Some(x), Some(y)) = (x, y) else { continue };
        if x == y {
            let label = format!("expected two axes, found `{x}` twice");
            problems.push(Problem::at(table.span.clone(), "a heatmap needs two axes", label));
            continue;
        }
        let value = HeatmapSpec { x, y, cell: [Cell::Best, Cell::Mean][cell] };
        specs.push(Spanned { value, span: table.span });
    }
    Some(specs)
}

/// The axis that `x` or `y` names: one that some grid sweeps.
fn heatmap_axis(
    table: &Table,
    side: &str,
    grids: Option<&[Grid]>,
    problems: &mut Problems,
) -> Option<&'static str> {
    if table.item(side).is_none() {
        table.missing(side, format!("add `{side} = \"learning_rate\"`"), problems);
    }
    let text = table.text(side, problems)?;
    // Without grids their own problems are told, and more would only repeat them.
    let axes: Vec<&'static str> =
        grids?.iter().flat_map(|grid| &grid.axes).map(|axis| axis.name).collect();
    // The same layers under their other name.
    let is_shape = |name: &str| name == "depth" || name == "hidden";
    let found =
        domain(table.interface.parameters, &text.value).map(|domain| domain.name).filter(|name| {
            axes.contains(name) || is_shape(name) && axes.iter().any(|axis| is_shape(axis))
        });
    if found.is_none() {
        let mut known = axes;
        known.sort_unstable();
        known.dedup();
        let message = format!("a heatmap names `{}`, which is no axis", text.value);
        let problem = Problem::at(text.span, message, "expected an axis of a grid");
        problems.push(problem.help(did_you_mean(&text.value, &known, "axes")));
    }
    found
}

fn hypothesis(table: &Table, problems: &mut Problems) -> Option<HypothesisDeclaration> {
    for (name, help) in [
        ("claim", "add `claim = \"what you expect\"`"),
        ("better", "add `better = { optimizer = \"backtracking\" }`"),
        ("than", "add `than = { optimizer = \"sgd\" }`"),
    ] {
        if table.item(name).is_none() {
            table.missing(name, help, problems);
        }
    }
    let claim = table.text("claim", problems);
    let better = side(table, "better", "`better`", problems);
    let than = side(table, "than", "`than`", problems);
    let compare = table.word("compare", &Compare::NAMES, problems).unwrap_or(0);
    let margin = margin(table, problems);
    let (better, than) = (better?, than?);
    let hypothesis = Hypothesis {
        claim: claim?.value,
        better: better.value,
        than: than.value,
        compare: [Compare::Best, Compare::Matched][compare],
        margin,
    };
    let span = table.span.clone();
    let margin_span = table.item("margin").map(|item| item.span());
    let (better_span, than_span) = (better.span, than.span);
    Some(HypothesisDeclaration { hypothesis, better_span, than_span, margin_span, span })
}

fn side(
    table: &Table,
    name: &str,
    title: &'static str,
    problems: &mut Problems,
) -> Option<Spanned<Filter>> {
    let side = problems.ok(table.inner(table.item(name)?, title))?;
    let value = Filter::read(&side, problems)?;
    let span: Span = side.span;
    Some(Spanned { value, span })
}

fn margin(table: &Table, problems: &mut Problems) -> f64 {
    let Some(margin) = table.number("margin", problems) else { return 0.0 };
    if !(margin.value.is_finite() && 0.0 <= margin.value) {
        let label = "expected a finite number from 0";
        problems.push(Problem::at(margin.span, "`margin` is out of range", label));
    }
    margin.value
}
