//! Why a data set is not there yet, or never will be.

use std::io;

use thiserror::Error;
use trainer::DataError;

use crate::link::explain;

#[derive(Debug, Error)]
pub(crate) enum DataTrouble {
    #[error("{0}")]
    Later(String),
    #[error("what arrived has another SHA-256 than announced")]
    Wrong,
    #[error("{0}")]
    Never(#[from] DataError),
}

impl From<io::Error> for DataTrouble {
    fn from(error: io::Error) -> Self {
        Self::Later(error.to_string())
    }
}

impl From<tonic::Status> for DataTrouble {
    fn from(status: tonic::Status) -> Self {
        Self::Later(explain(&status))
    }
}
