//! Reads a sweep file from its text: every section, all problems at once.

use toml::de::DeTable;
use trial::{Interface, Kind, Scale, Value};

use super::problem::{Problem, Problems, Span, Spanned};
use super::questions;
use super::reader::{Table, count, wrong_type};
use crate::file::objective::Objective;
use crate::file::spec::{DatasetSource, Grid, SCALE_NAMES, Setting, SweepFile};
use crate::limits::MAX_TRIALS;
use crate::phases::confirm;
use crate::space::domain::{domain, domain_at, read_widths};
use crate::space::grid::{self, Surroundings};

pub(crate) const ROOT_KEYS: &[&str] = &[
    "name",
    "description",
    "dataset",
    "model",
    "train",
    "grid",
    "seeds",
    "confirm",
    "report",
    "hypothesis",
];
pub(crate) const DATASET_KEYS: &[&str] = &["name", "format", "path", "train", "valid", "scale"];
pub(crate) const MODEL_KEYS: &[&str] = &["widths", "activation"];
pub(crate) const SEEDS_KEYS: &[&str] = &["n", "list"];

/// The longest name of a sweep, which names a folder.
pub(crate) const MAX_NAME_BYTES: usize = 64;

/// Sections that decide which points there are.
const SECTIONS_OF_POINTS: [&str; 5] = ["dataset", "model", "train", "grid", "seeds"];

/// A sweep file as far as it could be read.
pub struct Draft {
    /// There if the sections that decide on the points are sound: then planning can tell what else
    /// is wrong.
    pub file: Option<SweepFile>,
    /// In the order of the file.
    pub problems: Vec<Problem>,
}

/// Reads a sweep file whose trials are made of what `interface` declares. On failure the problems come
/// in the order of the file.
pub fn parse(source: &str, interface: &'static Interface) -> Result<SweepFile, Vec<Problem>> {
    match draft(source, interface) {
        Draft { file: Some(file), problems } if problems.is_empty() => Ok(file),
        Draft { problems, .. } => Err(problems),
    }
}

/// Reads a sweep file, whatever is wrong with it.
pub fn draft(source: &str, interface: &'static Interface) -> Draft {
    let (document, errors) = DeTable::parse_recoverable(source);
    let mut problems = Problems::default();
    for error in errors {
        problems.push(syntax_problem(source, &error));
    }
    // What was recovered around a syntax error would only raise problems that are none.
    if !problems.is_empty() {
        return Draft { file: None, problems: problems.into_sorted() };
    }
    let mut root = Table::root(document.get_ref(), interface);
    root.refuse_unknown(ROOT_KEYS, &mut problems);
    let file = read(&root, &mut problems);
    Draft { file, problems: problems.into_sorted() }
}

fn syntax_problem(source: &str, error: &toml::de::Error) -> Problem {
    let problem = Problem {
        message: "this is not valid TOML".into(),
        span: None,
        label: error.message().to_string(),
        help: None,
    };
    let Some(span) = error.span() else { return problem };
    let start = source.floor_char_boundary(span.start);
    Problem { span: Some(start..source.ceil_char_boundary(span.end).max(start)), ..problem }
}

/// Every section is read before the first missing one ends the reading, so that all is told. `None`
/// if anything is wrong with the sections of points.
fn read(root: &Table, problems: &mut Problems) -> Option<SweepFile> {
    let name = name(root, problems);
    let description = root.text("description", problems);
    let n_elsewhere = problems.len();
    let dataset = dataset(root, problems);
    let (widths, mut fixed) = model(root, problems);
    let widths_span = widths.as_ref().and_then(|(_, span)| span.clone());
    let widths = widths.map(|(widths, _)| widths);
    fixed.extend(train(root, &fixed, problems));
    let around = Surroundings { fixed: &fixed, widths: widths.as_deref() };
    let grids = grids(root, &around, problems);
    let (seeds, n_seed_copies) = seeds(root, problems);
    let is_misspelt = |name: &&str| root.item(name).is_none() && root.means(name);
    let has_points = problems.len() == n_elsewhere && !SECTIONS_OF_POINTS.iter().any(is_misspelt);
    let confirm = confirm::read(root, &seeds, problems);
    let (metric, heatmaps) = questions::report(root, grids.as_deref(), problems);
    let hypotheses = questions::hypotheses(root, problems);
    let dataset = dataset.filter(|_| has_points)?;
    Some(SweepFile {
        interface: root.interface,
        name: name.unwrap_or_default(),
        description: description.map(|text| text.value).filter(|text| !text.trim().is_empty()),
        dataset: dataset.source.value,
        dataset_span: dataset.source.span,
        n_train: dataset.n_train,
        n_valid: dataset.n_valid,
        scale: dataset.scale,
        widths: widths.unwrap_or_default(),
        widths_span,
        fixed,
        grids: grids?,
        seeds,
        n_seed_copies,
        confirm,
        metric: metric.unwrap_or(Objective::VALID_ACCURACY),
        heatmaps,
        hypotheses,
    })
}

fn name(root: &Table, problems: &mut Problems) -> Option<String> {
    if root.item("name").is_none() {
        root.missing("name", "add `name = \"my-sweep\"` as the first line", problems);
    }
    let name = root.text("name", problems)?;
    let starts = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_fine = name.value.len() <= MAX_NAME_BYTES
        && name.value.starts_with(starts)
        && name.value.chars().all(|c| starts(c) || c == '_' || c == '-');
    if is_fine {
        return Some(name.value);
    }
    let label = format!(
        "expected 1 to {MAX_NAME_BYTES} of a-z, 0-9, _ and -, the first a letter or a digit"
    );
    let problem = Problem::at(name.span, "`name` cannot name a folder everywhere", label);
    problems.push(problem.help("the report goes to reports/<name>/"));
    None
}

struct Dataset {
    source: Spanned<DatasetSource>,
    n_train: Option<Spanned<u32>>,
    n_valid: Option<Spanned<u32>>,
    scale: Scale,
}

fn dataset(root: &Table, problems: &mut Problems) -> Option<Dataset> {
    const HELP: &str = "add `[dataset]` with `name = \"mnist\"`";
    if root.item("dataset").is_none() {
        root.missing("[dataset]", HELP, problems);
    }
    let table = root.section("dataset", "`[dataset]`", DATASET_KEYS, problems)?;
    let source = dataset_source(&table, problems);
    let n_train = table.count("train", 1..=u32::MAX, problems);
    let n_valid = table.count("valid", 1..=u32::MAX, problems);
    let scale = table.word("scale", &SCALE_NAMES, problems).unwrap_or(0);
    let scale = Scale::ALL[scale];
    Some(Dataset { source: source?, n_train, n_valid, scale })
}

fn dataset_source(table: &Table, problems: &mut Problems) -> Option<Spanned<DatasetSource>> {
    let name = table.text("name", problems);
    let path = table.text("path", problems);
    match (table.item("name"), table.item("format")) {
        (None, None) => {
            let help = "add `name = \"mnist\"`, or `format = \"idx\"` and `path`";
            table.missing("name", help, problems);
            None
        }
        (Some(_), Some(format)) => {
            let label = "expected no `format` beside `name`, which names an embedded data set";
            problems.push(Problem::at(format.span(), "two data sets", label));
            None
        }
        (Some(_), None) => {
            if let Some(path) = path {
                let label = "expected `format = \"idx\"` instead of `name`";
                problems.push(Problem::at(path.span, "`path` without `format`", label));
            }
            let name = name?;
            Some(Spanned { value: DatasetSource::Embedded { name: name.value }, span: name.span })
        }
        (None, Some(_)) => {
            table.word("format", &["idx"], problems)?;
            if table.item("path").is_none() {
                let help = "add `path = \"folder\"`: the folder of the four IDX files";
                table.missing("path", help, problems);
            }
            let path = path?;
            Some(Spanned { value: DatasetSource::Idx { path: path.value }, span: path.span })
        }
    }
}

/// The widths, and where the file says them.
type Widths = (Vec<u32>, Option<Span>);

/// `[model]`: the widths that `depth` counts, and the activation as a setting.
fn model(root: &Table, problems: &mut Problems) -> (Option<Widths>, Vec<Setting>) {
    let Some(table) = root.section("model", "`[model]`", MODEL_KEYS, problems) else {
        return (None, Vec::new());
    };
    // Where something stands that is noted as wrong, `depth` needs no second complaint.
    let parameters = root.interface.parameters;
    let hidden = domain(parameters, "hidden").expect("`hidden` is a parameter");
    let max_layers = match hidden.kind {
        Kind::Widths { max_layers, .. } => max_layers,
        Kind::Text(_) | Kind::Number | Kind::Count => 0,
    };
    let stand_in = || (vec![1; max_layers], None);
    let mut widths = table.means("widths").then(stand_in);
    if let Some(item) = table.item("widths") {
        let value = read_widths(item)
            .ok_or_else(|| wrong_type("widths", "a list of whole numbers", item))
            .and_then(|value| {
                let checked = hidden.check(&value, item);
                checked.map(|()| value).map_err(|problem| Problem {
                    message: "`widths` are out of range".into(),
                    ..problem
                })
            });
        if let Some(Value::Widths(list)) = problems.ok(value) {
            let key = key_span(&table, "widths");
            widths = Some((list, key));
        }
    }
    let activation = table.item("activation").and_then(|item| {
        let activation = domain(parameters, "activation").expect("`activation` is a parameter");
        let value = problems.ok(activation.read(item))?;
        let key_span = key_span(&table, activation.name)?;
        Some(Setting { name: activation.name, value, span: item.span(), key_span })
    });
    (widths, activation.into_iter().collect())
}

fn key_span(table: &Table, wanted: &str) -> Option<Span> {
    table.entries().into_iter().find(|(name, ..)| *name == wanted).map(|(_, span, _)| span)
}

/// `[train]`: hyperparameters that are the same for all trials.
fn train(root: &Table, already: &[Setting], problems: &mut Problems) -> Vec<Setting> {
    let parameters = root.interface.parameters;
    let known: Vec<&str> = parameters.iter().map(|parameter| parameter.name).collect();
    let Some(table) = root.section("train", "`[train]`", &known, problems) else {
        return Vec::new();
    };
    let mut settings = Vec::new();
    for (name, span, item) in table.entries() {
        if !known.contains(&name) {
            continue;
        }
        if already.iter().any(|setting| setting.name == name) {
            let message = format!("`{name}` is set twice");
            problems.push(Problem::at(span, message, "already set in `[model]`"));
            continue;
        }
        let value = domain_at(parameters, name, span.clone(), table.title).and_then(|domain| {
            let value = domain.read(item).map_err(|problem| match item.get_ref() {
                toml::de::DeValue::Array(_) => {
                    problem.help("to try several values, move the key to [[grid]]")
                }
                _ => problem,
            })?;
            Ok(Setting { name: domain.name, value, span: item.span(), key_span: span.clone() })
        });
        settings.extend(problems.ok(value));
    }
    settings
}

/// `None` if any grid has problems.
fn grids(root: &Table, around: &Surroundings, problems: &mut Problems) -> Option<Vec<Grid>> {
    if root.item("grid").is_none() {
        let help = "add `[[grid]]` with `optimizer`, `learning_rate`, `batch_size` and `depth`";
        root.missing("[[grid]]", help, problems);
    }
    let tables =
        root.sections("grid", grid::TITLE, &grid::keys(root.interface.parameters), problems);
    let read: Vec<Option<Grid>> =
        tables.iter().map(|table| grid::read(table, around, problems)).collect();
    if let Some(item) = root.item("grid")
        && item.get_ref().as_array().is_some_and(|items| items.is_empty())
    {
        problems.push(Problem::at(item.span(), "no grid", "expected at least one `[[grid]]`"));
    }
    read.into_iter().collect::<Option<Vec<Grid>>>().filter(|grids| !grids.is_empty())
}

/// Seeds in ascending order, each once, and how many were listed again.
fn seeds(root: &Table, problems: &mut Problems) -> (Vec<u32>, u64) {
    let Some(table) = root.section("seeds", "`[seeds]`", SEEDS_KEYS, problems) else {
        return (vec![1], 0);
    };
    let (n, list) = (table.item("n"), table.item("list"));
    if n.is_some() == list.is_some() {
        let message = match n {
            Some(_) => "`[seeds]` has both `n` and `list`",
            None => "`[seeds]` needs `n` or `list`",
        };
        let label = "expected one of them: `n = 3` means the seeds 1, 2 and 3";
        problems.push(Problem::at(table.span.clone(), message, label));
        return (vec![1], 0);
    }
    if let Some(item) = n {
        let read =
            count("n", item, 1..=MAX_TRIALS as u32).map_err(|problem| match item.get_ref() {
                toml::de::DeValue::Array(_) => {
                    problem.help("`n` is how many seeds there are; name them with `list = [1, 2]`")
                }
                _ => problem,
            });
        return (problems.ok(read).map_or_else(|| vec![1], |n| (1..=n.value).collect()), 0);
    }
    let Some(items) = list.and(table.array("list", "a list of whole numbers", problems)) else {
        return (vec![1], 0);
    };
    if items.is_empty() {
        let label = "expected at least one seed";
        problems.push(Problem::at(table.span.clone(), "`list` has no values", label));
    }
    let read = items.iter().filter_map(|item| problems.ok(count("list", item, 0..=u32::MAX)));
    let mut seeds: Vec<u32> = read.map(|seed| seed.value).collect();
    let n_listed = seeds.len();
    seeds.sort_unstable();
    seeds.dedup();
    let n_copies = (n_listed - seeds.len()) as u64;
    (seeds, n_copies)
}
