//! `history.parquet` and `timings.parquet` read back, grouped by trial.

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::Cursor;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};
use std::{fs, thread};

use polars::prelude::{Column, DataFrame, PolarsResult};
use polars_io::SerReader;
use polars_io::parquet::read::{ParallelStrategy, ParquetReader};
use trial::known::STEP_MEDIAN;
use trial::{EpochRecord, Measure, MeasureKind, Reading, StepSizes, Timing, TrialId};

use crate::folder::sha256;
use crate::tables::csv_bytes;
use crate::{Manifest, ReportError, shown};

pub(super) fn histories(
    measures: &Arc<[Measure]>,
    table: &Table,
) -> Result<ByTrial<EpochRecord>, ReportError> {
    table.by_trial(|row| {
        let mut record = EpochRecord::new(measures, table.small("epoch", row)?);
        for measure in measures.iter() {
            let name = &*measure.name;
            let reading = match measure.kind {
                MeasureKind::Number => table.number(name, row)?.map(Reading::Number),
                MeasureKind::Count => table.count(name, row)?.map(Reading::Count),
            };
            if reading.is_none() && !measure.is_optional {
                return Err(table.empty(name, row));
            }
            record.set(name, reading);
        }
        let n_steps = StepSizes::NAMES.iter().filter(|it| record.reading(it.0).is_some()).count();
        match n_steps {
            0 | 3 => Ok(record),
            _ => Err(table.empty(STEP_MEDIAN.0, row)),
        }
    })
}

pub(super) fn timings(table: &Table) -> Result<ByTrial<Timing>, ReportError> {
    table.by_trial(|row| {
        let number = |name| table.number(name, row)?.ok_or_else(|| table.empty(name, row));
        Ok(Timing {
            epoch: table.small("epoch", row)?,
            wall_s: number("wall_s")?,
            cpu_s: number("cpu_s")?,
            worker: table.text("worker", row)?,
            isa: table.text("isa", row)?,
            attempt: table.small("attempt", row)?,
            n_slots_in_use: table.small("slots_in_use", row)?,
        })
    })
}

thread_local! {
    /// Whether a panic on this thread is caught and told in other words.
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// What `read` gives; a panic of its own is an error and prints nothing.
fn quietly<T>(read: impl FnOnce() -> T) -> thread::Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_CAUGHT.get() {
                print(info);
            }
        }));
    });
    IS_CAUGHT.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(read));
    IS_CAUGHT.set(false);
    result
}

/// A file that was made to look right may still break the reader, which then panics.
fn frame(path: &Path, bytes: Vec<u8>) -> Result<DataFrame, ReportError> {
    let read = || {
        let reader = ParquetReader::new(Cursor::new(bytes)).read_parallel(ParallelStrategy::None);
        reader.set_rechunk(true).finish()
    };
    match quietly(read) {
        Ok(frame) => frame.map_err(|error| {
            // Some of the reader's errors end with its own values, as a program writes them.
            let text = error.to_string();
            let cause = shown(text.split(": Error {").next().unwrap_or_default());
            ReportError::Damaged { path: path.into(), cause }
        }),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            let cause = shown(text.unwrap_or("it panicked"));
            Err(ReportError::Damaged { path: path.into(), cause })
        }
    }
}

/// A Parquet file in memory, read cell by cell.
pub(super) struct Table {
    path: PathBuf,
    frame: DataFrame,
}

impl Table {
    /// Reads the file that the manifest lists: one that was damaged since does not reach the reader
    /// of Parquet, which trusts what it reads.
    pub(super) fn read(path: &Path, manifest: &Manifest) -> Result<Self, ReportError> {
        let bytes =
            fs::read(path).map_err(|source| ReportError::Read { path: path.into(), source })?;
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let (found, expected) = (sha256(&bytes), manifest.files.get(name));
        if expected != Some(&found) {
            let expected = expected.cloned().unwrap_or_else(|| "nothing of it".into());
            return Err(ReportError::Changed { path: path.into(), found, expected });
        }
        Ok(Self { path: path.into(), frame: frame(path, bytes)? })
    }

    pub(super) fn csv(&self, table: &'static str) -> Result<Vec<u8>, ReportError> {
        csv_bytes(&self.frame, table)
    }

    fn by_trial<T>(
        &self,
        read: impl Fn(usize) -> Result<T, ReportError>,
    ) -> Result<ByTrial<T>, ReportError> {
        let mut groups = ByTrial::new();
        for row in 0..self.frame.height() {
            groups.entry(self.id(row)?).or_insert_with(Vec::new).push(read(row)?);
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

    fn count(&self, name: &str, row: usize) -> Result<Option<u64>, ReportError> {
        self.cell(name, |column| Ok(column.u64()?.get(row)))
    }

    /// A count below 2^32.
    fn small(&self, name: &'static str, row: usize) -> Result<u32, ReportError> {
        let count = self.count(name, row)?.and_then(|count| u32::try_from(count).ok());
        count.ok_or_else(|| self.empty(name, row))
    }

    fn text(&self, name: &'static str, row: usize) -> Result<String, ReportError> {
        let cell = self.cell(name, |column| Ok(column.str()?.get(row).map(str::to_owned)))?;
        cell.ok_or_else(|| self.empty(name, row))
    }

    fn id(&self, row: usize) -> Result<TrialId, ReportError> {
        self.text("trial_id", row)?.parse().map_err(|_| self.empty("trial_id", row))
    }

    /// A cell is empty in a column without gaps.
    fn empty(&self, column: &str, row: usize) -> ReportError {
        ReportError::Empty { path: self.path.clone(), column: column.into(), row }
    }
}

/// What belongs to each trial, by its id.
pub(crate) type ByTrial<T> = HashMap<TrialId, Vec<T>>;
