//! Expands grids into distinct points, and tells for each copy that was dropped why it was one.

use std::collections::BTreeMap;
use std::fmt;

use trial::{Value, Variant};

use super::coverage::{Coverage, idle_values};
use super::domain::DEPTH;
use super::filter::Filter;
use super::points::{Column, Points, column_of};
use crate::file::problem::{Problem, Problems, Spanned};
use crate::file::spec::{Grid, GridAxis, SweepFile};

/// Why combinations of axis values, or seeds, are the same as others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DuplicateReason {
    /// The variant does not use the axis.
    Unused { axis: &'static str, variant: Variant },
    /// The axis lists a value twice, perhaps in two spellings.
    ListedTwice { axis: &'static str },
    /// Two grids name the same point.
    TwoGrids,
    /// `[seeds]` lists a seed twice.
    SeedTwice,
}

/// Duplicates that were dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicates {
    pub reason: DuplicateReason,
    /// Combinations (for `SeedTwice`: entries of the list).
    pub n_copies: u64,
}

impl fmt::Display for Duplicates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            DuplicateReason::Unused { axis, variant } => {
                write!(f, "{axis} is not used by {}", variant.name)?;
            }
            DuplicateReason::ListedTwice { axis } => write!(f, "{axis} lists a value twice")?,
            DuplicateReason::TwoGrids => write!(f, "named by two grids")?,
            DuplicateReason::SeedTwice => write!(f, "a seed is listed twice")?,
        }
        let plural = if self.n_copies == 1 { "copy" } else { "copies" };
        write!(f, ": {} {plural}", self.n_copies)
    }
}

/// The first combination that named a point.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) grid: usize,
    combination: u32,
}

pub(crate) struct Expansion {
    pub(crate) points: Points,
    /// One for each point.
    pub(crate) origins: Vec<Origin>,
    pub(crate) copies: Vec<Duplicates>,
    pub(crate) n_excluded: u64,
    /// What the grids and their exclusions say to no effect.
    pub(crate) unused: Vec<Problem>,
}

/// Combinations of a grid's axis values; `None` beyond u64.
pub(crate) fn n_combinations(grid: &Grid) -> Option<u64> {
    let sizes = grid.groups.iter().map(|group| grid.axes[group[0]].values.len() as u64);
    sizes.into_iter().try_fold(1u64, |product, size| product.checked_mul(size))
}

/// Expands every grid of the file. The caller has checked that the combinations are few enough.
pub(crate) fn expand(file: &SweepFile, problems: &mut Problems) -> Expansion {
    let mut named = Points::new(columns(file));
    let mut origins = Vec::new();
    let mut n_excluded = 0;
    let mut unused = Vec::new();
    for i in 0..file.grids.len() {
        n_excluded += expand_grid(file, i, &mut named, &mut origins, &mut unused, problems);
    }
    let mut order: Vec<u32> = (0..named.len() as u32).collect();
    // Stable, so the first of several copies is the first that the file names.
    order.sort_by(|&a, &b| named.row(a as usize).cmp(named.row(b as usize)));
    let mut kept: Vec<u32> = Vec::with_capacity(order.len());
    let mut copies: BTreeMap<DuplicateReason, u64> = BTreeMap::new();
    if file.n_seed_copies > 0 {
        copies.insert(DuplicateReason::SeedTwice, file.n_seed_copies);
    }
    for point in order {
        match kept.last() {
            Some(&first) if named.row(first as usize) == named.row(point as usize) => {
                let (first, copy) = (origins[first as usize], origins[point as usize]);
                *copies.entry(copy_reason(file, first, copy)).or_default() += 1;
            }
            _ => kept.push(point),
        }
    }
    Expansion {
        points: named.select(&kept),
        origins: kept.iter().map(|&point| origins[point as usize]).collect(),
        copies: copies
            .into_iter()
            .map(|(reason, n_copies)| Duplicates { reason, n_copies })
            .collect(),
        n_excluded,
        unused,
    }
}

/// Every value that a point of the file can have, key by key.
fn columns(file: &SweepFile) -> Vec<Column> {
    let parameters = file.interface.parameters;
    parameters
        .iter()
        .enumerate()
        .map(|(column, parameter)| {
            let mut values = Vec::new();
            for grid in &file.grids {
                let axis = grid.axes.iter().find(|axis| column_of(parameters, axis.name) == column);
                for variant in variants(file, grid) {
                    if !parameter.is_used_by(variant.name) {
                        values.push(None);
                    } else if let Some(axis) = axis {
                        let value = |i| Some(axis_value(file, axis, i));
                        values.extend((0..axis.values.len()).map(value));
                    } else {
                        let fixed = fixed(file, parameter.name).cloned();
                        values.push(fixed.or_else(|| parameter.default_for(variant.name)));
                    }
                }
            }
            Column::new(parameter, values)
        })
        .collect()
}

fn fixed<'a>(file: &'a SweepFile, name: &str) -> Option<&'a Value> {
    file.fixed.iter().find(|setting| setting.name == name).map(|setting| &setting.value)
}

/// The value of the key that an axis sweeps: `depth` means the first of the widths.
fn axis_value(file: &SweepFile, axis: &GridAxis, i: usize) -> Value {
    match &axis.values[i].value {
        Value::Count(depth) if axis.name == DEPTH => {
            Value::Widths(file.widths[..*depth as usize].to_vec())
        }
        value => value.clone(),
    }
}

/// The variants of a grid, one for each value of their axis, or the fixed one.
pub(crate) fn variants(file: &SweepFile, grid: &Grid) -> Vec<Variant> {
    let selector = file.interface.selector();
    let names: Vec<&Value> = match variant_axis(file, grid) {
        Some(axis) => grid.axes[axis].values.iter().map(|value| &value.value).collect(),
        None => fixed(file, selector).into_iter().collect(),
    };
    let variant = |value: &Value| match value {
        Value::Text(name) => file.interface.variant(name),
        _ => None,
    };
    names.into_iter().filter_map(variant).collect()
}

/// The place of the axis that names the variant.
fn variant_axis(file: &SweepFile, grid: &Grid) -> Option<usize> {
    grid.axes.iter().position(|axis| axis.name == file.interface.selector())
}

/// Adds a grid's combinations to `named`; gives how many its exclusions left out.
fn expand_grid(
    file: &SweepFile,
    i_grid: usize,
    named: &mut Points,
    origins: &mut Vec<Origin>,
    unused: &mut Vec<Problem>,
    problems: &mut Problems,
) -> u64 {
    let grid = &file.grids[i_grid];
    let codes = GridCodes::new(file, grid, named.columns());
    let mut excludes: Vec<Coverage> =
        grid.excludes.iter().map(|it| Coverage::new(&it.value, named.columns())).collect();
    let mut hits = ExcludeHits::new(grid.excludes.len());
    let mut n_excluded = 0;
    let mut positions = vec![0; grid.axes.len()];
    let mut row = Vec::new();
    let n_combinations = n_combinations(grid).expect("the caller checked the number of trials");
    for combination in 0..n_combinations as u32 {
        find_positions(grid, combination, &mut positions);
        codes.write_row(&positions, &mut row);
        let matching = excludes.iter_mut().enumerate();
        let matching = matching.filter_map(|(i, it)| it.look(|column| row[column]).then_some(i));
        if hits.note(matching) {
            n_excluded += 1;
        } else {
            named.push(&row);
            origins.push(Origin { grid: i_grid, combination });
        }
    }
    check_excludes(grid, &excludes, &hits, named.columns(), unused, problems);
    if n_excluded == n_combinations && file.grids.len() > 1 {
        let label = "every combination is left out by its `[[grid.exclude]]`";
        unused.push(Problem::at(grid.span.clone(), "this grid has no trials", label));
    }
    n_excluded
}

/// Which of a grid's exclusions leave out a combination that those before, or those behind it, do not.
struct ExcludeHits {
    is_first: Vec<bool>,
    is_last: Vec<bool>,
}

impl ExcludeHits {
    fn new(n_excludes: usize) -> Self {
        Self { is_first: vec![false; n_excludes], is_last: vec![false; n_excludes] }
    }

    /// Notes the exclusions that hold for one combination, ascending; false if none does.
    fn note(&mut self, mut matching: impl Iterator<Item = usize>) -> bool {
        let Some(first) = matching.next() else { return false };
        self.is_first[first] = true;
        self.is_last[matching.last().unwrap_or(first)] = true;
        true
    }
}

/// Notes exclusions that leave nothing out, or nothing that others do not, and values of the rest
/// that do not.
fn check_excludes(
    grid: &Grid,
    excludes: &[Coverage],
    hits: &ExcludeHits,
    columns: &[Column],
    unused: &mut Vec<Problem>,
    problems: &mut Problems,
) {
    for (i, (exclude, coverage)) in grid.excludes.iter().zip(excludes).enumerate() {
        let is_same = |other: &Spanned<Filter>| other.value == exclude.value;
        let is_repeat = grid.excludes[..i].iter().any(is_same);
        if is_repeat {
            let label = format!("the grid leaves out {} already", exclude.value);
            let problem = Problem::at(exclude.span.clone(), "an exclusion is listed twice", label);
            unused.push(problem.help("remove one of them, or correct its values"));
        }
        if coverage.n_matching() == 0 {
            let message = "this exclusion leaves nothing out";
            let label = format!("no point of this grid has {}", exclude.value);
            let problem = Problem::at(exclude.span.clone(), message, label);
            problems.push(problem.help("correct its values or remove it"));
            continue;
        }
        let is_repeated = is_repeat || grid.excludes[i + 1..].iter().any(is_same);
        let is_needed = hits.is_first[i] && hits.is_last[i];
        if !(is_repeated || is_needed) {
            let label = format!("other exclusions of the grid leave out {} already", exclude.value);
            let problem = Problem::at(exclude.span.clone(), "an exclusion has no effect", label);
            unused.push(problem.help("remove it, or correct its values"));
            continue;
        }
        for condition in coverage.idle(columns) {
            unused.push(idle_values(&exclude.span, "this grid", &exclude.value, condition));
        }
    }
}

/// A combination's place on each axis; the last group of axes turns fastest.
fn find_positions(grid: &Grid, combination: u32, positions: &mut [usize]) {
    let mut rest = combination as usize;
    for group in grid.groups.iter().rev() {
        let size = grid.axes[group[0]].values.len();
        for &axis in group {
            positions[axis] = rest % size;
        }
        rest /= size;
    }
}

/// What turns a grid's axis positions into codes of all columns.
struct GridCodes {
    /// The axis that names the variant.
    variant_axis: Option<usize>,
    /// For each of the grid's variants, the codes of what no axis sweeps.
    bases: Vec<Vec<u32>>,
    axes: Vec<AxisCodes>,
}

struct AxisCodes {
    column: usize,
    /// Whether each of the grid's variants uses it.
    is_used: Vec<bool>,
    /// The code of each value; empty if no variant uses the axis.
    codes: Vec<u32>,
}

impl GridCodes {
    fn new(file: &SweepFile, grid: &Grid, columns: &[Column]) -> Self {
        let variants = variants(file, grid);
        let axes: Vec<AxisCodes> =
            grid.axes.iter().map(|axis| AxisCodes::new(file, axis, columns, &variants)).collect();
        let base = |(i, variant): (usize, &Variant)| {
            let code = |(i_column, column): (usize, &Column)| {
                if axes.iter().any(|axis| axis.column == i_column && axis.is_used[i]) {
                    return 0;
                }
                let given = fixed(file, column.parameter.name).cloned();
                let value = given.or_else(|| column.parameter.default_for(variant.name));
                column.code(value.filter(|_| column.parameter.is_used_by(variant.name)).as_ref())
            };
            columns.iter().enumerate().map(code).collect()
        };
        let bases = variants.iter().enumerate().map(base).collect();
        Self { variant_axis: variant_axis(file, grid), bases, axes }
    }

    fn write_row(&self, positions: &[usize], row: &mut Vec<u32>) {
        let variant = self.variant_axis.map_or(0, |axis| positions[axis]);
        row.clone_from(&self.bases[variant]);
        for (axis, &position) in self.axes.iter().zip(positions) {
            if axis.is_used[variant] {
                row[axis.column] = axis.codes[position];
            }
        }
    }
}

impl AxisCodes {
    fn new(file: &SweepFile, axis: &GridAxis, columns: &[Column], variants: &[Variant]) -> Self {
        let column = column_of(file.interface.parameters, axis.name);
        let parameter = columns[column].parameter;
        let is_used: Vec<bool> =
            variants.iter().map(|variant| parameter.is_used_by(variant.name)).collect();
        let code = |i| columns[column].code(Some(&axis_value(file, axis, i)));
        let n_codes = if is_used.contains(&true) { axis.values.len() } else { 0 };
        Self { column, is_used, codes: (0..n_codes).map(code).collect() }
    }
}

/// Why two combinations are the same point.
fn copy_reason(file: &SweepFile, first: Origin, copy: Origin) -> DuplicateReason {
    if first.grid != copy.grid {
        return DuplicateReason::TwoGrids;
    }
    let grid = &file.grids[copy.grid];
    let [mut a, mut b] = [(); 2].map(|()| vec![0; grid.axes.len()]);
    find_positions(grid, first.combination, &mut a);
    find_positions(grid, copy.combination, &mut b);
    let variant = variants(file, grid)[variant_axis(file, grid).map_or(0, |axis| b[axis])];
    let differing = || (0..a.len()).filter(|&i| a[i] != b[i]);
    let is_unused = |&i: &usize| {
        let parameter = file.interface.parameter(grid.axes[i].name);
        parameter.is_some_and(|parameter| !parameter.is_used_by(variant.name))
    };
    match differing().find(is_unused) {
        Some(i) => DuplicateReason::Unused { axis: grid.axes[i].name, variant },
        None => {
            let i = differing().next().expect("two combinations differ on some axis");
            DuplicateReason::ListedTwice { axis: grid.axes[i].name }
        }
    }
}

impl Origin {
    /// Where the file gives a point its value of a key, or else what made the point use it.
    pub(crate) fn span(&self, file: &SweepFile, key: &str) -> crate::file::problem::Span {
        let grid = &file.grids[self.grid];
        let mut positions = vec![0; grid.axes.len()];
        find_positions(grid, self.combination, &mut positions);
        let on_axis = |key: &str| {
            let axis = grid.axes.iter().position(|axis| axis.name == key)?;
            Some(grid.axes[axis].values[positions[axis]].span.clone())
        };
        let in_train = || file.fixed.iter().find(|setting| setting.name == key);
        on_axis(key)
            .or_else(|| on_axis(DEPTH).filter(|_| key == "hidden"))
            .or_else(|| in_train().map(|setting| setting.span.clone()))
            .or_else(|| on_axis(file.interface.selector()))
            .unwrap_or_else(|| grid.span.clone())
    }
}
