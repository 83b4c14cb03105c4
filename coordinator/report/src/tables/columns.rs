//! Columns of one height that become a frame.

use polars::prelude::{Column, DataFrame, PolarsResult};

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

    pub(crate) fn flag(&mut self, name: &str, cells: impl Iterator<Item = Option<bool>>) {
        self.columns.push(Column::new(name.into(), cells.collect::<Vec<_>>()));
    }

    pub(crate) fn frame(self) -> PolarsResult<DataFrame> {
        DataFrame::new(self.height, self.columns)
    }
}
