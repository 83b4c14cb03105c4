//! Reads `[[grid]]`: its axes, lists or ranges, which of them go in step, and what it excludes.

use toml::de::DeValue;
use trial::wording::n_of;
use trial::{Kind, Parameter, Value};

use super::domain::{DEPTH, Domain, domain, names, toml_text};
use super::filter::Filter;
use super::range;
use super::text::number_text;
use crate::file::problem::{Problem, Problems, Span, Spanned, did_you_mean};
use crate::file::reader::{Item, Table, whole_numbers, wrong_type};
use crate::file::spec::{Grid, GridAxis, Setting};
use crate::limits::MAX_AXIS_VALUES;

pub(crate) const TITLE: &str = "`[[grid]]`";
pub(crate) const EXCLUDE_TITLE: &str = "`[[grid.exclude]]`";

/// Every key of `[[grid]]`: the axes, then what is said about them.
pub(crate) fn keys(parameters: &[Parameter]) -> Vec<&'static str> {
    let mut keys = names(parameters);
    keys.extend(["zip", "exclude"]);
    keys
}

/// What the rest of the file gives a grid.
pub(crate) struct Surroundings<'a> {
    pub(crate) fixed: &'a [Setting],
    /// `[model] widths`; `None` if the file has none.
    pub(crate) widths: Option<&'a [u32]>,
}

/// An axis as the file names it; `values` is `None` if they have problems, which are noted.
struct NamedAxis {
    name: &'static str,
    span: Span,
    values: Option<Vec<Spanned<Value>>>,
}

pub(crate) fn read(table: &Table, around: &Surroundings, problems: &mut Problems) -> Option<Grid> {
    let axes: Vec<NamedAxis> = table
        .entries()
        .into_iter()
        .filter_map(|(name, span, item)| {
            let domain = domain(table.interface.parameters, name)?;
            let values = axis_values(table, domain, item, problems);
            Some(NamedAxis { name: domain.name, span, values })
        })
        .collect();
    check_required(table, &axes, around, problems);
    check_depth(&axes, around, problems);
    let (groups, zip) = groups(table, &axes, problems);
    let excludes = excludes(table, problems);
    let axes: Option<Vec<GridAxis>> = axes
        .into_iter()
        .map(|axis| Some(GridAxis { name: axis.name, span: axis.span, values: axis.values? }))
        .collect();
    Some(Grid { span: table.span.clone(), axes: axes?, groups, zip, excludes })
}

fn axis_values(
    table: &Table,
    domain: Domain,
    item: Item,
    problems: &mut Problems,
) -> Option<Vec<Spanned<Value>>> {
    match item.get_ref() {
        DeValue::Array(items) => {
            if items.is_empty() {
                problems.push(Problem::at(
                    item.span(),
                    format!("`{}` has no values", domain.name),
                    format!("expected {} with at least one value", domain.many()),
                ));
                return None;
            }
            if items.len() > MAX_AXIS_VALUES {
                problems.push(Problem::at(
                    item.span(),
                    format!("`{}` has too many values", domain.name),
                    format!("{} values, the limit is {MAX_AXIS_VALUES}", items.len()),
                ));
                return None;
            }
            let read = |item: Item| {
                let value = list_value(domain, item)?;
                Ok(Spanned { value, span: item.span() })
            };
            let values: Vec<_> = items.iter().filter_map(|item| problems.ok(read(item))).collect();
            (values.len() == items.len()).then_some(values)
        }
        DeValue::Table(_) if matches!(domain.kind, Kind::Number | Kind::Count) => {
            range_values(table, domain, item, problems)
        }
        _ => {
            let problem = wrong_type(domain.name, domain.many(), item);
            problems.push(match domain.read(item) {
                Ok(value) => {
                    let list = format!("{} = [{}]", domain.name, toml_text(&value));
                    problem.help(format!("an axis is a list: write `{list}`"))
                }
                Err(_) => problem,
            });
            None
        }
    }
}

/// One value of a list. A number where `hidden` wants a list is the likeliest slip of all.
fn list_value(domain: Domain, item: Item) -> Result<Value, Problem> {
    domain.read(item).map_err(|problem| match domain.kind {
        Kind::Widths { .. } if item.get_ref().is_integer() => {
            problem.help("each value is a list of widths: write `hidden = [[256, 128]]`")
        }
        Kind::Number | Kind::Count if item.get_ref().is_table() => problem.help(format!(
            "a range is the whole axis: write `{} = {{ ... }}` without the brackets, and a second \
             [[grid]] for values beside it",
            domain.name
        )),
        _ => problem,
    })
}

fn range_values(
    table: &Table,
    domain: Domain,
    item: Item,
    problems: &mut Problems,
) -> Option<Vec<Spanned<Value>>> {
    let mut values = Vec::new();
    for x in range::read(table, item, problems)? {
        let value = match domain.kind {
            Kind::Count if (0.0..1e15).contains(&x) && libm::trunc(x) == x => {
                Value::Count(x as u64)
            }
            Kind::Count => {
                problems.push(Problem::at(
                    item.span(),
                    format!("`{}` cannot be {}", domain.name, number_text(x)),
                    "expected a range of whole numbers",
                ));
                return None;
            }
            _ => Value::Number(x),
        };
        problems.ok(domain.check(&value, item))?;
        values.push(Spanned { value, span: item.span() });
    }
    Some(values)
}

/// What has no default must come from an axis or from `[train]`.
fn check_required(
    table: &Table,
    axes: &[NamedAxis],
    around: &Surroundings,
    problems: &mut Problems,
) {
    let is_given = |name: &str| {
        axes.iter().any(|axis| axis.name == name)
            || around.fixed.iter().any(|setting| setting.name == name)
    };
    for (name, example) in [
        ("optimizer", "optimizer = [\"sgd\", \"backtracking\"]"),
        ("learning_rate", "learning_rate = [0.01, 0.1]"),
        ("batch_size", "batch_size = [32, 128]"),
    ] {
        if !is_given(name) {
            table.missing(name, format!("add `{example}`"), problems);
        }
    }
    if !is_given("hidden") && !is_given(DEPTH) {
        let help = match around.widths {
            Some(widths) if !widths.is_empty() => format!("add `depth = [{}]`", widths.len()),
            _ => "add `hidden = [[256, 128]]`".to_string(),
        };
        table.missing("depth", help, problems);
    }
}

fn check_depth(axes: &[NamedAxis], around: &Surroundings, problems: &mut Problems) {
    let Some(depth) = axes.iter().find(|axis| axis.name == DEPTH) else { return };
    if let Some(hidden) = axes.iter().find(|axis| axis.name == "hidden") {
        let later = if hidden.span.start < depth.span.start { depth } else { hidden };
        problems.push(
            Problem::at(
                later.span.clone(),
                "`hidden` and `depth` in one grid",
                "expected one of them: both name the hidden layers",
            )
            .help("use two [[grid]] tables, or write the layers as `hidden` alone"),
        );
    }
    let Some(widths) = around.widths else {
        problems.push(
            Problem::at(
                depth.span.clone(),
                "`depth` without widths to take",
                "expected `widths` in `[model]`",
            )
            .help("add `widths = [256, 128, 64]` under [model]"),
        );
        return;
    };
    for value in depth.values.iter().flatten() {
        if matches!(value.value, Value::Count(n) if n > widths.len() as u64) {
            problems.push(
                Problem::at(
                    value.span.clone(),
                    "`depth` is larger than the number of widths",
                    format!("expected {}", whole_numbers(1, widths.len() as u32)),
                )
                .help("add widths to `[model] widths`, or leave this depth out"),
            );
        }
    }
}

/// `zip` with the places of its lists.
type Zip = Option<Spanned<Vec<Span>>>;

/// The groups of axes that go in step: those of `zip`, and every other axis by itself.
fn groups(table: &Table, axes: &[NamedAxis], problems: &mut Problems) -> (Vec<Vec<usize>>, Zip) {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut places = Vec::new();
    let lists = table.array("zip", "a list of lists of axis names", problems);
    let names = lists.map(|lists| lists.iter().map(|item| item.get_ref().as_str()));
    let flat: Option<Vec<&str>> = names.and_then(Iterator::collect);
    if let (Some(item), Some(names)) = (table.item("zip"), flat.filter(|names| !names.is_empty())) {
        let problem = wrong_type("zip", "a list of lists of axis names", item);
        let label = "expected a list of lists of axis names, found a list of strings";
        let problem = Problem { label: label.into(), ..problem };
        problems.push(problem.help(format!("write `zip = [{names:?}]`")));
        return (groups, None);
    }
    for item in lists.into_iter().flat_map(|lists| lists.iter()) {
        if let Some(group) = zipped(item, axes, &groups, problems) {
            groups.push(group);
            places.push(item.span());
        }
    }
    for i in 0..axes.len() {
        if !groups.iter().flatten().any(|&zipped| zipped == i) {
            groups.push(vec![i]);
        }
    }
    let zip = table.item("zip").map(|item| Spanned { value: places, span: item.span() });
    (groups, zip)
}

/// One list of `zip`.
fn zipped(
    item: Item,
    axes: &[NamedAxis],
    others: &[Vec<usize>],
    problems: &mut Problems,
) -> Option<Vec<usize>> {
    let Some(items) = item.get_ref().as_array().filter(|items| items.len() >= 2) else {
        let label = "expected a list of at least two axis names";
        problems.push(Problem::at(item.span(), "`zip` pairs nothing here", label));
        return None;
    };
    let mut group: Vec<usize> = Vec::new();
    for item in items.iter() {
        let Some(name) = item.get_ref().as_str() else {
            problems.push(wrong_type("zip", "the name of an axis", item));
            return None;
        };
        let Some(position) = axes.iter().position(|axis| axis.name == name) else {
            let known: Vec<&str> = axes.iter().map(|axis| axis.name).collect();
            let message = format!("`zip` names `{name}`, which is no axis");
            let problem = Problem::at(item.span(), message, "expected an axis of this grid");
            problems.push(problem.help(did_you_mean(name, &known, "axes")));
            return None;
        };
        if group.contains(&position) || others.iter().flatten().any(|&other| other == position) {
            let message = format!("`zip` names `{name}` twice");
            problems.push(Problem::at(item.span(), message, "expected each axis once"));
            return None;
        }
        group.push(position);
    }
    group.sort_unstable();
    let lengths: Vec<usize> =
        group.iter().map(|&i| axes[i].values.as_ref().map(Vec::len)).collect::<Option<_>>()?;
    if lengths.iter().any(|&length| length != lengths[0]) {
        let sizes: Vec<String> = group
            .iter()
            .zip(&lengths)
            .map(|(&i, n)| format!("`{}` has {}", axes[i].name, n_of(*n, "value")))
            .collect();
        let message = "`zip` pairs axes of different lengths";
        problems.push(Problem::at(item.span(), message, sizes.join(", ")));
        return None;
    }
    Some(group)
}

fn excludes(table: &Table, problems: &mut Problems) -> Vec<Spanned<Filter>> {
    let Some(item) = table.item("exclude") else { return Vec::new() };
    let Some(items) = item.get_ref().as_array() else {
        let problem = wrong_type("exclude", "a list of tables", item);
        problems.push(problem.help(format!("write {EXCLUDE_TITLE} with two brackets")));
        return Vec::new();
    };
    items
        .iter()
        .filter_map(|item| {
            let table = problems.ok(table.inner(item, EXCLUDE_TITLE))?;
            let value = Filter::read(&table, problems)?;
            Some(Spanned { value, span: table.span })
        })
        .collect()
}
