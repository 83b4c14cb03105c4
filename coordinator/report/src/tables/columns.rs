//! Columns of one height that become a frame.

use polars::prelude::{Column, DataFrame, PolarsResult};
use trial::{Measure, MeasureKind, Reading};

pub(crate) struct Columns {
    height: usize,
    columns: Vec<Column>,
}

impl Columns {
    pub(crate) fn new(height: usize) -> Self {
        Self { height, columns: Vec::new() }
    }

    pub(crate) fn text(&mut self, name: &str, cells: impl Iterator<Item = Option<String>>) {
        self.columns.push(Column::new(name.into(), cells.collect::<Vec<_>>()));
    }

    pub(crate) fn number(&mut self, name: &str, cells: impl Iterator<Item = Option<f64>>) {
        self.columns.push(Column::new(name.into(), cells.collect::<Vec<_>>()));
    }

    pub(crate) fn count(&mut self, name: &str, cells: impl Iterator<Item = Option<u64>>) {
        self.columns.push(Column::new(name.into(), cells.collect::<Vec<_>>()));
    }

    /// What a measure reads, under any name.
    pub(crate) fn readings(
        &mut self,
        name: &str,
        measure: &Measure,
        cells: impl Iterator<Item = Option<Reading>>,
    ) {
        match measure.kind {
            MeasureKind::Number => self.number(name, cells.map(|cell| cell?.number())),
            MeasureKind::Count => self.count(name, cells.map(|cell| cell?.count())),
        }
    }

    pub(crate) fn flag(&mut self, name: &str, cells: impl Iterator<Item = Option<bool>>) {
        self.columns.push(Column::new(name.into(), cells.collect::<Vec<_>>()));
    }

    pub(crate) fn frame(self) -> PolarsResult<DataFrame> {
        DataFrame::new(self.height, self.columns)
    }
}
