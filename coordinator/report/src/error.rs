//! Why a report could not be built.

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
}
