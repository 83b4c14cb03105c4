//! Planning: a sweep file expanded against its data set, and what is wrong with it.

use trial::{Digest, Misfit, Split, Value};

use super::identity::Identity;
use super::split::{default_n_valid, split};
use crate::file::problem::{Problem, Problems};
use crate::file::single;
use crate::file::spec::{Cell, Grid, HeatmapSpec, SweepFile};
use crate::limits::MAX_TRIALS;
use crate::plan::{Axis, DatasetMeta, Phase, Plan, ReportSpec, Trial};
use crate::space::domain::DEPTH;
use crate::space::expand::{Expansion, Origin, expand, n_combinations, variants};
use crate::space::points::{column_of, order};
use crate::space::unused;

/// Expands a sweep file. On failure the problems come in the order of the file.
pub fn plan(file: &SweepFile, facts: &DatasetMeta) -> Result<Plan, Vec<Problem>> {
    let default_n_valid = default_n_valid(facts.n_train_rows);
    plan_by(&Rules { default_n_valid, is_strict: true }, file, facts)
}

/// Expands the file of a sweep that was recorded, perhaps by a build that refused less: what it
/// recorded stays readable. `default_n_valid` rows validated if the file says nothing.
pub fn plan_recorded(
    file: &SweepFile,
    facts: &DatasetMeta,
    default_n_valid: u32,
) -> Result<Plan, Vec<Problem>> {
    plan_by(&Rules { default_n_valid, is_strict: false }, file, facts)
}

pub(crate) fn plan_by(
    rules: &Rules,
    file: &SweepFile,
    facts: &DatasetMeta,
) -> Result<Plan, Vec<Problem>> {
    let mut problems = Problems::default();
    let split = split(file, facts.n_train_rows, rules.default_n_valid, &mut problems);
    if let Some(split) = split {
        check_batches(file, split, &mut problems);
    }
    if !check_size(file, &mut problems) {
        return Err(problems.into_sorted());
    }
    // Without one the problems of the points are told as well; the plan is refused anyway.
    let split = split.unwrap_or(Split { n_train: 1, n_valid: 1, scale: file.scale });
    let expansion = expand(file, &mut problems);
    let trials = trials(rules, file, facts, split, &expansion, &mut problems);
    if rules.is_strict {
        expansion.unused.into_iter().for_each(|problem| problems.push(problem));
        unused::check(file, &expansion.points, &mut problems);
        single::check(file, &mut problems);
    }
    let axes = axes(file);
    let plan = Plan {
        interface: file.interface,
        name: file.name.clone(),
        description: file.description.clone(),
        dataset_digest: facts.digest,
        split,
        points: expansion.points,
        trials,
        duplicates_dropped: expansion.copies,
        overridden: overridden(file),
        idle_widths: idle_widths(file),
        n_excluded: expansion.n_excluded,
        report: ReportSpec { metric: file.metric, heatmaps: heatmaps(file, &axes) },
        axes,
        seeds: file.seeds.clone(),
        n_confirm_seeds: file.confirm.as_ref().map_or(0, |n_seeds| n_seeds.value),
        hypotheses: file.hypotheses.iter().map(|it| it.hypothesis.clone()).collect(),
        facts: facts.clone(),
    };
    if plan.points.is_empty() {
        let span = file.grids[0].span.clone();
        let label = "every combination is left out by `[[grid.exclude]]`";
        problems.push(Problem::at(span, "the sweep has no trials", label));
    } else {
        let n_problems = problems.len();
        super::hypothesis::check(file, &plan, &mut problems);
        if rules.is_strict && problems.len() == n_problems {
            super::hypothesis::check_repeats(file, &plan, &mut problems);
        }
        crate::phases::confirm::check(file, &plan, &mut problems);
    }
    if problems.is_empty() { Ok(plan) } else { Err(problems.into_sorted()) }
}

/// What is wrong with a file whatever its data set holds, in the order of the file.
pub fn check_without_data(file: &SweepFile) -> Vec<Problem> {
    let anything = DatasetMeta {
        digest: Digest([0; 32]),
        n_train_rows: u32::MAX,
        n_test_rows: u32::MAX,
        n_inputs: 1,
        n_classes: 2,
        nonzero_share: 1.0,
    };
    plan(file, &anything).err().unwrap_or_default()
}

pub(crate) fn check_batches(file: &SweepFile, split: Split, problems: &mut Problems) {
    let axes = file.grids.iter().flat_map(|grid| &grid.axes);
    let on_axes = axes.filter(|axis| axis.name == "batch_size").flat_map(|axis| &axis.values);
    let on_axes = on_axes.map(|value| (&value.value, &value.span));
    let fixed = file.fixed.iter().filter(|setting| setting.name == "batch_size");
    let fixed = fixed.map(|setting| (&setting.value, &setting.span));
    for (value, span) in on_axes.chain(fixed) {
        if matches!(*value, Value::Count(n) if n > u64::from(split.n_train)) {
            let label = format!("expected at most {}, the rows that train", split.n_train);
            let message = "`batch_size` is larger than the training set";
            problems.push(Problem::at(span.clone(), message, label));
        }
    }
}

/// Counts trials before anything is allocated for them; false if they are too many.
pub(crate) fn check_size(file: &SweepFile, problems: &mut Problems) -> bool {
    let n_seeds = file.seeds.len() as u64;
    let mut total = Some(0u64);
    for grid in &file.grids {
        let n_trials = n_combinations(grid).and_then(|n| n.checked_mul(n_seeds));
        total = total.zip(n_trials).and_then(|(a, b)| a.checked_add(b));
        if total.is_none_or(|total| total > MAX_TRIALS) {
            let n = total.map_or("over 18 quintillion".to_string(), |n| n.to_string());
            let label = format!("{n} trials up to here, the limit is {MAX_TRIALS}");
            problems.push(
                Problem::at(grid.span.clone(), "the sweep has too many trials", label).help(
                    "give the axes fewer values or use fewer seeds; `zip` pairs axes instead of crossing them",
                ),
            );
            return false;
        }
    }
    true
}

/// Every point's configuration, checked as a whole, and the ids of its trials.
pub(crate) fn trials(
    rules: &Rules,
    file: &SweepFile,
    facts: &DatasetMeta,
    split: Split,
    expansion: &Expansion,
    problems: &mut Problems,
) -> Vec<Trial> {
    let points = &expansion.points;
    let interface = file.interface;
    let identity = Identity::new(interface, facts.digest, split);
    let mut trials = Vec::with_capacity(points.len() * file.seeds.len());
    for point in 0..points.len() {
        let hyperparameters = points.hyperparameters(point, file.seeds[0]);
        let origin = &expansion.origins[point];
        let shape = rules.is_strict.then(|| facts.shape());
        let fits = (interface.check)(&hyperparameters, shape);
        problems.ok(fits.map_err(|misfit| misfit_at(file, origin, misfit)));
        let texts = identity.texts(&hyperparameters);
        trials.extend(file.seeds.iter().map(|&seed| Trial {
            id: texts.id(seed),
            point: point as u32,
            seed,
            phase: Phase::Grid,
        }));
    }
    trials
}

fn misfit_at(file: &SweepFile, origin: &Origin, misfit: Misfit) -> Problem {
    let Misfit { parameter, message, label, help } = misfit;
    Problem { help, ..Problem::at(origin.span(file, parameter), message, label) }
}

pub(crate) fn overridden(file: &SweepFile) -> Vec<&'static str> {
    let names = file.fixed.iter().map(|setting| setting.name);
    let is_overridden = |name: &&str| {
        let place = |name| column_of(file.interface.parameters, name);
        let column = place(name);
        let has_axis = |grid: &&Grid| grid.axes.iter().any(|axis| place(axis.name) == column);
        let mut users = file.grids.iter().filter(|grid| uses(file, grid, name)).peekable();
        users.peek().is_some() && users.all(|grid| has_axis(&grid))
    };
    names.filter(is_overridden).collect()
}

/// Whether a variant of the grid has the parameter.
pub(crate) fn uses(file: &SweepFile, grid: &Grid, name: &str) -> bool {
    let Some(parameter) = file.interface.parameter(name) else { return true };
    variants(file, grid).into_iter().any(|variant| parameter.is_used_by(variant.name))
}

/// None where nothing takes a depth, which is refused.
pub(crate) fn idle_widths(file: &SweepFile) -> Vec<u32> {
    let axes = file.grids.iter().flat_map(|grid| &grid.axes).filter(|axis| axis.name == DEPTH);
    let depths = axes.flat_map(|axis| &axis.values).filter_map(|value| match value.value {
        Value::Count(depth) => usize::try_from(depth).ok(),
        _ => None,
    });
    let deepest = depths.max().unwrap_or(file.widths.len());
    file.widths.get(deepest..).unwrap_or_default().to_vec()
}

/// The axes of all grids, in the order in which the file first names them.
pub(crate) fn axes(file: &SweepFile) -> Vec<Axis> {
    let mut axes: Vec<Axis> = Vec::new();
    for axis in file.grids.iter().flat_map(|grid| &grid.axes) {
        let values = axis.values.iter().map(|value| value.value.clone());
        match axes.iter_mut().find(|known| known.name == axis.name) {
            Some(known) => known.values.extend(values),
            None => axes.push(Axis { name: axis.name, values: values.collect() }),
        }
    }
    for axis in &mut axes {
        axis.values.sort_by(order);
        axis.values.dedup();
    }
    axes
}

/// The heatmaps that the file asks for, or else one over its first two axes, those that vary before
/// those that do not. The optimizer is not an axis of it: it has panels of its own.
pub(crate) fn heatmaps(file: &SweepFile, axes: &[Axis]) -> Vec<HeatmapSpec> {
    if let Some(heatmaps) = &file.heatmaps {
        return heatmaps.iter().map(|heatmap| heatmap.value).collect();
    }
    let mut candidates: Vec<&Axis> = axes.iter().filter(|axis| axis.name != "optimizer").collect();
    candidates.sort_by_key(|axis| axis.values.len() == 1);
    match candidates.as_slice() {
        [x, y, ..] => vec![HeatmapSpec { x: x.name, y: y.name, cell: Cell::Best }],
        _ => Vec::new(),
    }
}

/// By which rules a file is planned.
pub(crate) struct Rules {
    /// Rows that validate where the file says nothing.
    default_n_valid: u32,
    /// Whether what has no effect and what no program would run is refused.
    is_strict: bool,
}
