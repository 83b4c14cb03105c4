//! Parquet bytes of a frame: one thread, fixed compression, so that equal frames give equal files.

use polars::prelude::DataFrame;
use polars_io::parquet::write::{ParquetCompression, ParquetWriter};

use crate::ReportError;

pub(crate) fn parquet_bytes(
    frame: &mut DataFrame,
    table: &'static str,
) -> Result<Vec<u8>, ReportError> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes)
        .with_compression(ParquetCompression::Zstd(None))
        .set_parallel(false)
        .finish(frame)
        .map_err(|source| ReportError::Table { table, source })?;
    Ok(bytes)
}
