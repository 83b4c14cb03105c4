//! Points: the distinct combinations of a sweep, as rows of codes into sorted lists of values. A
//! million of them fit in memory, and comparing codes compares the result tables' columns.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use trial::{Hyperparameters, Parameter, Value};

use super::domain::DEPTH;
use super::filter::{Condition, Filter};

/// One hyperparameter and every value that a point can have of it.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) parameter: &'static Parameter,
    /// Ascending and distinct; `None`, for points that do not have it, comes first.
    values: Vec<Option<Value>>,
}

impl Column {
    pub(crate) fn new(parameter: &'static Parameter, mut values: Vec<Option<Value>>) -> Self {
        values.sort_by(|a, b| order_in_column(a.as_ref(), b.as_ref()));
        values.dedup();
        Self { parameter, values }
    }

    /// The place of a value that went into `new`.
    pub(crate) fn code(&self, value: Option<&Value>) -> u32 {
        let place = self.values.binary_search_by(|known| order_in_column(known.as_ref(), value));
        place.expect("columns hold every value of the file") as u32
    }

    fn value(&self, code: u32) -> Option<&Value> {
        self.values[code as usize].as_ref()
    }
}

/// The order of the result tables: numbers by value, text by bytes, widths one after the other.
pub(crate) fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => a.total_cmp(b),
        (Value::Count(a), Value::Count(b)) => a.cmp(b),
        (Value::Widths(a), Value::Widths(b)) => a.cmp(b),
        _ => unreachable!("a column holds values of one kind"),
    }
}

/// Absent values come first, as empty cells do.
fn order_in_column(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => order(a, b),
        _ => a.is_some().cmp(&b.is_some()),
    }
}

/// The column of a name: `depth` is a property of `hidden`.
pub(crate) fn column_of(parameters: &[Parameter], name: &str) -> usize {
    let name = if name == DEPTH { "hidden" } else { name };
    let place = parameters.iter().position(|parameter| parameter.name == name);
    place.expect("names come from the declarations")
}

/// As `column_of`, in the columns themselves.
fn place_in(columns: &[Column], name: &str) -> usize {
    let name = if name == DEPTH { "hidden" } else { name };
    let place = columns.iter().position(|column| column.parameter.name == name);
    place.expect("names come from the declarations")
}

/// Distinct points in the order of the result tables.
#[derive(Clone, Debug)]
pub struct Points {
    /// One for each parameter, in their order.
    columns: Vec<Column>,
    /// Columns with more than one value: what a row of codes is about.
    varying: Vec<usize>,
    /// `n_points` rows of `varying.len()` codes.
    codes: Vec<u32>,
    n_points: usize,
}

impl Points {
    pub(crate) fn new(columns: Vec<Column>) -> Self {
        let varying = (0..columns.len()).filter(|&i| columns[i].values.len() > 1).collect();
        Self { columns, varying, codes: Vec::new(), n_points: 0 }
    }

    pub fn len(&self) -> usize {
        self.n_points
    }

    pub fn is_empty(&self) -> bool {
        self.n_points == 0
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Adds a point by the codes of all columns.
    pub(crate) fn push(&mut self, codes: &[u32]) {
        self.codes.extend(self.varying.iter().map(|&column| codes[column]));
        self.n_points += 1;
    }

    /// Codes of the varying columns.
    pub(crate) fn row(&self, point: usize) -> &[u32] {
        let width = self.varying.len();
        &self.codes[point * width..(point + 1) * width]
    }

    /// The same points in another order, some left out.
    pub(crate) fn select(&self, order: &[u32]) -> Self {
        let mut codes = Vec::with_capacity(order.len() * self.varying.len());
        for &point in order {
            codes.extend_from_slice(self.row(point as usize));
        }
        let (columns, varying) = (self.columns.clone(), self.varying.clone());
        Self { columns, varying, codes, n_points: order.len() }
    }

    pub(crate) fn code(&self, point: usize, column: usize) -> u32 {
        match self.varying.binary_search(&column) {
            Ok(place) => self.row(point)[place],
            Err(_) => 0,
        }
    }

    /// The value of a parameter; `None` if the point does not have it.
    pub fn value(&self, point: usize, name: &str) -> Option<&Value> {
        let column = self.columns.iter().position(|it| it.parameter.name == name)?;
        self.columns[column].value(self.code(point, column))
    }

    /// The hyperparameters of a point with any seed.
    pub(crate) fn hyperparameters(&self, point: usize, seed: u32) -> Hyperparameters {
        let value = |(place, column): (usize, &Column)| {
            let value = column.value(self.code(point, place))?;
            Some((column.parameter.name, value.clone()))
        };
        Hyperparameters::new(self.columns.iter().enumerate().filter_map(value).collect(), seed)
    }

    /// The distinct values that points have of a parameter or of `depth`, ascending.
    pub(crate) fn values(&self, name: &str) -> Vec<Value> {
        let column = &self.columns[place_in(&self.columns, name)];
        let values = column.values.iter().flatten();
        if name != DEPTH {
            return values.cloned().collect();
        }
        let depths: BTreeSet<u64> = values
            .filter_map(|value| match value {
                Value::Widths(widths) => Some(widths.len() as u64),
                Value::Text(_) | Value::Number(_) | Value::Count(_) => None,
            })
            .collect();
        depths.into_iter().map(Value::Count).collect()
    }

    /// A whole number that every point has.
    pub(crate) fn count(&self, point: usize, key: &str) -> u64 {
        let count = match self.value(point, key) {
            Some(&Value::Count(n)) => Some(n),
            _ => None,
        };
        count.expect("every point has it")
    }

    /// Widths of the hidden layers.
    pub(crate) fn hidden(&self, point: usize) -> &[u32] {
        let widths = match self.value(point, "hidden") {
            Some(Value::Widths(widths)) => Some(widths),
            _ => None,
        };
        widths.expect("every point has hidden layers")
    }

    /// Number of hidden layers.
    pub fn depth(&self, point: usize) -> usize {
        self.hidden(point).len()
    }

    /// Points that a filter holds for, in order.
    pub fn matching(&self, filter: &Filter) -> Vec<u32> {
        let filter = CodeFilter::new(filter, &self.columns);
        (0..self.n_points)
            .filter(|&point| filter.matches(|column| self.code(point, column)))
            .map(|point| point as u32)
            .collect()
    }
}

/// A filter in terms of codes.
pub(crate) struct CodeFilter(Vec<(usize, Vec<bool>)>);

impl CodeFilter {
    pub(crate) fn new(filter: &Filter, columns: &[Column]) -> Self {
        let allowed = |condition: &Condition| {
            let column = place_in(columns, condition.name);
            let allows = |value: &Option<Value>| match (value, condition.name) {
                (Some(Value::Widths(widths)), DEPTH) => {
                    condition.values.contains(&Value::Count(widths.len() as u64))
                }
                (Some(value), _) => condition.values.contains(value),
                (None, _) => false,
            };
            (column, columns[column].values.iter().map(allows).collect())
        };
        Self(filter.conditions.iter().map(allowed).collect())
    }

    /// The column of each condition, and which of its codes are allowed.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = (usize, &[bool])> {
        self.0.iter().map(|(column, allowed)| (*column, allowed.as_slice()))
    }

    pub(crate) fn matches(&self, code: impl Fn(usize) -> u32) -> bool {
        self.0.iter().all(|(column, allowed)| allowed[code(*column) as usize])
    }
}
