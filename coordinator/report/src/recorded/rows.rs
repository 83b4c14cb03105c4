//! The rows of the results as CSV, cell by cell. None of its values needs quotes.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use sweep::read_widths_text;

use crate::ReportError;
use crate::input::{Column, ColumnKind, Value};

pub(super) struct Rows<'a> {
    path: &'a Path,
    places: Rc<HashMap<&'a str, usize>>,
    lines: std::iter::Enumerate<std::str::Lines<'a>>,
}

/// One row, its cells in the order of the header.
pub(super) struct Row<'a> {
    path: &'a Path,
    /// Counts from 1, the header's line.
    line: usize,
    places: Rc<HashMap<&'a str, usize>>,
    cells: Vec<&'a str>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(path: &'a Path, text: &'a str) -> Self {
        let mut lines = text.lines().enumerate();
        let header = lines.next().map_or("", |(_, line)| line);
        let places = header.split(',').enumerate().map(|(place, name)| (name, place)).collect();
        Self { path, places: Rc::new(places), lines }
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = Result<Row<'a>, ReportError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (index, line) = self.lines.next()?;
        let cells: Vec<&str> = line.split(',').collect();
        let line = index + 1;
        if cells.len() != self.places.len() {
            return Some(Err(ReportError::Row {
                path: self.path.into(),
                line,
                found: cells.len(),
                expected: self.places.len(),
            }));
        }
        Some(Ok(Row { path: self.path, line, places: Rc::clone(&self.places), cells }))
    }
}

impl<'a> Row<'a> {
    /// A cell that must not be empty.
    pub(super) fn text(&self, column: &str) -> Result<&'a str, ReportError> {
        let text = self.cell(column)?;
        if text.is_empty() { Err(self.wrong(column, "a value")) } else { Ok(text) }
    }

    pub(super) fn number(&self, column: &str) -> Result<Option<f64>, ReportError> {
        match self.cell(column)? {
            "" => Ok(None),
            text => match text.parse::<f64>() {
                Ok(x) if x.is_finite() => Ok(Some(x)),
                _ => Err(self.wrong(column, "a finite number")),
            },
        }
    }

    pub(super) fn count(&self, column: &str) -> Result<u64, ReportError> {
        self.cell(column)?.parse().map_err(|_| self.wrong(column, "a whole number"))
    }

    /// A count below 2^32.
    pub(super) fn small(&self, column: &str) -> Result<u32, ReportError> {
        self.cell(column)?.parse().map_err(|_| self.wrong(column, "a whole number"))
    }

    pub(super) fn flag(&self, column: &str) -> Result<bool, ReportError> {
        self.cell(column)?.parse().map_err(|_| self.wrong(column, "true or false"))
    }

    /// A hyperparameter; `None` where the trial's optimizer does not use it.
    pub(super) fn value(&self, column: &Column) -> Result<Option<Value>, ReportError> {
        let name = column.name.as_str();
        let text = self.cell(name)?;
        Ok(match column.kind {
            ColumnKind::Widths => Some(Value::Widths(self.widths(name, text)?)),
            _ if text.is_empty() => None,
            ColumnKind::Text => Some(Value::Text(text.into())),
            ColumnKind::Number => self.number(name)?.map(Value::Number),
            ColumnKind::Count => Some(Value::Count(self.count(name)?)),
        })
    }

    fn widths(&self, column: &str, text: &str) -> Result<Vec<u32>, ReportError> {
        // Reports of older builds leave the cell of a network without hidden layers empty.
        if text.is_empty() {
            return Ok(Vec::new());
        }
        read_widths_text(text)
            .ok_or_else(|| self.wrong(column, "widths such as 256-128-64, or none"))
    }

    pub(super) fn cell(&self, column: &str) -> Result<&'a str, ReportError> {
        let place = self.places.get(column);
        place
            .map(|&place| self.cells[place])
            .ok_or_else(|| ReportError::NoColumn { path: self.path.into(), column: column.into() })
    }

    pub(super) fn wrong(&self, column: &str, expected: &'static str) -> ReportError {
        ReportError::Cell {
            path: self.path.into(),
            line: self.line,
            column: column.into(),
            expected,
            found: self.cell(column).unwrap_or_default().into(),
        }
    }
}
