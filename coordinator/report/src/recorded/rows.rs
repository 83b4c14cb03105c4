//! The rows of the results as CSV, cell by cell.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;
use std::str::FromStr;

use csv::{ErrorKind, Position, StringRecord, StringRecordsIntoIter};
use sweep::read_widths_text;

use crate::ReportError;
use trial::{Kind, Parameter, Value};

pub(super) struct Rows<'a> {
    file: File<'a>,
    places: Rc<HashMap<String, usize>>,
    records: StringRecordsIntoIter<&'a [u8]>,
}

/// One row, its cells in the order of the header.
pub(super) struct Row<'a> {
    file: File<'a>,
    places: Rc<HashMap<String, usize>>,
    cells: StringRecord,
}

#[derive(Clone, Copy)]
struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl<'a> Rows<'a> {
    pub(super) fn new(path: &'a Path, text: &'a str) -> Result<Self, ReportError> {
        let file = File { path, text };
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().map_err(|error| file.damage(error))?;
        let places = header.iter().map(str::to_owned).zip(0..).collect();
        Ok(Self { file, places: Rc::new(places), records: reader.into_records() })
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = Result<Row<'a>, ReportError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (file, places) = (self.file, Rc::clone(&self.places));
        Some(match self.records.next()? {
            Ok(cells) => Ok(Row { file, places, cells }),
            Err(error) => Err(file.damage(error)),
        })
    }
}

impl File<'_> {
    /// Where a row begins; counts from 1, the header's line. The reader's own count takes the second
    /// byte of a CRLF for the beginning of the next row.
    fn line(&self, position: Option<&Position>) -> usize {
        let at = position.map_or(0, |it| it.byte() as usize);
        let row = self.text[at..].trim_start_matches(['\r', '\n']);
        1 + self.text[..self.text.len() - row.len()].matches('\n').count()
    }

    fn damage(&self, error: csv::Error) -> ReportError {
        let path = self.path.into();
        match error.kind() {
            &ErrorKind::UnequalLengths { ref pos, expected_len: expected, len: found } => {
                ReportError::Row { path, line: self.line(pos.as_ref()), found, expected }
            }
            _ => ReportError::Read { path, source: error.into() },
        }
    }
}

impl Row<'_> {
    /// A cell that must not be empty.
    pub(super) fn text(&self, column: &str) -> Result<&str, ReportError> {
        let text = self.cell(column)?;
        if text.is_empty() { Err(self.wrong(column, "a value")) } else { Ok(text) }
    }

    /// An id or a digest.
    pub(super) fn digits<T: FromStr>(&self, column: &str) -> Result<T, ReportError> {
        self.text(column)?.parse().map_err(|_| self.wrong(column, "64 hex digits"))
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
    pub(super) fn value(&self, parameter: &Parameter) -> Result<Option<Value>, ReportError> {
        let name = parameter.name;
        let text = self.cell(name)?;
        Ok(match parameter.kind {
            Kind::Widths { .. } => Some(Value::Widths(self.widths(name, text)?)),
            _ if text.is_empty() => None,
            Kind::Text(_) => Some(Value::Text(text.into())),
            Kind::Number => self.number(name)?.map(Value::Number),
            Kind::Count => Some(Value::Count(self.count(name)?)),
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

    pub(super) fn cell(&self, column: &str) -> Result<&str, ReportError> {
        let place = self.places.get(column);
        place.map(|&place| &self.cells[place]).ok_or_else(|| ReportError::NoColumn {
            path: self.file.path.into(),
            column: column.into(),
        })
    }

    pub(super) fn wrong(&self, column: &str, expected: &'static str) -> ReportError {
        ReportError::Cell {
            path: self.file.path.into(),
            line: self.file.line(self.cells.position()),
            column: column.into(),
            expected,
            found: self.cell(column).unwrap_or_default().into(),
        }
    }
}
