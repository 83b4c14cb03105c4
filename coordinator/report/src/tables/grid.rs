//! The pivot of a long table into rows and columns: what lies where in a heatmap.

use std::sync::Arc;

use polars::frame::PivotColumnNaming;
use polars::prelude::{DataFrame, IntoLazy, PolarsResult, SortMultipleOptions, by_name, element};

use super::columns::Columns;
use crate::ReportError;

/// An item's place in a grid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) row: usize,
    pub(crate) column: usize,
    pub(crate) item: usize,
}

/// The item of each cell, row by row; `None` where nothing lies. Of two items in one cell the
/// first stays.
pub(crate) fn grid(
    placed: &[Placed],
    n_rows: usize,
    n_columns: usize,
) -> Result<Vec<Vec<Option<usize>>>, ReportError> {
    let mut cells = vec![vec![None; n_columns]; n_rows];
    if placed.is_empty() {
        return Ok(cells);
    }
    let wide = pivot(placed).map_err(|source| ReportError::Table { table: "heatmap", source })?;
    let mut read = || -> PolarsResult<()> {
        let rows = wide.column("row")?.u64()?;
        for (index, cells_of_row) in rows.iter().enumerate() {
            let Some(row) = cells_of_row else { continue };
            for (column, cell) in cells[row as usize].iter_mut().enumerate() {
                // A column without items is no column of the wide table.
                let Ok(items) = wide.column(&column.to_string()) else { continue };
                *cell = items.u64()?.get(index).map(|item| item as usize);
            }
        }
        Ok(())
    };
    read().map_err(|source| ReportError::Table { table: "heatmap", source })?;
    Ok(cells)
}

fn pivot(placed: &[Placed]) -> PolarsResult<DataFrame> {
    let mut columns = Columns::new(placed.len());
    columns.count("row", placed.iter().map(|place| Some(place.row as u64)));
    columns.text("column", placed.iter().map(|place| Some(place.column.to_string())));
    columns.count("item", placed.iter().map(|place| Some(place.item as u64)));
    let mut names: Vec<usize> = placed.iter().map(|place| place.column).collect();
    names.sort_unstable();
    names.dedup();
    let mut on = Columns::new(names.len());
    on.text("column", names.iter().map(|name| Some(name.to_string())));
    columns
        .frame()?
        .lazy()
        .pivot(
            by_name(["column"], true, false),
            Arc::new(on.frame()?),
            by_name(["row"], true, false),
            by_name(["item"], true, false),
            element().first(),
            true,
            "_".into(),
            PivotColumnNaming::Auto,
        )
        .sort(["row"], SortMultipleOptions::default())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_land_in_their_cells_and_the_rest_stays_empty() {
        let placed = [
            Placed { row: 1, column: 2, item: 5 },
            Placed { row: 0, column: 0, item: 7 },
            Placed { row: 1, column: 2, item: 9 },
        ];
        let cells = grid(&placed, 2, 3).unwrap();
        assert_eq!(cells, [[Some(7), None, None], [None, None, Some(5)]]);
        assert_eq!(grid(&[], 1, 1).unwrap(), [[None]]);
    }
}
