//! The tables of a report as polars frames, and the files made from them.

mod columns;
mod csv;
mod grid;
mod history;
mod parquet;
mod results;

pub(crate) use self::csv::csv_bytes;
pub(crate) use grid::{Placed, grid};
pub(crate) use history::{history, timings};
pub(crate) use parquet::parquet_bytes;
pub(crate) use results::results;
