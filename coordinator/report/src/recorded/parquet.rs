//! `history.parquet` and `timings.parquet` read back, grouped by trial.

use std::fs::File;
use std::path::{Path, PathBuf};

use polars::prelude::{Column, DataFrame, PolarsResult};
use polars_io::SerReader;
use polars_io::parquet::read::{ParallelStrategy, ParquetReader};

use super::ByTrial;
use crate::ReportError;
use crate::input::{Epoch, Timing};

pub(super) fn histories(path: &Path) -> Result<ByTrial<Epoch>, ReportError> {
    let table = Table::read(path)?;
    let steps = |row| -> Result<_, ReportError> {
        let step = |name| table.number(name, row);
        Ok(match step("step_min")? {
            Some(min) => {
                step("step_median")?.zip(step("step_max")?).map(|(mid, max)| (min, mid, max))
            }
            None => None,
        })
    };
    table.by_trial(|row| {
        let number = |name| table.number(name, row)?.ok_or_else(|| table.empty(name, row));
        Ok(Epoch {
            epoch: table.small("epoch", row)?,
            train_loss: number("train_loss")?,
            train_accuracy: number("train_accuracy")?,
            valid_loss: number("valid_loss")?,
            valid_accuracy: number("valid_accuracy")?,
            learning_rate: number("learning_rate")?,
            steps: steps(row)?,
            n_backtracks: table.count("n_backtracks", row)?,
            gradient_norm: number("gradient_norm")?,
            grad_samples: table.count("grad_samples", row)?,
            probe_samples: table.count("probe_samples", row)?,
        })
    })
}

pub(super) fn timings(path: &Path) -> Result<ByTrial<Timing>, ReportError> {
    let table = Table::read(path)?;
    table.by_trial(|row| {
        let number = |name| table.number(name, row)?.ok_or_else(|| table.empty(name, row));
        Ok(Timing {
            epoch: table.small("epoch", row)?,
            wall_s: number("wall_s")?,
            cpu_s: number("cpu_s")?,
            worker: table.text("worker", row)?,
            isa: table.text("isa", row)?,
            attempt: table.small("attempt", row)?,
            slots_in_use: table.small("slots_in_use", row)?,
        })
    })
}

/// A Parquet file in memory, read cell by cell.
struct Table {
    path: PathBuf,
    frame: DataFrame,
}

impl Table {
    fn read(path: &Path) -> Result<Self, ReportError> {
        let file =
            File::open(path).map_err(|source| ReportError::Read { path: path.into(), source })?;
        let reader = ParquetReader::new(file).read_parallel(ParallelStrategy::None);
        let frame = reader.set_rechunk(true).finish();
        let frame = frame.map_err(|source| ReportError::Parquet { path: path.into(), source })?;
        Ok(Self { path: path.into(), frame })
    }

    fn by_trial<T>(
        &self,
        read: impl Fn(usize) -> Result<T, ReportError>,
    ) -> Result<ByTrial<T>, ReportError> {
        let mut groups = ByTrial::new();
        for row in 0..self.frame.height() {
            groups.entry(self.text("trial_id", row)?).or_insert_with(Vec::new).push(read(row)?);
        }
        Ok(groups)
    }

    fn cell<T>(
        &self,
        name: &str,
        read: impl Fn(&Column) -> PolarsResult<Option<T>>,
    ) -> Result<Option<T>, ReportError> {
        let cell = self.frame.column(name).and_then(read);
        cell.map_err(|source| ReportError::Parquet { path: self.path.clone(), source })
    }

    fn number(&self, name: &str, row: usize) -> Result<Option<f64>, ReportError> {
        self.cell(name, |column| Ok(column.f64()?.get(row)))
    }

    fn count(&self, name: &'static str, row: usize) -> Result<u64, ReportError> {
        let cell = self.cell(name, |column| Ok(column.u64()?.get(row)))?;
        cell.ok_or_else(|| self.empty(name, row))
    }

    /// A count below 2^32.
    fn small(&self, name: &'static str, row: usize) -> Result<u32, ReportError> {
        u32::try_from(self.count(name, row)?).map_err(|_| self.empty(name, row))
    }

    fn text(&self, name: &'static str, row: usize) -> Result<String, ReportError> {
        let cell = self.cell(name, |column| Ok(column.str()?.get(row).map(str::to_owned)))?;
        cell.ok_or_else(|| self.empty(name, row))
    }

    /// Of a column without gaps.
    fn empty(&self, column: &'static str, row: usize) -> ReportError {
        ReportError::Empty { path: self.path.clone(), column, row }
    }
}
