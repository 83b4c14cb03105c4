//! Why a report could not be built or read back.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("cannot write {path}: {source}", path = path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("cannot shape the table {table}: {source}")]
    Table { table: &'static str, source: polars::error::PolarsError },
    #[error("cannot draw {figure} as PNG: {cause}")]
    Png { figure: String, cause: String },
    #[error("trial {id} has {found} values, expected one for each of {expected} columns")]
    Shape { id: String, found: usize, expected: usize },
    #[error("there is no column {name}; a report needs it")]
    MissingColumn { name: &'static str },
    #[error("{path}: cannot be read; expected the folder of a report", path = path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path}: cannot be read as Parquet", path = path.display())]
    Parquet { path: PathBuf, source: polars::error::PolarsError },
    #[error("{path}: SHA-256 is {found}, manifest.json says {expected}: it was changed or damaged since the report was written", path = path.display())]
    Changed { path: PathBuf, found: String, expected: String },
    #[error("{path}: damaged: the reader of Parquet gave up ({cause}); restore the file, or build the report again", path = path.display())]
    Damaged { path: PathBuf, cause: String },
    #[error("{path}: row {row} of the column {column} is empty or out of range", path = path.display())]
    Empty { path: PathBuf, column: String, row: usize },
    #[error("{path}:1: there is no column {column}", path = path.display())]
    NoColumn { path: PathBuf, column: String },
    #[error("{path}:{line}: {found} cells, expected one for each of {expected} columns", path = path.display())]
    Row { path: PathBuf, line: usize, found: u64, expected: u64 },
    #[error("{path}:{line}: {column} is {found:?}, expected {expected}", path = path.display())]
    Cell { path: PathBuf, line: usize, column: String, expected: &'static str, found: String },
}
