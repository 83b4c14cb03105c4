//! Images and labels of one file pair, and why bytes are not a data set.

use thiserror::Error;

/// Why bytes are no data set, or a split does not fit one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DataError {
    #[error("{file}: {problem}")]
    File { file: &'static str, problem: String },
    #[error("train labels: expected at least two classes, but every label is {label}")]
    OneClass { label: u16 },
    /// Images whose pixels are no bytes.
    #[error("{file}: {problem}")]
    Pixels { file: &'static str, problem: String },
    /// Labels that are not the numbers of classes.
    #[error("{file}: {problem}")]
    Labels { file: &'static str, problem: String },
    /// They would be of use with the bytes of each in the other order.
    #[error("{file}: its elements, {kind}, are little-endian; those of IDX files are big-endian")]
    ByteOrder { file: &'static str, kind: &'static str },
    #[error("{file}: element {at} is {value}")]
    NotFinite { file: &'static str, at: usize, value: String },
    #[error("data set blob: {0}")]
    Blob(String),
    #[error("split of {n_train} + {n_valid} samples: {problem}")]
    Split { n_train: u32, n_valid: u32, problem: String },
}

/// Images and labels of one file pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Samples {
    /// Row-major, one row a sample.
    pub inputs: Vec<u8>,
    pub labels: Vec<u16>,
}

pub const MAX_CLASSES: usize = 1000;

/// Pixels are numbered by u16 in the compressed rows.
pub const MAX_INPUTS: usize = 65_536;

pub(crate) fn n_inputs(dims: &[u32]) -> Option<usize> {
    dims.iter().try_fold(1_usize, |product, &dim| product.checked_mul(dim as usize))
}
